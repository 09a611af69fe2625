"""Wait for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
DEADLINE_S = 240.0
"""Of a wait that says nothing about speed: long enough for a machine that is slow and has much else to do."""
LEAST_PAUSE_S, MOST_PAUSE_S = 0.02, 0.25
"""Between two looks. To look twenty times a second costs a worker and the test half a core, which all others then lack."""


class Wait:
    """Pauses between looks that grow with the time waited, so that it ends at most a tenth later than it could.

    over   whether the deadline has passed
    """

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self._begun_s, self._deadline_s = time.monotonic(), deadline_s

    @property
    def over(self) -> bool:
        return time.monotonic() - self._begun_s > self._deadline_s

    def pause(self) -> None:
        """Until the next look."""
        waited_s = time.monotonic() - self._begun_s
        time.sleep(min(MOST_PAUSE_S, max(LEAST_PAUSE_S, waited_s / 10)))


def eventually(look: Callable[[], T], holds: Callable[[T], bool] = bool, deadline_s: float = DEADLINE_S) -> T:
    """What `look()` returns once `holds` is true of it. Raises AssertionError with the last value after `deadline_s`."""
    wait = Wait(deadline_s)
    while not holds(value := look()):
        if wait.over:
            raise AssertionError(f"still {value!r} after {deadline_s:g} s")
        wait.pause()
    return value


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Return when condition() holds; AssertionError naming `what` after the deadline."""
    wait = Wait(deadline_s)
    while not condition():
        if wait.over:
            raise AssertionError(f"not within {deadline_s:g} s: {what}")
        wait.pause()
