"""Alerts and plays for tests of triggers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from alerts.alert import Alert, Decision, ValueAtStake
from alerts.ids import alert_id, rfc3339
from alerts.playbook import Play, Playbook
from alerts.triggers import Decided, candidates, decide
from detectors.actions import Tier
from tests.support.alerts import an_alert

FIRED = an_alert()
SOURCE = "/churnwatch/tests"


def alert_at(at_s: int, customer: str = "c-17", *, tier: Tier = "critical", decision: Decision = "fired", **more: Any) -> Alert:
    """A live alert of a customer outside the holdout, at this event time, s; `more` are fields of Alert."""
    episode = alert_id(customer, "churn-risk", at_s)
    told = {
        "alert_id": episode, "message_id": f"{episode}-1", "customer_id": customer, "as_of": rfc3339(at_s * 1000),
        "tier": tier, "decision": decision, "live": True, "holdout": False,
    }  # fmt: skip
    return msgspec.structs.replace(FIRED, **(told | more))


def stake(amount_minor: int, currency: str = "USD") -> ValueAtStake:
    return ValueAtStake(amount_minor, currency, "spent")


def play(name: str = "call", **more: Any) -> Play:
    """A play for everyone from watch on, once in ten days."""
    return Play(**({"name": name, "tier": "watch", "action": "call", "message": "m", "every_days": 10} | more))


def decided(alerts: Sequence[Alert], plays: Playbook, earlier_s: Mapping[str, int] | None = None) -> Decided:
    """One step's decisions."""
    return decide(candidates(alerts, plays), earlier_s or {}, plays, SOURCE)
