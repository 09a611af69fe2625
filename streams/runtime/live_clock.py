"""A live partition's clock: what the worker observes, the rule applied to it, and the one ingestion alert while it holds.

The watermark follows the wall clock only up to the moment at which the broker was asked for its end offsets (a probe),
and only once everything below those ends has been folded: what was appended before that moment cannot be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alerts.alert import IngestionAlert, build_ingestion_alert
from streams.clock_rule import ClockAction, ClockDecision, ClockReason, ClockRule, Observation, decide_clock
from streams.inflow import HOUR_MS, InflowProfile, far_below
from streams.runtime.settings import TimeSettings

TEXTS = {
    ClockReason.BROKER_UNREACHABLE: "the broker does not answer",
    ClockReason.LAG_NOT_SHRINKING: "events are waiting and the lag does not shrink",
    ClockReason.HEARTBEAT_MISSING: "the sources' heartbeat on churn.clock is missing",
    ClockReason.LOW_INFLOW: "far fewer events arrive than this hour usually brings",
}


@dataclass(frozen=True, slots=True)
class Probe:
    """The broker's answer to "what are the end offsets?".

    asked_ms    when it was asked, ms since 1970
    ends        topic rank -> end offset of the partition
    """

    asked_ms: int
    ends: Mapping[int, int]


@dataclass(slots=True)
class LiveClock:
    """One partition's clock.

    rules            settings of time
    started_ms       when the partition was taken
    profile          usual inflow, from the store
    """

    partition: int
    rules: TimeSettings
    started_ms: int
    profile: InflowProfile
    last_heartbeat_ms: int | None = None
    _answered_ms: int = field(init=False)
    _lag: int = 0
    _lag_shrunk_ms: int = field(init=False)
    _hour: int = field(init=False)
    _in_hour: int = 0
    _hour_whole: bool = False
    _low_since_ms: int | None = None
    _held: ClockReason | None = None
    _episode: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self._answered_ms = self._lag_shrunk_ms = self.started_ms
        self._hour = self.started_ms // HOUR_MS

    def arrived(self, events: int, now_ms: int) -> None:
        """So many events were received now."""
        self._enter_hour(now_ms)
        self._in_hour += events

    def observe(self, probe: Probe | None, lag: int, caught_up: bool, now_ms: int) -> ClockDecision:
        """Apply the rule to what is seen now; `lag` is in records."""
        self._enter_hour(now_ms)
        if probe is not None:
            self._answered_ms = max(self._answered_ms, probe.asked_ms)
        if lag == 0 or lag < self._lag:
            self._lag_shrunk_ms = now_ms
        self._lag = lag
        self._judge_inflow(now_ms)
        seen = Observation(
            now_ms=now_ms,
            caught_up=caught_up,
            lag=lag,
            lag_shrunk_at_ms=self._lag_shrunk_ms,
            last_fetch_ok_ms=self._answered_ms,
            last_heartbeat_ms=self.last_heartbeat_ms,
            heartbeat_timeout_s=self.rules.heartbeat_timeout_s,
            low_inflow_since_ms=self._low_since_ms,
        )
        decision = decide_clock(seen, ClockRule(self.rules.stalled_after_s, self.rules.hold_max_s))
        self._held = decision.reason if decision.action is ClockAction.HOLD else None
        return decision

    @property
    def holding(self) -> bool:
        """Whether silence proves nothing now, so that looks of silent customers must wait."""
        return self._held is not None

    def ingestion_alerts(self, now_ms: int) -> list[IngestionAlert]:
        """The message that data are missing, when that has just begun, or that they arrive again, when it has just ended."""
        if self._held is not None and self._episode is None:
            self._episode = (now_ms, 1)
            text = f"partition {self.partition}: {TEXTS[self._held]}; silence alerts are held"
            return [self._alert(self._held, now_ms, resolved=False, text=text)]
        if self._held is None and self._episode is not None:
            self._episode = (self._episode[0], 2)
            alert = self._alert(
                ClockReason.CAUGHT_UP, now_ms, resolved=True, text=f"partition {self.partition}: the clock runs again"
            )
            self._episode = None
            return [alert]
        return []

    def _alert(self, reason: ClockReason, now_ms: int, *, resolved: bool, text: str) -> IngestionAlert:
        since_ms, transition = self._episode or (now_ms, 1)
        return build_ingestion_alert(
            self.partition, reason.value, resolved=resolved, transition=transition, since_ms=since_ms, as_of_ms=now_ms, text=text
        )

    def _enter_hour(self, now_ms: int) -> None:
        hour = now_ms // HOUR_MS
        if hour == self._hour:
            return
        # an hour seen in part, or in which the clock held, must not become what is usual
        if self._hour_whole and self._held is None and self._low_since_ms is None:
            self.profile = self.profile.fed(self._hour, self._in_hour)
        self._hour_whole = hour == self._hour + 1
        self._hour, self._in_hour = hour, 0

    def _judge_inflow(self, now_ms: int) -> None:
        """Judge the hour so far once half of it is over; what the hour before showed stands until then."""
        into_hour_s = (now_ms % HOUR_MS) / 1000
        if into_hour_s < HOUR_MS / 2000 or not self._hour_whole:
            return
        expected = self.profile.expected(now_ms, into_hour_s)
        low = far_below(self._in_hour, expected, self.rules.low_inflow_share, self.rules.low_inflow_min_expected)
        self._low_since_ms = (self._low_since_ms or now_ms) if low else None
