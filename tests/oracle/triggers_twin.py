"""The triggers told one alert at a time, from the whole list of alerts, remembering everything for ever."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.alert import Alert
from alerts.playbook import Play

DAY_S = 86_400
TIERS = ["none", "watch", "high", "critical"]
MINOR = {"USD": 100, "JPY": 1, "KWD": 1000}

Triggered = tuple[str, str, int]
"""(customer, play, event time, s)"""


def triggers(alerts: Sequence[tuple[int, Alert]], plays: Sequence[Play]) -> list[Triggered]:
    """What (event time in s, alert) pairs set off, in order."""
    sent: list[Triggered] = []
    for at_s, alert in alerts:
        if alert.decision not in ("fired", "escalated") or alert.holdout or not alert.live:
            continue
        for play in plays:
            if _suits(alert, play):
                if all(
                    at_s >= then_s + play.every_days * DAY_S
                    for who, what, then_s in sent
                    if (who, what) == (alert.customer_id, play.name)
                ):
                    sent.append((alert.customer_id, play.name, at_s))
                break
    return sent


def _suits(alert: Alert, play: Play) -> bool:
    if TIERS.index(alert.tier) < TIERS.index(play.tier):
        return False
    if alert.value_at_stake.amount_minor / MINOR[alert.value_at_stake.currency] < play.least_value:
        return False
    if play.segments and alert.segment not in play.segments:
        return False
    return not play.causes or alert.cause in play.causes
