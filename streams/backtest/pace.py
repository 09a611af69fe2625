"""How fast event time runs in a replay."""

from __future__ import annotations

import time
from collections.abc import Callable

from streams.columns import DAY_MS

SHORTEST_SLEEP_S = 0.005


class Pace:
    """Event time against a wall clock that starts now.

    days_per_s   event days in one second, >= 0; 0 means no waiting at all
    from_ms      event time that is now
    clock, sleep   seconds; the host's monotonic ones unless a test gives its own
    """

    def __init__(
        self,
        days_per_s: float,
        from_ms: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ms_per_s = days_per_s * DAY_MS
        self._from_ms = from_ms
        self._clock, self._sleep = clock, sleep
        self._from_s = clock()

    def wait_for(self, time_ms: int) -> bool:
        """Sleep until event time `time_ms` is due. False where it was due already, so that no time was to spare."""
        if self._ms_per_s == 0:
            return False
        spare_s = self._from_s + (time_ms - self._from_ms) / self._ms_per_s - self._clock()
        if spare_s < SHORTEST_SLEEP_S:
            return False
        self._sleep(spare_s)
        return True
