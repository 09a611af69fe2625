"""Axes: where a value stands in the picture, and which values are written beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from streams.backtest.report_parts.words import day, month

Ticks = tuple[tuple[float, str], ...]
"""(value, what is written there), ascending."""


@dataclass(frozen=True, slots=True)
class Axis:
    """label   what is measured, with its unit
    low, high   its ends, low < high
    ticks       see Ticks
    """

    label: str
    low: float
    high: float
    ticks: Ticks

    def place(self, value: float, start: float, end: float) -> float:
        """Where `value` stands between `start` (of `low`) and `end` (of `high`)."""
        return start + (value - self.low) / (self.high - self.low) * (end - start)


def number_axis(label: str, values: Iterable[float], *, most: int = 5, zero: bool = False) -> Axis:
    """An axis over `values` that begins and ends at round numbers.

    most   steps between its ends, about
    zero   begin at 0 (or end there), as bars must
    """
    found = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(found), max(found)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high == low:
        high = low + (abs(low) or 1.0) / 2
    step = round_step((high - low) / most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    ticks = tuple((number * step, f"{number * step:,.{decimals}f}".replace("-", "−")) for number in range(first, last + 1))
    return Axis(label, ticks[0][0], ticks[-1][0], ticks)


def share_axis(label: str, *, high: float = 1.0) -> Axis:
    """An axis from 0 to `high` in per cent."""
    step = 0.2 if high > 0.5 else 0.1
    steps = math.ceil(high / step - 1e-9)
    return Axis(label, 0.0, steps * step, tuple((number * step, f"{number * step:.0%}") for number in range(steps + 1)))


def time_axis(label: str, ordinal_days: Sequence[int], *, most: int = 5) -> Axis:
    """An axis over days (`date.toordinal`), the first of some months written beside it; the ends, where it is too short."""
    low, high = min(ordinal_days), max(ordinal_days)
    high = max(high, low + 1)
    firsts = [date.fromordinal(d) for d in range(low, high + 1) if date.fromordinal(d).day == 1]
    every = next(n for n in (1, 2, 3, 6, 12, 24, 60, 120, 10_000) if len(firsts) <= n * most)
    chosen = [first for first in firsts if (first.year * 12 + first.month - 1) % every == 0]
    ticks = tuple((float(first.toordinal()), month(first)) for first in chosen)
    if len(ticks) < 2:
        ticks = tuple((float(end), day(date.fromordinal(end).isoformat())) for end in (low, high))
    return Axis(label, low, high, ticks)


def round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least `least` > 0.

    >>> [round_step(x) for x in (0.03, 0.2, 7)]
    [0.05, 0.2, 10.0]
    """
    power = math.floor(math.log10(least))
    for digit, shift in ((1, 0), (2, 0), (5, 0), (1, 1)):
        exponent = power + shift
        step = digit * 10.0**exponent if exponent >= 0 else digit / 10.0**-exponent
        if step >= least * (1 - 1e-9):
            return step
    raise AssertionError("ten times the power of ten below is above")
