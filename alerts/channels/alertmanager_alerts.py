"""Messages as Alertmanager has them: labels say which alert it is and stay while a tier lasts, all that varies is an annotation.

The label `system` says whose alert it is, since several systems may tell one Alertmanager.

A change of tier ends the alert of the old tier and begins one of the new, since routes and silences go by labels. Times that
lie ahead are brought back to now: event time may run ahead of this host, and no alert may end before it begins.
"""

from __future__ import annotations

from typing import Any, Final

from alerts.alert import Alert, Digest, IngestionAlert, Message, ModelAlert
from alerts.ids import rfc3339
from alerts.lost_events import EVENTS_LOST
from alerts.render import card, digest_card, digest_line, headline, ingestion_line, model_line, money
from detectors.actions import TIERS, Tier

RISK: Final = "ChurnRisk"
INGESTION: Final = "ChurnIngestion"
MODEL: Final = "ChurnModel"
DIGEST: Final = "ChurnDigest"

HOLD_MS = 7 * 86_400_000
"""An alert that nobody ends is given up after a week in which nobody repeated it, so a worker may be away for so long."""
LOST_HOLD_MS = 86_400_000
"""Nothing resolves lost events, so they are shown for a day."""
DIGEST_HOLD_MS = 3_600_000
"""A digest tells of a moment and has no end of its own."""

SEVERITIES: dict[Tier, str] = {"none": "info", "watch": "info", "high": "warning", "critical": "critical"}

Posted = dict[str, Any]
"""One alert of the API: labels, annotations, startsAt, endsAt."""


def posted(message: Message, now_ms: int, *, system: str, least_tier: Tier = "watch") -> list[Posted]:
    """What to post of a message, ends before beginnings.

    now_ms       wall clock, ms since 1970
    system       who tells; not empty, since Alertmanager drops such a label
    least_tier   an alert that falls below it ends there, since nobody would be told of its end
    """
    if isinstance(message, Alert):
        alerts = _risk(message, now_ms, least_tier)
    elif isinstance(message, IngestionAlert):
        alerts = [_ingestion(message, now_ms)]
    elif isinstance(message, ModelAlert):
        alerts = [_model(message, now_ms)]
    else:
        alerts = [_digest(message, now_ms)]
    return [alert | {"labels": alert["labels"] | {"system": system}} for alert in alerts]


def ended(alert: Posted, now_ms: int) -> Posted:
    """The same alert, ending now."""
    return alert | {"startsAt": min(alert["startsAt"], rfc3339(now_ms)), "endsAt": rfc3339(now_ms)}


def passes(alert: Posted) -> bool:
    """Whether it ends when it said, however often it is repeated."""
    return bool(alert.get("annotations", {}).get("reason") == EVENTS_LOST)


def _risk(alert: Alert, now_ms: int, least_tier: Tier) -> list[Posted]:
    found = []
    if alert.previous_tier not in ("none", alert.tier):
        found.append(_entry(_risk_labels(alert, alert.previous_tier), _about(alert), alert.episode_started_at, now_ms, hold_ms=0))
    if alert.status == "firing" and TIERS.index(alert.tier) >= TIERS.index(least_tier):
        found.append(_entry(_risk_labels(alert, alert.tier), _about(alert), alert.as_of, now_ms, hold_ms=HOLD_MS))
    return found


def _risk_labels(alert: Alert, tier: Tier) -> dict[str, str]:
    return {
        "alertname": RISK,
        "alert_id": alert.alert_id,
        "customer_id": alert.customer_id,
        "tier": tier,
        "severity": SEVERITIES[tier],
        "rule": alert.rule,
    }


def _about(alert: Alert) -> dict[str, str]:
    return {
        "summary": headline(alert),
        "description": card(alert),
        "decision": alert.decision,
        "risk": f"{alert.risk:.4f}",
        "cause": alert.cause,
        "suggested_action": alert.suggested_action,
        "value_at_stake": money(alert.value_at_stake),
        "segment": alert.segment,
        "message_id": alert.message_id,
    }


def _ingestion(alert: IngestionAlert, now_ms: int) -> Posted:
    labels = {
        "alertname": INGESTION,
        "alert_id": alert.alert_id,
        "partition": str(alert.partition),
        "severity": "warning",
        "rule": alert.rule,
    }
    about = {"summary": ingestion_line(alert), "description": alert.text, "reason": alert.reason, "message_id": alert.message_id}
    hold_ms = LOST_HOLD_MS if alert.reason == EVENTS_LOST else HOLD_MS
    return _entry(labels, about, alert.since, now_ms, hold_ms=hold_ms if alert.status == "firing" else 0)


def _model(alert: ModelAlert, now_ms: int) -> Posted:
    labels = {"alertname": MODEL, "alert_id": alert.alert_id, "severity": "warning", "rule": alert.rule}
    about = {"summary": model_line(alert), "description": alert.text, "model": alert.model, "message_id": alert.message_id}
    return _entry(labels, about, alert.since, now_ms, hold_ms=HOLD_MS if alert.status == "firing" else 0)


def _digest(digest: Digest, now_ms: int) -> Posted:
    worst = TIERS[max((TIERS.index(tier) for tier, count in digest.by_tier.items() if count), default=0)]
    labels = {"alertname": DIGEST, "digest_id": digest.digest_id, "kind": digest.kind, "severity": SEVERITIES[worst]}
    about = {"summary": digest_line(digest), "description": digest_card(digest)}
    return _entry(labels, about, digest.until, now_ms, hold_ms=DIGEST_HOLD_MS)


def _entry(labels: dict[str, str], about: dict[str, str], starts_at: str, now_ms: int, *, hold_ms: int) -> Posted:
    """hold_ms 0: it ends now."""
    return {
        "labels": labels,
        "annotations": about,
        "startsAt": min(starts_at, rfc3339(now_ms)),
        "endsAt": rfc3339(now_ms + hold_ms),
    }
