"""R, F and M scores of 1-5 against a partition's base, streamed: no scan of the customers.

The sketch holds, of every customer in the base, the bins in which the latest evaluation found the last purchase day, the
purchases and the money of 365 days. A customer who is evaluated anew moves from bin to bin. Scores are read from tables
that are made when event time (the watermark) enters a new UTC day, from all evaluations of the days before, so they
depend neither on batches nor on the order within a day. A score is the fifth in which the bin's mid-rank lies: 5 is best
(latest, most often, most).

Resolution: days for R within the last 503 days (older ones share a bin); one for F up to 31, then quarter octaves;
quarter octaves (19 %) for M. Frequencies and money age between a customer's evaluations, which follow the customer's rhythm.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.segments import pack

RECENCY_BINS = 512
FREQUENCY_BINS = 64
MONETARY_BINS = 256
DAYS_AHEAD = 8
"""Last purchase days up to so far ahead have bins of their own: events run ahead of the watermark by the allowed lateness, 7 days
at most."""
NO_DAY = -1
_QUARTERS = np.exp2(np.array([-0.75, -0.5, -0.25]))

Ints = NDArray[np.int64]


def _quarter_octave(value: Ints) -> Ints:
    """floor(4 log2(value)) for value >= 1, by mantissa and exponent: the same on every machine."""
    mantissa, exponent = np.frexp(value.astype(np.float64))
    return 4 * (exponent.astype(np.int64) - 1) + np.searchsorted(_QUARTERS, mantissa, side="right")


def frequency_bin(purchases: Ints) -> NDArray[np.uint8]:
    """Bin 1-63 of a count of purchases >= 0.

    >>> frequency_bin(np.array([0, 1, 31, 32, 1000])).tolist()
    [1, 2, 32, 33, 52]
    """
    large = 13 + _quarter_octave(np.maximum(purchases, 32))
    return np.where(purchases < 32, purchases + 1, np.minimum(large, FREQUENCY_BINS - 1)).astype(np.uint8)


def monetary_bin(minor: Ints) -> NDArray[np.uint8]:
    """Bin 1-255 of an amount in minor units >= 0.

    >>> monetary_bin(np.array([0, 1, 2, 100])).tolist()
    [1, 2, 6, 28]
    """
    return np.where(minor < 1, 1, np.minimum(2 + _quarter_octave(np.maximum(minor, 1)), MONETARY_BINS - 1)).astype(np.uint8)


def _scores(counts: Ints) -> NDArray[np.uint8]:
    total = int(counts.sum())
    if total == 0:
        return np.full(len(counts), 3, np.uint8)
    middle = 2 * np.cumsum(counts) - counts  # twice the mid-rank
    scores: NDArray[np.uint8] = (1 + np.minimum(5 * middle // (2 * total), 4)).astype(np.uint8)
    return scores


@dataclass(slots=True)
class Quintiles:
    """The sketch of one partition: counts of customers per bin, and the score tables of the current day.

    day   UTC day number whose tables are in force; NO_DAY before the first evaluation
    """

    day: int = NO_DAY
    recency: Ints = field(default_factory=lambda: np.zeros(RECENCY_BINS, np.int64))
    frequency: Ints = field(default_factory=lambda: np.zeros(FREQUENCY_BINS, np.int64))
    monetary: Ints = field(default_factory=lambda: np.zeros(MONETARY_BINS, np.int64))
    recency_scores: NDArray[np.uint8] = field(default_factory=lambda: np.full(RECENCY_BINS, 3, np.uint8))
    frequency_scores: NDArray[np.uint8] = field(default_factory=lambda: np.full(FREQUENCY_BINS, 3, np.uint8))
    monetary_scores: NDArray[np.uint8] = field(default_factory=lambda: np.full(MONETARY_BINS, 3, np.uint8))

    def copy(self) -> Quintiles:
        """An independent copy."""
        return Quintiles(self.day, *(getattr(self, name).copy() for name in _ARRAYS))

    def recency_bin(self, last_day: Ints) -> Ints:
        """Bin of a last purchase day: later days have higher bins, 0 is for 503 days ago and earlier."""
        return np.clip(last_day - self.day + RECENCY_BINS - 1 - DAYS_AHEAD, 0, RECENCY_BINS - 1)

    def enter_day(self, day: int) -> None:
        """Make the score tables of `day` from the counts as they are; nothing happens when `day` is not later."""
        if day <= self.day:
            return
        if self.day != NO_DAY:
            shift = min(day - self.day, RECENCY_BINS - 1)
            aged = int(self.recency[: shift + 1].sum())
            self.recency[: RECENCY_BINS - shift] = self.recency[shift:].copy()
            self.recency[RECENCY_BINS - shift :] = 0
            self.recency[0] = aged
        self.day = day
        self.recency_scores = _scores(self.recency)
        self.frequency_scores = _scores(self.frequency)
        self.monetary_scores = _scores(self.monetary)

    def score(self, last_day: Ints, f_bin: NDArray[np.uint8], m_bin: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Packed R, F, M scores, one byte a row; 0 where `f_bin` is 0 (not in the base)."""
        packed = pack(
            self.recency_scores[self.recency_bin(last_day)].astype(np.int64),
            self.frequency_scores[f_bin].astype(np.int64),
            self.monetary_scores[m_bin].astype(np.int64),
        )
        return np.where(f_bin > 0, packed, 0).astype(np.uint8)

    def count(self, last_day: Ints, f_bin: NDArray[np.uint8], m_bin: NDArray[np.uint8], sign: int) -> None:
        """Add (sign = 1) or take away (-1) the rows' bins; rows whose `f_bin` is 0 do not count."""
        base = f_bin > 0
        if not base.all():
            last_day, f_bin, m_bin = last_day[base], f_bin[base], m_bin[base]
        self.recency += sign * np.bincount(self.recency_bin(last_day), minlength=RECENCY_BINS)
        self.frequency += sign * np.bincount(f_bin, minlength=FREQUENCY_BINS)
        self.monetary += sign * np.bincount(m_bin, minlength=MONETARY_BINS)

    def to_bytes(self) -> bytes:
        """Fixed-width bytes that `from_bytes` reads back."""
        counts = [getattr(self, name).astype("<u4").tobytes() for name in _ARRAYS[:3]]
        tables = [getattr(self, name).tobytes() for name in _ARRAYS[3:]]
        return self.day.to_bytes(4, "little", signed=True) + b"".join(counts + tables)

    @staticmethod
    def from_bytes(blob: bytes) -> Quintiles:
        """Inverse of `to_bytes`. Raises ValueError on another length."""
        sizes = (RECENCY_BINS, FREQUENCY_BINS, MONETARY_BINS)
        if len(blob) != 4 + 5 * sum(sizes):
            raise ValueError(
                f"quintile sketch of {len(blob)} bytes, expected {4 + 5 * sum(sizes)}: was it written by another release?"
            )
        arrays: list[NDArray[np.int64] | NDArray[np.uint8]] = []
        at = 4
        for size in sizes:
            arrays.append(np.frombuffer(blob, "<u4", size, at).astype(np.int64))
            at += 4 * size
        for size in sizes:
            arrays.append(np.frombuffer(blob, np.uint8, size, at).copy())
            at += size
        return Quintiles(int.from_bytes(blob[:4], "little", signed=True), *arrays)  # type: ignore[arg-type] # three counts, three tables


_ARRAYS = ("recency", "frequency", "monetary", "recency_scores", "frequency_scores", "monetary_scores")
