"""The time that a worker goes by: the brokers', as told by the stamps of its own messages to `churn.journal`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from streams.reference_clock import ReferenceClock, Stamp


def host_ms() -> int:
    """This host's wall clock, ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> float:
    """A clock that nobody can set, ms since whenever."""
    return time.monotonic() * 1000


class Reading(NamedTuple):
    """Both clocks at one moment."""

    monotonic_ms: float
    host_ms: int


class BrokerClock:
    """See streams/reference_clock.py for the rule.

    A broker that leaves the stamps to producers, as the embedded one does, says nothing about the time: then the host's clock
    counts as it is.

    apart_ms   how far the host's clock and the broker's may be from each other
    """

    def __init__(self, apart_ms: float, host: Callable[[], int] = host_ms, monotonic: Callable[[], float] = monotonic_ms) -> None:
        self._apart_ms, self._host, self._monotonic = apart_ms, host, monotonic
        self._reference = ReferenceClock()
        self._unstamped = False

    def reading(self) -> Reading:
        """Take it before a message is sent."""
        return Reading(self._monotonic(), self._host())

    def acknowledged(self, sent: Reading, stamp_ms: int | None) -> None:
        """A message sent after that reading stands on the journal. stamp_ms: the broker's stamp; None: it makes none."""
        self._unstamped = stamp_ms is None
        if stamp_ms is None:
            self._reference = ReferenceClock()
            return
        now = self.reading()
        stamp = Stamp(stamp_ms, sent.monotonic_ms, now.monotonic_ms, sent.host_ms, now.host_ms)
        self._reference = self._reference.told(stamp, self._apart_ms)

    def now_ms(self) -> int:
        """The time, ms since 1970; for messages also before it can be trusted."""
        if self._unstamped or self._reference.offset_ms is None:
            return self._host()
        return self._reference.now_ms(self._monotonic())

    def trusted_ms(self) -> int | None:
        """The time where it may move watermarks; None before the first acknowledgement, and while the clocks are apart."""
        return self.now_ms() if self._unstamped or self._reference.trusted else None

    def known(self) -> bool:
        """Whether anything was acknowledged yet."""
        return self._unstamped or self._reference.offset_ms is not None

    def ahead_s(self) -> float:
        """How far the host's clock is ahead of the broker's, s (negative: behind), where that is too far; else 0."""
        return 0.0 if self._unstamped else self._reference.ahead_ms / 1000
