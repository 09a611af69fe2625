"""A message as Alertmanager has it: which labels stay, what ends and what begins, and when."""

from __future__ import annotations

from functools import partial

import pytest

from alerts.alert import Message
from alerts.channels import alertmanager_alerts
from alerts.channels.alertmanager_alerts import DIGEST_HOLD_MS, HOLD_MS, LOST_HOLD_MS
from alerts.digest import DigestBuilder
from alerts.ids import rfc3339
from alerts.lost_events import build_lost_events_alert
from detectors.actions import Tier
from tests.support.alerts import AS_OF_MS, FIRED_S
from tests.support.messages import a_message, catch_up, demoted, no_data

posted = partial(alertmanager_alerts.posted, system="shop")

NOW_MS = AS_OF_MS + 5_000
NOW, HELD = rfc3339(NOW_MS), rfc3339(NOW_MS + HOLD_MS)
MOVES = [
    ("fired", 1, [("watch", HELD)]),
    ("escalated", 3, [("watch", NOW), ("critical", HELD)]),
    ("deescalated", 1, [("critical", NOW), ("watch", HELD)]),
    ("resolved", 0, [("watch", NOW)]),
]


@pytest.mark.parametrize(("move", "tier", "expected"), MOVES, ids=[move[0] for move in MOVES])
def test_a_transition_ends_the_old_tier_and_begins_the_new_one(move: str, tier: int, expected: list[tuple[str, str]]) -> None:
    alerts = posted(a_message("anna", move, tier=tier), NOW_MS)
    assert [(alert["labels"]["tier"], alert["endsAt"]) for alert in alerts] == expected
    for alert in alerts:
        assert alert["startsAt"] <= alert["endsAt"]


@pytest.mark.parametrize(("least", "expected"), [("watch", ["critical", "watch"]), ("high", ["critical"])])
def test_below_the_least_tier_nothing_begins(least: Tier, expected: list[str]) -> None:
    alerts = posted(a_message("anna", "deescalated"), NOW_MS, least_tier=least)
    assert [alert["labels"]["tier"] for alert in alerts] == expected


def test_labels_are_the_same_for_all_messages_of_a_tier_and_hold_nothing_that_varies() -> None:
    first = posted(a_message("anna", "fired", 1), NOW_MS)[0]["labels"]
    later = posted(a_message("anna", "escalated", 2, risk=0.99), NOW_MS + 1)[0]["labels"]
    end = posted(a_message("anna", "resolved", 4), NOW_MS + 2)[0]["labels"]
    assert first == later == end
    assert first == {
        "alertname": "ChurnRisk",
        "alert_id": a_message("anna").alert_id,
        "customer_id": "anna",
        "tier": "watch",
        "severity": "info",
        "rule": "churn-risk",
        "system": "shop",
    }


@pytest.mark.parametrize(("tier", "severity"), [(1, "info"), (2, "warning"), (3, "critical")])
def test_severity_follows_the_tier(tier: int, severity: str) -> None:
    assert posted(a_message(tier=tier), NOW_MS)[-1]["labels"]["severity"] == severity


def test_annotations_say_what_a_person_decides_by() -> None:
    about = posted(a_message("anna", "escalated", 2), NOW_MS)[1]["annotations"]
    assert about["summary"].startswith("CRITICAL  anna  risk 0.91  up from watch")
    assert about["description"].startswith(about["summary"] + "\n  why")
    assert (about["cause"], about["value_at_stake"], about["risk"]) == ("service", "1,234.50 USD", "0.9100")


def test_it_begins_when_it_was_decided_and_never_ahead_of_now() -> None:
    assert posted(a_message(), NOW_MS)[0]["startsAt"] == rfc3339(AS_OF_MS)
    assert posted(a_message(), AS_OF_MS - 1)[0]["startsAt"] == rfc3339(AS_OF_MS - 1)
    assert posted(a_message(move="resolved"), NOW_MS)[0]["startsAt"] == rfc3339(FIRED_S * 1000)


OTHERS = [
    ("missing data", no_data(3), "ChurnIngestion", "warning", HELD),
    ("data that arrive again", no_data(3, 2, resolved=True), "ChurnIngestion", "warning", NOW),
    ("a model that fell behind", demoted(), "ChurnModel", "warning", HELD),
    ("a model that serves again", demoted(resolved=True), "ChurnModel", "warning", NOW),
    ("a digest", catch_up(), "ChurnDigest", "critical", rfc3339(NOW_MS + DIGEST_HOLD_MS)),
    ("a digest of ends only", DigestBuilder("a").build(0), "ChurnDigest", "info", rfc3339(NOW_MS + DIGEST_HOLD_MS)),
]


@pytest.mark.parametrize(("message", "name", "severity", "ends"), [case[1:] for case in OTHERS], ids=[case[0] for case in OTHERS])
def test_other_messages_have_names_of_their_own(message: Message, name: str, severity: str, ends: str) -> None:
    (alert,) = posted(message, NOW_MS)
    assert (alert["labels"]["alertname"], alert["labels"]["severity"], alert["endsAt"]) == (name, severity, ends)
    assert alert["labels"]["system"] == "shop"
    assert "" not in alert["labels"].values(), "Alertmanager drops a label that is empty"


def test_the_end_of_an_ingestion_alert_has_the_labels_of_its_beginning() -> None:
    assert posted(no_data(3), NOW_MS)[0]["labels"] == posted(no_data(3, 2, resolved=True), NOW_MS + 9)[0]["labels"]
    assert posted(demoted(), NOW_MS)[0]["labels"] == posted(demoted(resolved=True), NOW_MS + 9)[0]["labels"]


def test_lost_events_are_shown_for_a_day_and_no_repetition_prolongs_them() -> None:
    """Nothing resolves them."""
    (alert,) = posted(build_lost_events_alert(3, "purchases", 7, 2, NOW_MS), NOW_MS)
    assert alert["endsAt"] == rfc3339(NOW_MS + LOST_HOLD_MS)
    assert alertmanager_alerts.passes(alert)
    assert not any(alertmanager_alerts.passes(one) for one in posted(no_data(), NOW_MS))
