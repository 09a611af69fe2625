"""R, F and M scores by recounting every customer whenever a day begins: the oracle for streams/quintiles.py."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

DAY_MS = 86_400_000
OLDEST_DAYS, AHEAD_DAYS = 503, 8
BINS = (512, 64, 256)
"""How many bins of recency, frequency and money there are."""


def quarter_octave(value: int) -> int:
    """floor(4 log2(value)), exactly."""
    return (value**4).bit_length() - 1


def frequency_bin(purchases: int) -> int:
    return purchases + 1 if purchases <= 31 else min(33 + quarter_octave(purchases) - quarter_octave(32), 63)


def monetary_bin(minor: int) -> int:
    return 1 if minor == 0 else min(2 + quarter_octave(minor), 255)


def mid_rank_fifth(value: int, counts: Counter[int]) -> int:
    """1-5: the fifth in which the middle of those with this value stands; 3 where there is nobody to compare with."""
    total = counts.total()
    if total == 0:
        return 3
    twice_mid_rank = 2 * sum(n for other, n in counts.items() if other < value) + counts[value]
    return 1 + min(4, 5 * twice_mid_rank // (2 * total))


def segment(rfm: tuple[int, int, int] | None) -> str:
    """Name of the segment, cell by cell: R against the mean of F and M, rounded down."""
    if rfm is None:
        return "no-purchase"
    r, mean = rfm[0], (rfm[1] + rfm[2]) // 2
    if r <= 2:
        return {1: "hibernating", 2: "hibernating", 3: "at-risk", 4: "at-risk", 5: "cannot-lose"}[mean]
    if r == 3:
        return {1: "about-to-sleep", 2: "about-to-sleep", 3: "needs-attention", 4: "loyal", 5: "loyal"}[mean]
    if mean == 1:
        return {4: "promising", 5: "new"}[r]
    if mean <= 3:
        return "potential-loyalist"
    return {4: "loyal", 5: "champions"}[r]


@dataclass
class SketchTwin:
    """base: last purchase day, frequency bin and monetary bin of each customer with a purchase."""

    day: int = -1
    base: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    tables: tuple[Counter[int], Counter[int], Counter[int]] = field(default_factory=lambda: (Counter(), Counter(), Counter()))

    def recency_bin(self, last_day: int) -> int:
        return min(max(last_day - self.day, -OLDEST_DAYS), AHEAD_DAYS) + OLDEST_DAYS

    def counts(self) -> tuple[Counter[int], Counter[int], Counter[int]]:
        """Customers by bin of R, F and M, counted from scratch."""
        days, frequencies, monies = zip(*self.base.values(), strict=True) if self.base else ((), (), ())
        return Counter(self.recency_bin(day) for day in days), Counter(frequencies), Counter(monies)

    def evaluate(self, customer: str, place_ms: int, bins: tuple[int, int, int] | None) -> tuple[int, int, int] | None:
        """Scores at `place_ms` of a customer with these bins, who then stands there; None = no purchase."""
        day = place_ms // DAY_MS
        if day > self.day:
            self.day = day
            self.tables = self.counts()
        if bins is None:
            return None
        self.base[customer] = bins
        last_day, frequency, money = bins
        return self.scores(self.recency_bin(last_day), frequency, money)

    def scores(self, recency: int, frequency: int, money: int) -> tuple[int, int, int]:
        r, f, m = (mid_rank_fifth(b, table) for b, table in zip((recency, frequency, money), self.tables, strict=True))
        return r, f, m
