"""What retention does about whom: plays in order, of which the first that matches an alert is the customer's.

An alert matches a play when its tier and its value at stake are at least the play's, and its segment and probable cause
are among the play's, where it names any. So the strict plays come first and the general ones last. The first match is
also the only one: if that play was triggered too recently, no later play takes its place, because a customer who was
called last week must not be sent the leaflet that is meant for others.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from alerts.alert import Alert
from alerts.render import MINOR_DIGITS
from detectors.actions import TIERS, Tier


class Play(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that retention does.

    name          unique in its playbook; letters, digits and hyphens, so never a NUL
    tier          the least tier
    least_value   least value at stake, whole units of the base currency, >= 0
    segments      RFM segments; empty: any
    causes        probable causes; empty: any
    action        what is to be done
    message       key of the message, which the retention tool knows
    every_days    at most once per customer in so many days of event time, >= 1
    """

    name: str
    tier: Tier
    least_value: int = 0
    segments: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    action: str
    message: str
    every_days: int

    def matches(self, alert: Alert) -> bool:
        """Whether it is meant for the customer of this alert."""
        stake = alert.value_at_stake
        return (
            TIERS.index(alert.tier) >= TIERS.index(self.tier)
            and stake.amount_minor >= self.least_value * 10 ** MINOR_DIGITS.get(stake.currency, 2)
            and (not self.segments or alert.segment in self.segments)
            and (not self.causes or alert.cause in self.causes)
        )

    def covers(self, other: Play) -> bool:
        """Whether it matches whatever `other` matches, so that `other` below it would never be reached."""
        return (
            TIERS.index(self.tier) <= TIERS.index(other.tier)
            and self.least_value <= other.least_value
            and _covers(self.segments, other.segments)
            and _covers(self.causes, other.causes)
        )


class Playbook(msgspec.Struct, frozen=True):
    """Plays in the order in which they are tried."""

    plays: tuple[Play, ...]

    def play_for(self, alert: Alert) -> Play | None:
        """The first play that matches, or None."""
        return next((play for play in self.plays if play.matches(alert)), None)

    @property
    def longest_days(self) -> int:
        """The longest `every_days`, 0 without plays: what was triggered before that decides nothing any more."""
        return max((play.every_days for play in self.plays), default=0)

    @property
    def hash(self) -> str:
        """12 hex digits of what it says; how the file is laid out does not count."""
        return hashlib.sha256(msgspec.json.encode(self.plays)).hexdigest()[:12]


def unreachable(plays: list[Play]) -> list[tuple[int, int]]:
    """(place of a play that never comes to its turn, place of the first play above that takes all of its customers).

    >>> low, high = (Play(name=tier, tier=tier, action="a", message="m", every_days=1) for tier in ("watch", "high"))
    >>> unreachable([low, high]), unreachable([high, low])
    ([(1, 0)], [])
    """
    covering: list[tuple[int, Any]] = [
        (k, next((j for j, above in enumerate(plays[:k]) if above.covers(play)), None)) for k, play in enumerate(plays)
    ]
    return [(k, j) for k, j in covering if j is not None]


def _covers(mine: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return not mine or (bool(others) and set(others) <= set(mine))
