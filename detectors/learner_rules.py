"""What a learner is told once, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from detectors.champion import GateRules

EVENTS_KEPT: Final = 200
Staying = Literal["purchases", "logins"]
"""By what it is told who stays."""
Told = Literal["logins"] | msgspec.UnsetType
"""The same in messages and states, where purchases are left out: those of earlier builds do not say it."""
LATEST_DAYS: Final = 8
"""A label comes at most so many days after its horizon: lateness of 7 days, and the tick."""


def as_told(staying: Staying) -> Told:
    """As it stands in a message or a state."""
    return "logins" if staying == "logins" else msgspec.UNSET


def staying_of(found: Told) -> Staying:
    """Inverse of `as_told`."""
    return "purchases" if isinstance(found, msgspec.UnsetType) else found


@dataclass(frozen=True, slots=True)
class LearnerRules:
    """horizon_days   H, days, whole
    grid_days      days between two snapshots of a customer
    gate           when the champion serves
    window_days    the evidence: log loss over so many days of labels
    window         labels in the rolling measures
    shift_customers   the shift is that of the newest so many customers, of `grid_days` at most
    drift_delta    ADWIN's: chance of a false alarm at each look
    staying        what the labels are about
    """

    horizon_days: int
    grid_days: int
    gate: GateRules = field(default_factory=GateRules)
    window_days: int = 90
    window: int = 10_000
    drift_delta: float = 0.002
    shift_customers: int = 500
    staying: Staying = "purchases"

    @property
    def shifts(self) -> bool:
        """Whether the champion's mean risk is put onto the closed form's, which is about purchases."""
        return self.staying == "purchases"


class Event(msgspec.Struct, frozen=True):
    """Something that the learner did about itself.

    at_ms   event time, ms since 1970 UTC
    what    "serving", "demoted", "recovered", "drift", "frozen", "rolled_back", "released"
    why     in words, with the numbers
    """

    at_ms: int
    what: str
    why: str


def new_events(before: Sequence[Event], after: Sequence[Event]) -> list[Event]:
    """Those at the end of `after` that are not in `before`, of which the oldest may have been let go meanwhile.

    >>> a, b, c = (Event(at, "drift", "") for at in (1, 2, 2))
    >>> new_events([a, b], [b, c]) == [c], new_events([], [a]) == [a], new_events([a], [a])
    (True, True, [])
    """
    for kept in range(min(len(before), len(after)), 0, -1):
        if list(before[-kept:]) == list(after[:kept]):
            return list(after[kept:])
    return list(after)
