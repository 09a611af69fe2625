"""Wait for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
DEADLINE_S = 240.0
"""Of a wait that says nothing about speed: long enough for a machine that is slow and has much else to do."""


def eventually(look: Callable[[], T], holds: Callable[[T], bool] = bool, deadline_s: float = DEADLINE_S) -> T:
    """What `look()` returns once `holds` is true of it. Raises AssertionError with the last value after `deadline_s`."""
    end_s = time.monotonic() + deadline_s
    while True:
        value = look()
        if holds(value):
            return value
        if time.monotonic() > end_s:
            raise AssertionError(f"still {value!r} after {deadline_s:g} s")
        time.sleep(0.02)


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Return when condition() holds; AssertionError naming `what` after the deadline."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end_s:
            raise AssertionError(f"not within {deadline_s:g} s: {what}")
        time.sleep(0.01)
