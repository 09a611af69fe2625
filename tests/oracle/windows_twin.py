"""Rolling windows in plain words: totals by bucket, none ever forgotten, the last eight counted. Oracle for windows.py."""

from __future__ import annotations

from dataclasses import dataclass, field

BUCKETS = 8
DAY_S = 86_400
HALF_DAY_S = 43_200


@dataclass
class RingTwin:
    """One window of `days`; a bucket is an eighth of it and stops at `largest`."""

    days: int
    largest: int
    totals: dict[int, int] = field(default_factory=dict)

    def bucket(self, time_s: int) -> int:
        return time_s // (self.days * DAY_S // BUCKETS)

    def add(self, time_s: int, newest_s: int, amount: int) -> None:
        """`newest_s` is the customer's newest event, this one included."""
        bucket = self.bucket(time_s)
        if bucket <= self.bucket(newest_s) - BUCKETS:
            return
        self.totals[bucket] = min(self.totals.get(bucket, 0) + amount, self.largest)

    def sum_at(self, as_of_s: int) -> int:
        last = self.bucket(as_of_s)
        return sum(self.totals.get(bucket, 0) for bucket in range(last - BUCKETS + 1, last + 1))

    def stored(self, newest_s: int) -> list[int]:
        """As the record holds it: the bucket numbered b stands in place b mod 8."""
        places = [0] * BUCKETS
        last = self.bucket(newest_s)
        for bucket in range(last - BUCKETS + 1, last + 1):
            places[bucket % BUCKETS] = self.totals.get(bucket, 0)
        return places


@dataclass
class ComplaintsTwin:
    """The newest 16 complaints by arrival, (half day, severity), newest first."""

    kept: list[tuple[int, int]] = field(default_factory=list)

    def add(self, time_s: int, severity: int) -> None:
        self.kept = [(time_s // HALF_DAY_S, severity), *self.kept][:16]

    def sums(self, days: int, as_of_s: int) -> tuple[int, int]:
        """(complaints, their severities) of the last `days`."""
        inside = [severity for half_day, severity in self.kept if 0 <= as_of_s // HALF_DAY_S - half_day < 2 * days]
        return len(inside), sum(inside)
