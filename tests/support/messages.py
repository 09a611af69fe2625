"""Messages of `churn.alerts` for tests of what becomes of them: one of each kind, and alerts that differ."""

from __future__ import annotations

from typing import Any

import msgspec

from alerts.alert import Alert, Digest, DigestEntry, IngestionAlert, ModelAlert, build_ingestion_alert
from alerts.ids import alert_id
from alerts.model_alert import build_model_alert
from alerts.policy import ReasonCode
from tests.support.alerts import AS_OF_MS, CONTEXT, FACTS, an_alert, transition

LIVE = msgspec.structs.replace(CONTEXT, live_after_ms=0)
_MOVES = {  # name -> decision, tier, previous tier
    "fired": (ReasonCode.FIRED, 1, 0),
    "escalated": (ReasonCode.ESCALATED, 3, 1),
    "deescalated": (ReasonCode.DEESCALATED, 1, 3),
    "resolved": (ReasonCode.RESOLVED_RETURNED, 0, 1),
}


def a_message(customer: str = "c-17", move: str = "fired", number: int = 1, *, tier: int | None = None, **changes: Any) -> Alert:
    """A live alert of this customer; `tier` and `changes` in place of what the move gives."""
    decision, usual, previous = _MOVES[move]
    facts = msgspec.structs.replace(FACTS, customer_id=customer)
    made = an_alert(transition(decision, usual if tier is None else tier, previous, number), facts, context=LIVE)
    return msgspec.structs.replace(made, **changes) if changes else made


def no_data(partition: int = 0, transition: int = 1, *, resolved: bool = False) -> IngestionAlert:
    return build_ingestion_alert(
        partition,
        "heartbeat_missing",
        resolved=resolved,
        transition=transition,
        since_ms=AS_OF_MS,
        as_of_ms=AS_OF_MS,
        text="held",
    )


def catch_up(alerts: int = 3) -> Digest:
    entry = DigestEntry(customer_id="c-1", tier="critical", risk=0.9, text="CRITICAL  c-1  risk 0.90")
    at = "2023-11-14T22:13:20.250Z"
    return Digest(
        digest_id=alert_id("catch-up", "digest", 0), kind="catch_up", since=at, until=at, alerts=alerts,
        by_tier={"critical": 1, "watch": alerts - 1}, top=[entry],
    )  # fmt: skip


def demoted(*, resolved: bool = False, live: bool = True) -> ModelAlert:
    """What was learnt was demoted a while ago, or serves again."""
    as_of_ms = AS_OF_MS + 86_400_000 if resolved else AS_OF_MS
    return build_model_alert("m-1", "log loss .5 nats", resolved=resolved, since_ms=AS_OF_MS, as_of_ms=as_of_ms, live=live)
