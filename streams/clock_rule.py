"""Whether the wall clock may move a live partition's watermark, so that silence is noticed when nothing arrives at all.

Idle and stalled look alike: no events. Idle means that the customers are silent, and time must pass for them. Stalled
means that we do not hear them, and to let time pass would accuse everybody of leaving. In this order:

0. This host's clock and the broker's disagree (reference_clock.py):                  HOLD   clocks_apart
1. The broker has not answered for longer than `stalled_after_s`:                     HOLD   broker_unreachable
2. Events are left to read, and the lag has not shrunk for that long:                 HOLD   lag_not_shrinking
   events are left to read, and the lag shrinks (event time itself moves the clock):  WAIT   catching_up
3. Heartbeats are configured, and the last one is missing or too old:                 HOLD   heartbeat_missing
   configured and fresh, so the sources live, however little they send:               ADVANCE caught_up
4. Without heartbeats, inflow far below what this hour usually brings (inflow.py):
   for `hold_max_s` at most                                                           HOLD   low_inflow
   after that it is taken for the truth                                               ADVANCE low_inflow_released
5. Otherwise                                                                          ADVANCE caught_up

While the decision is HOLD, one ingestion alert stands in for the silence alerts that are held.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ClockAction(StrEnum):
    """ADVANCE: the wall clock moves the watermark. HOLD: it must not, and people should know. WAIT: not yet, all is well."""

    ADVANCE = "advance"
    HOLD = "hold"
    WAIT = "wait"


class ClockReason(StrEnum):
    """Why. The closed set of metric labels."""

    CAUGHT_UP = "caught_up"
    LOW_INFLOW_RELEASED = "low_inflow_released"
    CLOCKS_APART = "clocks_apart"
    BROKER_UNREACHABLE = "broker_unreachable"
    LAG_NOT_SHRINKING = "lag_not_shrinking"
    HEARTBEAT_MISSING = "heartbeat_missing"
    LOW_INFLOW = "low_inflow"
    CATCHING_UP = "catching_up"


@dataclass(frozen=True, slots=True)
class ClockRule:
    """Limits of patience.

    stalled_after_s   silence of the broker, or a lag that does not shrink, counts as a stall after so many seconds, > 0
    hold_max_s        low inflow holds the clock at most so many seconds, >= 0
    Raises ValueError outside the ranges.
    """

    stalled_after_s: float
    hold_max_s: float

    def __post_init__(self) -> None:
        if not self.stalled_after_s > 0:
            raise ValueError(f"time.stalled_after_s: {self.stalled_after_s:g}; give seconds above 0")
        if not self.hold_max_s >= 0:
            raise ValueError(f"time.hold_max_s: {self.hold_max_s:g}; give seconds, 0 or more")


@dataclass(frozen=True, slots=True)
class Observation:
    """What a worker sees of one partition. All times by the worker's clock (reference_clock.py), ms since 1970 UTC.

    now_ms                 now
    caught_up              every topic's position has reached its end
    lag                    records left to read, all topics together
    lag_shrunk_at_ms       when the lag last shrank or was 0
    last_fetch_ok_ms       when the broker last answered, with records or without
    last_heartbeat_ms      when the last heartbeat was appended or received (never its sender's clock); None for none yet
    heartbeat_timeout_s    a heartbeat older than this is missing; None where sources send none
    low_inflow_since_ms    since when inflow has been far below usual without a break; None where it is not
    clocks_apart           the host's clock and the broker's are further from each other than is allowed
    """

    now_ms: int
    caught_up: bool
    lag: int
    lag_shrunk_at_ms: int
    last_fetch_ok_ms: int
    last_heartbeat_ms: int | None = None
    heartbeat_timeout_s: float | None = None
    low_inflow_since_ms: int | None = None
    clocks_apart: bool = False

    def older_than(self, time_ms: int, limit_s: float) -> bool:
        """Whether `time_ms` lies more than `limit_s` seconds back. A time ahead (a clock set back) is not old."""
        return self.now_ms - time_ms > limit_s * 1000


@dataclass(frozen=True, slots=True)
class ClockDecision:
    """What the wall clock may do, and why."""

    action: ClockAction
    reason: ClockReason


def decide_clock(seen: Observation, rule: ClockRule) -> ClockDecision:
    """Whether the wall clock moves the watermark now; see the module for the order of the rules.

    >>> idle = Observation(now_ms=60_000, caught_up=True, lag=0, lag_shrunk_at_ms=60_000, last_fetch_ok_ms=59_000)
    >>> decide_clock(idle, ClockRule(stalled_after_s=30, hold_max_s=21_600)).reason
    <ClockReason.CAUGHT_UP: 'caught_up'>
    """
    if seen.clocks_apart:
        return ClockDecision(ClockAction.HOLD, ClockReason.CLOCKS_APART)
    if seen.older_than(seen.last_fetch_ok_ms, rule.stalled_after_s):
        return ClockDecision(ClockAction.HOLD, ClockReason.BROKER_UNREACHABLE)
    if not seen.caught_up or seen.lag > 0:
        if seen.older_than(seen.lag_shrunk_at_ms, rule.stalled_after_s):
            return ClockDecision(ClockAction.HOLD, ClockReason.LAG_NOT_SHRINKING)
        return ClockDecision(ClockAction.WAIT, ClockReason.CATCHING_UP)
    if seen.heartbeat_timeout_s is not None:
        if seen.last_heartbeat_ms is None or seen.older_than(seen.last_heartbeat_ms, seen.heartbeat_timeout_s):
            return ClockDecision(ClockAction.HOLD, ClockReason.HEARTBEAT_MISSING)
        return ClockDecision(ClockAction.ADVANCE, ClockReason.CAUGHT_UP)
    if seen.low_inflow_since_ms is None:
        return ClockDecision(ClockAction.ADVANCE, ClockReason.CAUGHT_UP)
    if seen.older_than(seen.low_inflow_since_ms, rule.hold_max_s):
        return ClockDecision(ClockAction.ADVANCE, ClockReason.LOW_INFLOW_RELEASED)
    return ClockDecision(ClockAction.HOLD, ClockReason.LOW_INFLOW)
