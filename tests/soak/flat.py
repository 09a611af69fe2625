"""Whether a series of measurements stays where it is: the rule by which a soak is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import theilslopes  # type: ignore[import-untyped] # scipy ships no types

WARM_UP = 1 / 3
"""Share of the time that is not judged: caches fill, allocators take what they will keep."""


@dataclass(frozen=True)
class Trend:
    """level: median after the warm-up. grown: in the same unit, the larger of what the slope adds from there to the end, by Theil
    and Sen, and of the step from the first tenth of that time to the last, by their medians."""

    level: float
    grown: float

    def flat(self, share: float, least: float) -> bool:
        """Whether it grew by no more than this share of its level, or by no more than `least`."""
        return self.grown <= max(share * self.level, least)


def trend(times_s: Sequence[float], values: Sequence[float]) -> Trend:
    """Of a series after its warm-up; the slope is the median of the slopes of all pairs, which outliers do not move.

    Raises ValueError for fewer than ten measurements after the warm-up.

    >>> trend(range(30), [5.0] * 30)
    Trend(level=5.0, grown=0.0)
    >>> trend(range(30), range(30)).grown
    19.0
    """
    times, found = np.asarray(times_s, float), np.asarray(values, float)
    judged = times >= times[0] + WARM_UP * (times[-1] - times[0])
    times, found = times[judged], found[judged]
    if len(times) < 10:
        raise ValueError(f"{len(times)} measurements after the warm-up: measure for longer")
    every = max(1, len(times) // 500)  # pairs grow with the square
    slope = float(theilslopes(found[::every], times[::every])[0])
    tenth = max(1, len(found) // 10)
    step = float(np.median(found[-tenth:]) - np.median(found[:tenth]))  # a jump near the end moves no median of slopes
    return Trend(float(np.median(found)), max(slope * float(times[-1] - times[0]), step))


def comes_down(values: Sequence[float], most: float, parts: int = 10) -> bool:
    """Whether a series is at or below `most` at some time of each tenth of it after the warm-up: a backlog that is worked off."""
    found = np.asarray(values, float)[int(len(values) * WARM_UP) :]
    return all(part.min() <= most for part in np.array_split(found, parts) if len(part))
