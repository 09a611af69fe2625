"""Is history being loaded into a partition, or is it live? What is recorded decides; the setting says how a new one begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streams.inflow import InflowProfile
from streams.runtime.commits import LiveState, unpack_state
from streams.runtime.live_clock import ClockMemory, LiveClock
from streams.runtime.settings import TimeSettings
from streams.runtime.store import Meta


class WrongMode(Exception):
    """The settings say live, and history is still being loaded. Says what to do."""


@dataclass(frozen=True, slots=True)
class Mode:
    """How a partition stands in time.

    live_after_ms   event time up to which decisions are about the past, ms since 1970; None = history is being loaded
    switched_ms     when `churnwatch go-live` was run, ms since 1970; None = never: history, or live from its beginning
    """

    live_after_ms: int | None = None
    switched_ms: int | None = None

    @property
    def history(self) -> bool:
        """Whether ticks, and they alone, move time."""
        return self.live_after_ms is None

    def switched(self, at_ms: int, watermark_ms: int, lateness_ms: int, now_ms: int) -> Mode:
        """The same once history has ended at this watermark by a `go-live` of `at_ms`, which is met `now_ms`.

        That is soon after, unless the state is rebuilt: then what was told live once is the past, as for any system that
        begins on a backlog.

        >>> Mode().switched(9_000, watermark_ms=3_000, lateness_ms=1_000, now_ms=9_002)
        Mode(live_after_ms=8002, switched_ms=9000)
        """
        return Mode(max(watermark_ms, max(at_ms, now_ms) - lateness_ms), at_ms)


def recorded(meta: Meta) -> LiveState | None:
    """What a commit has left; None for a partition that is new."""
    return None if meta.state is None else unpack_state(meta.state)


def mode_of(meta: Meta, rules: TimeSettings, now_ms: Callable[[], int]) -> Mode:
    """What is recorded; of a new partition what the setting says: live, what lies behind the allowed lateness is the past.

    now_ms   this host's clock, ms; not asked in history mode
    """
    stored = recorded(meta)
    if stored is not None:
        return Mode(stored.live_after_ms, stored.switched_ms)
    return Mode() if rules.clock == "history" else Mode(now_ms() - rules.lateness_s * 1000)


def check_mode(partition: int, meta: Meta, rules: TimeSettings) -> None:
    """Raise WrongMode where the settings would end history in the middle, without the switch."""
    stored = recorded(meta)
    if stored is not None and stored.live_after_ms is None and rules.clock == "wall":
        raise WrongMode(
            f"partition {partition}: time.clock is wall, but history was being loaded: run `churnwatch go-live` to end it, "
            "with workers that still have time.clock: history; it may stay so, what is live stays live"
        )


def clock_of(partition: int, meta: Meta, mode: Mode, rules: TimeSettings, now_ms: Callable[[], int]) -> LiveClock | None:
    """The wall clock as the former owner left it; None while history is being loaded."""
    if mode.history:
        return None
    stored = recorded(meta)
    profile = InflowProfile.from_bytes(stored.inflow) if stored and stored.inflow else InflowProfile.empty()
    return LiveClock(partition, rules, now_ms(), profile, stored.clock if stored else ClockMemory())
