"""At most so many messages a channel and minute, so that people go on reading them.

A minute begins with the first message told in it and lasts 60 s; the next one begins with the first message after that.
What is over becomes one digest (alerts/digest.py), which leaves when the minute ends.
"""

from __future__ import annotations

MINUTE_MS = 60_000


class Budget:
    """One channel's messages in the minute that runs.

    per_minute   most messages in one minute, >= 1
    Times are ms since any epoch and never fall; a time before the minute began counts as within it.

    >>> budget = Budget(1)
    >>> budget.spend(5_000); budget.has_room(64_999), budget.has_room(65_000)
    (False, True)
    """

    def __init__(self, per_minute: int) -> None:
        if per_minute < 1:
            raise ValueError(f"per_minute is {per_minute}: must be at least 1")
        self._per_minute = per_minute
        self._ends_ms: int | None = None  # None: no minute runs
        self._spent = 0

    def has_room(self, now_ms: int) -> bool:
        """Whether one more message may be told now."""
        self._pass(now_ms)
        return self._spent < self._per_minute

    def spend(self, now_ms: int) -> None:
        """One message was told."""
        self.minute_end_ms(now_ms)
        self._spent += 1

    def minute_end_ms(self, now_ms: int) -> int:
        """When the minute that runs ends; one begins if none does."""
        self._pass(now_ms)
        if self._ends_ms is None:
            self._ends_ms = now_ms + MINUTE_MS
        return self._ends_ms

    def _pass(self, now_ms: int) -> None:
        if self._ends_ms is not None and now_ms >= self._ends_ms:
            self._ends_ms, self._spent = None, 0
