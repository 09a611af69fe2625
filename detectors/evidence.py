"""What speaks for and against the champion: its log loss and the baselines' over the last days' labels of customers who are
watched, in whole sums.

The window is one of days and not of labels, since labels of one day share that day's weather: the busiest shop and the
smallest are judged over the same seasons. Each day is one row of whole numbers, so memory is bounded by the days, nothing
is lost to rounding, and neither cuts nor order matter. A restart (after drift) lets go of what no longer counts.
"""

from __future__ import annotations

from typing import Final

import msgspec

from detectors.measures import NANO

BASELINES: Final = ("closed_form", "idle")


class Day(msgspec.Struct, gc=False):
    """The labels of one day. Losses are sums, in whole 1e-9 nats."""

    day: int
    labels: int = 0
    left: int = 0
    champion: int = 0
    closed_form: int = 0
    idle: int = 0


class Evidence(msgspec.Struct):
    """window_days   how many days count
    days          those with labels, in order
    since_day     first day that was counted since the last restart, days since 1970; None before any label
    """

    window_days: int
    days: list[Day] = []
    since_day: int | None = None
    total: Day = msgspec.field(default_factory=lambda: Day(0))

    @property
    def stayed(self) -> int:
        """Labels of customers who stayed."""
        return self.total.labels - self.total.left

    @property
    def fewest(self) -> int:
        """Labels of the rarer outcome."""
        return min(self.total.left, self.stayed)

    def add(self, day: int, left: int, champion_nano: int, closed_form_nano: int, idle_nano: int) -> None:
        """Count one label that was known on `day` (days since 1970).

        Live, partitions come as they come: one that was known on an earlier day than the last counts on the last one's.
        """
        self.age(day)
        if not self.days or self.days[-1].day < day:
            self.days.append(Day(day))
        if self.since_day is None:
            self.since_day = day
        for row in (self.days[-1], self.total):
            row.labels += 1
            row.left += left
            row.champion += champion_nano
            row.closed_form += closed_form_nano
            row.idle += idle_nano

    def age(self, day: int) -> None:
        """Let go of the days that lie `window_days` or more before `day`."""
        while self.days and self.days[0].day <= day - self.window_days:
            gone = self.days.pop(0)
            for name in _SUMS:
                setattr(self.total, name, getattr(self.total, name) - getattr(gone, name))

    def restart(self) -> None:
        """Nothing that was counted so far speaks any more."""
        self.days, self.since_day, self.total = [], None, Day(0)

    def spanned(self, day: int) -> int:
        """Days from the first label since the last restart to `day`, however many are kept; 0 before any label."""
        return 0 if self.since_day is None else day - self.since_day

    def mean(self, name: str) -> float:
        """Mean log loss of "champion" or of a baseline, nats; NaN without labels."""
        labels = self.total.labels
        total: int = getattr(self.total, name)
        return total / (NANO * labels) if labels else float("nan")


_SUMS = ("labels", "left", "champion", "closed_form", "idle")
