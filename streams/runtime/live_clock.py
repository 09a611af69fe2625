"""A live partition's clock: what the worker observes, the rule applied to it, and the one ingestion alert while it holds.

The watermark follows the wall clock only up to the moment at which the broker was asked for its end offsets (a probe), and
only once everything below those ends has been folded: what was appended before that moment cannot be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from alerts.alert import IngestionAlert, build_ingestion_alert
from streams.clock_rule import ClockAction, ClockDecision, ClockReason, ClockRule, Observation, decide_clock
from streams.inflow import HOUR_MS, TOPICS, InflowProfile, far_below
from streams.runtime.settings import TimeSettings

HELD_TEXTS = {
    ClockReason.CLOCKS_APART: "the worker's clock is {ahead} the broker's; set whichever is wrong; silence alerts are held",
    ClockReason.BROKER_UNREACHABLE: "the broker does not answer; silence alerts are held",
    ClockReason.LAG_NOT_SHRINKING: "events are waiting and the lag does not shrink; silence alerts are held",
    ClockReason.HEARTBEAT_MISSING: "the sources' heartbeat on churn.clock is missing; silence alerts are held",
    ClockReason.LOW_INFLOW: "far fewer {topics} arrive than this hour usually brings; silence alerts are held",
}
RESOLVED_TEXTS = {
    ClockReason.CAUGHT_UP: "all is read and the clock runs again",
    ClockReason.CATCHING_UP: "events are read again",
    ClockReason.LOW_INFLOW_RELEASED: "few {topics} still arrive; after time.hold_max_s that counts as true, and alerts go out",
}
_OF_THE_SOURCES = {ClockReason.HEARTBEAT_MISSING, ClockReason.LOW_INFLOW}


@dataclass(frozen=True, slots=True)
class Probe:
    """The broker's answer to "what are the end offsets?".

    asked_ms    when it was asked, ms since 1970
    ends        topic rank -> end offset of the partition
    """

    asked_ms: int
    ends: Mapping[int, int]


class ClockMemory(msgspec.Struct, frozen=True):
    """What the next owner of a partition must know of its clock.

    heartbeat_ms    when the last heartbeat was appended, ms since 1970; 0 = none yet
    held_since_ms   when the ingestion alert that stands was raised, ms since 1970; 0 = none does
    held_reason     why the clock was held last, while one stands
    low_since_ms    topic -> since when its inflow has been far below usual, ms since 1970; the others' is not
    """

    heartbeat_ms: int = 0
    held_since_ms: int = 0
    held_reason: str = ""
    low_since_ms: dict[str, int] = {}


@dataclass(slots=True)
class LiveClock:
    """One partition's clock. All times are the worker's (see broker_clock.py), ms since 1970 UTC, and arguments.

    rules            settings of time
    started_ms       when the partition was taken
    profile          usual inflow of each topic, from the store
    remembered       what the former owner's clock left in the store
    """

    partition: int
    rules: TimeSettings
    started_ms: int
    profile: InflowProfile
    remembered: ClockMemory = field(default_factory=ClockMemory)
    last_heartbeat_ms: int | None = field(init=False)
    _answered_ms: int = field(init=False)
    _seen_ms: int = field(init=False)
    _awake_ms: int = field(init=False)
    _caught_up_ms: int = field(init=False)
    _lag: int = 0
    _ahead_s: float = 0.0
    _lag_shrunk_ms: int = field(init=False)
    _hour: int = field(init=False)
    _in_hour: dict[str, int] = field(init=False)
    _hour_whole: bool = False
    _hour_usual: bool = True
    _low_since_ms: dict[str, int] = field(init=False)
    _held: ClockReason | None = field(init=False)
    _sources: ClockReason | None = field(init=False)
    _ended_by: ClockReason = ClockReason.CATCHING_UP
    _told_ms: int | None = field(init=False)

    def __post_init__(self) -> None:
        self._answered_ms = self._seen_ms = self._awake_ms = self._caught_up_ms = self._lag_shrunk_ms = self.started_ms
        self._hour, self._in_hour = self.started_ms // HOUR_MS, dict.fromkeys(TOPICS, 0)
        memory = self.remembered
        self.last_heartbeat_ms = memory.heartbeat_ms or None
        self._told_ms = memory.held_since_ms or None
        self._held = next((reason for reason in HELD_TEXTS if self._told_ms and reason == memory.held_reason), None)
        self._sources = self._held if self._held in _OF_THE_SOURCES else None
        self._low_since_ms = {topic: memory.low_since_ms[topic] for topic in TOPICS if topic in memory.low_since_ms}

    @property
    def memory(self) -> ClockMemory:
        """What to keep with the partition's next commit."""
        held = self._held.value if self._held and self._told_ms else ""
        return ClockMemory(self.last_heartbeat_ms or 0, self._told_ms or 0, held, dict(self._low_since_ms))

    @property
    def holding(self) -> bool:
        """Whether silence proves nothing now, so that looks of silent customers must wait."""
        return self._held is not None

    def arrived(self, topic: str, events: int, now_ms: int) -> None:
        """So many events of `topic` were received now; of one that is not of TOPICS nothing is expected."""
        self._enter_hour(now_ms)
        if topic in self._in_hour:
            self._in_hour[topic] += events

    def beat(self, appended_ms: int) -> None:
        """A heartbeat of the sources was appended then."""
        self.last_heartbeat_ms = max(self.last_heartbeat_ms or 0, appended_ms)

    def observe(self, probe: Probe | None, lag: int, now_ms: int, ahead_s: float = 0.0) -> ClockDecision:
        """Apply the rule to what is seen now.

        probe     the latest; None before the first
        lag       records below its ends that are not folded; 0 without a probe
        ahead_s   how far the host's clock is ahead of the broker's, where that is too far, s; 0 where they agree
        """
        self._enter_hour(now_ms)
        self._note(probe, lag, now_ms, ahead_s)
        self._judge_inflow(now_ms)
        seen = Observation(
            now_ms=now_ms,
            caught_up=probe is not None and lag == 0,
            lag=lag,
            lag_shrunk_at_ms=max(self._lag_shrunk_ms, self._awake_ms),
            last_fetch_ok_ms=max(self._answered_ms, self._awake_ms),
            last_heartbeat_ms=self.last_heartbeat_ms,
            heartbeat_timeout_s=self.rules.heartbeat_timeout_s,
            # the topic that dried up last: one that was taken for the truth must not let go of another
            low_inflow_since_ms=max(self._low_since_ms.values(), default=None),
            clocks_apart=ahead_s != 0,
        )
        decision = decide_clock(seen, ClockRule(self.rules.stalled_after_s, self.rules.hold_max_s))
        self._follow(decision)
        if decision.action is ClockAction.HOLD or seen.older_than(self._caught_up_ms, self.rules.stalled_after_s):
            self._hour_usual = False
        return decision

    def ingestion_alerts(self, now_ms: int) -> list[IngestionAlert]:
        """The message that data are missing, when that has just begun, or that they arrive again, when it has just ended.

        Send it with the commit that stores `memory`.
        """
        if self._held is not None and self._told_ms is None:
            self._told_ms = now_ms
            return [self._alert(self._held, now_ms, now_ms, resolved=False)]
        if self._held is None and self._told_ms is not None:
            since_ms, self._told_ms = self._told_ms, None
            return [self._alert(self._ended_by, since_ms, now_ms, resolved=True)]
        return []

    def _alert(self, reason: ClockReason, since_ms: int, now_ms: int, *, resolved: bool) -> IngestionAlert:
        words = (RESOLVED_TEXTS if resolved else HELD_TEXTS)[reason].format(
            topics=self._low_topics(now_ms), ahead=_ahead(self._ahead_s)
        )
        return build_ingestion_alert(
            self.partition,
            reason.value,
            resolved=resolved,
            transition=2 if resolved else 1,
            since_ms=since_ms,
            as_of_ms=now_ms,
            text=f"partition {self.partition}: {words}",
        )

    def _low_topics(self, now_ms: int) -> str:
        """The topics far below usual; only those not taken for the truth yet, where there are such."""
        low = [topic for topic in TOPICS if topic in self._low_since_ms]
        doubted = [topic for topic in low if now_ms - self._low_since_ms[topic] <= self.rules.hold_max_s * 1000]
        return " and ".join(doubted or low)

    def _note(self, probe: Probe | None, lag: int, now_ms: int, ahead_s: float) -> None:
        # a worker that was itself frozen, or does not know the time and so asks nothing, has not seen the broker silent so long
        if ahead_s or not 0 <= now_ms - self._seen_ms <= self.rules.stalled_after_s * 500:
            self._awake_ms = now_ms
        self._ahead_s = ahead_s
        self._seen_ms = now_ms
        if probe is not None:
            self._answered_ms = probe.asked_ms
        if lag == 0 or lag < self._lag:
            self._lag_shrunk_ms = now_ms
        if lag == 0 and probe is not None:
            self._caught_up_ms = now_ms
        self._lag = lag

    def _follow(self, decision: ClockDecision) -> None:
        """What is held now. The sources are judged only once all is read; until then their last verdict stands."""
        if decision.action is ClockAction.ADVANCE:
            self._sources = None
        elif decision.reason in _OF_THE_SOURCES:
            self._sources = decision.reason
        self._held = decision.reason if decision.action is ClockAction.HOLD else self._sources
        if self._held is None:
            self._ended_by = decision.reason

    def _enter_hour(self, now_ms: int) -> None:
        hour = now_ms // HOUR_MS
        if hour == self._hour:
            return
        # an hour seen in part, in which the clock held, or in which a backlog came, must not become what is usual
        if hour == self._hour + 1 and self._hour_whole and self._hour_usual:
            self.profile = self.profile.fed(self._hour, self._in_hour)
        self._hour_whole = hour == self._hour + 1
        self._hour, self._in_hour, self._hour_usual = hour, dict.fromkeys(TOPICS, 0), True

    def _judge_inflow(self, now_ms: int) -> None:
        """Judge each topic once half the hour is over; until then, and where it shows neither, the former verdict stands.

        Low ends at twice the share at which it begins, so that inflow on the border is told once and not every hour.
        """
        into_hour_s = (now_ms % HOUR_MS) / 1000
        if into_hour_s < HOUR_MS / 2000 or not self._hour_whole:
            return
        share = self.rules.low_inflow_share
        for topic, week in self.profile.weeks.items():
            count, expected = self._in_hour[topic], week.expected(now_ms, into_hour_s)
            if far_below(count, expected, share, self.rules.low_inflow_min_expected):
                self._low_since_ms.setdefault(topic, now_ms)
            elif count >= max(1.0, min(1.0, 2 * share) * expected):
                self._low_since_ms.pop(topic, None)


def _ahead(seconds: float) -> str:
    """How far a clock is ahead of another, in words.

    >>> _ahead(2_592_000.0), _ahead(-7_201.0)
    ('30.0 days ahead of', '2.0 hours behind')
    """
    for unit, length_s in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if abs(seconds) >= 1.5 * length_s or unit == "minutes":
            break
    return f"{abs(seconds) / length_s:.1f} {unit} {'ahead of' if seconds > 0 else 'behind'}"
