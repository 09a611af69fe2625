"""The watermark: the event time up to which a partition is taken to be complete.

value = max( time - lateness over all events merged, T over all ticks ); it never falls. A late event counts in its own
buckets and moves nothing back. See clock_rule.py for when the wall clock may move it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.columns import TICK

START_MS = 0
"""The watermark before anything was merged. Valid events are of 1980 or later, so every one of them moves it."""


def running(
    before_ms: int, kind: NDArray[np.uint8], time_ms: NDArray[np.int64], lateness_ms: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The watermark just before and just after each row, ms.

    before_ms     its value before the first row (START_MS in the beginning)
    kind          kind of each row, in merged order
    time_ms       time of each row, ms since 1970 UTC
    lateness_ms   how late an event may come, >= 0; a tick is never late, since it says that all up to it has been written
    Raises ValueError for a negative lateness.

    >>> before, after = running(0, np.array([0, 0, 9], np.uint8), np.array([900, 700, 850]), 100)
    >>> before.tolist(), after.tolist()
    ([0, 800, 800], [800, 800, 850])
    """
    if lateness_ms < 0:
        raise ValueError(f"time.lateness_s: {lateness_ms / 1000:g} is negative; give seconds, 0 or more")
    complete = np.where(kind == TICK, time_ms, time_ms - lateness_ms)
    values = np.maximum.accumulate(np.concatenate(([before_ms], complete)).astype(np.int64))
    return values[:-1], values[1:]


def by_wall_clock(before_ms: int, now_ms: int, lateness_ms: int) -> int:
    """The watermark of a caught-up, idle, live stream: as if an event had happened at `now_ms`. It never falls.

    Call it only where clock_rule.decide_clock says ADVANCE.

    >>> by_wall_clock(500, now_ms=1_000, lateness_ms=100), by_wall_clock(950, now_ms=1_000, lateness_ms=100)
    (900, 950)
    """
    return max(before_ms, now_ms - lateness_ms)
