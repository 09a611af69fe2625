"""One partition's clock under a clock of ours: hours and weeks pass without sleeping."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import pytest

from alerts.alert import IngestionAlert
from streams.clock_rule import ClockDecision, ClockReason
from streams.inflow import HOUR_MS, TOPICS, WEEK_HOURS, InflowProfile
from streams.runtime.commits import LiveState, pack_state, unpack_state
from streams.runtime.live_clock import HELD_TEXTS, RESOLVED_TEXTS, ClockMemory, LiveClock, Probe
from streams.runtime.settings import TimeSettings

START = 20_000 * 24 * HOUR_MS
STEP_MS = 500
USUAL = 120  # events an hour and topic


class Partition:
    """A live clock observed as a worker does it: every half second (or `step_ms`), after a probe that takes no time."""

    def __init__(
        self,
        *,
        memory: ClockMemory | None = None,
        profile: InflowProfile | None = None,
        start_ms: int = START,
        **rules: object,
    ) -> None:
        self.now_ms = start_ms
        self.rules = TimeSettings.model_validate(rules)
        self.clock = LiveClock(3, self.rules, start_ms, profile or InflowProfile.empty(), memory or ClockMemory())
        self.probe: Probe | None = None
        self.answers = True
        self.lag: Callable[[], int] = lambda: 0
        self.ahead_s = 0.0
        self.decision: ClockDecision | None = None
        self.told: list[IngestionAlert] = []

    def run(self, seconds: float, *, step_ms: int = STEP_MS, events_an_hour: float | Mapping[str, float] = 0.0) -> None:
        """Let time pass; events arrive evenly: as many of each topic as its name says, or of all topics the same."""
        rates = events_an_hour if isinstance(events_an_hour, Mapping) else dict.fromkeys(TOPICS, events_an_hour)
        owed = dict.fromkeys(rates, 0.0)
        for _ in range(round(seconds * 1000 / step_ms)):
            self.now_ms += step_ms
            for topic, rate in rates.items():
                owed[topic] += rate * step_ms / HOUR_MS
                self.clock.arrived(topic, int(owed[topic]), self.now_ms)
                owed[topic] -= int(owed[topic])
            if self.answers and not self.ahead_s:  # a question at an unknown time is not asked
                self.probe = Probe(self.now_ms, {0: 0, 1: 0, 2: 0})
            self.decision = self.clock.observe(self.probe, self.lag(), self.now_ms, self.ahead_s)
            self.told += self.clock.ingestion_alerts(self.now_ms)

    def moved_on(self, seconds: float = 0.0, **rules: object) -> Partition:
        """The same partition with its next owner, who takes it after so many seconds and knows what a commit stored."""
        stored = unpack_state(pack_state(LiveState(b"", self.clock.profile.to_bytes(), self.clock.memory)))
        start_ms = self.now_ms + round(seconds * 1000)
        rules = rules or self.rules.model_dump()
        return Partition(memory=stored.clock, profile=InflowProfile.from_bytes(stored.inflow), start_ms=start_ms, **rules)

    def says(self) -> tuple[str, str]:
        assert self.decision is not None
        return self.decision.action.value, self.decision.reason.value

    def messages(self) -> list[tuple[str, str, int]]:
        return [(alert.status, alert.reason, alert.transition) for alert in self.told]


@functools.cache
def learnt() -> InflowProfile:
    """What three weeks of `USUAL` events an hour on every topic teach."""
    partition = Partition(start_ms=START - 3 * WEEK_HOURS * HOUR_MS)
    partition.run(3 * WEEK_HOURS * 3600, step_ms=60_000, events_an_hour=USUAL)
    return partition.clock.profile


def weeks_of_usual_inflow(**rules: object) -> Partition:
    """A partition that has learnt, one usual hour after it was taken."""
    partition = Partition(profile=learnt(), **rules)
    partition.run(3600, step_ms=10_000, events_an_hour=USUAL)
    return partition


def test_before_the_first_answer_of_the_broker_it_waits() -> None:
    partition = Partition()
    partition.answers = False
    partition.run(5)
    assert partition.says() == ("wait", "catching_up")
    assert partition.told == []


def test_once_all_is_read_time_passes_and_nobody_is_told() -> None:
    partition = Partition()
    partition.run(60)
    assert partition.says() == ("advance", "caught_up")
    assert partition.told == []
    assert partition.clock.memory == ClockMemory()


def test_a_broker_that_does_not_answer_holds_it_and_is_told_once_and_ended_once() -> None:
    partition = Partition(stalled_after_s=3)
    partition.run(10)
    partition.answers = False
    partition.run(3)
    assert partition.says()[0] == "advance"
    partition.run(600)
    assert partition.says() == ("hold", "broker_unreachable")
    assert partition.clock.holding
    partition.answers = True
    partition.run(60)
    assert partition.says() == ("advance", "caught_up")
    assert partition.messages() == [("firing", "broker_unreachable", 1), ("resolved", "caught_up", 2)]
    first, second = partition.told
    assert first.alert_id == second.alert_id
    assert (first.since, second.since) == (first.as_of, first.as_of)
    assert first.partition == 3


def test_an_answer_from_before_the_outage_does_not_end_it() -> None:
    partition = Partition(stalled_after_s=3)
    partition.run(10)
    before = partition.probe
    partition.answers = False
    partition.run(100)
    partition.probe = Probe(before.asked_ms + 1000, before.ends) if before else None  # asked in time, answered now
    partition.run(1)
    assert partition.says() == ("hold", "broker_unreachable")


def test_a_backlog_after_an_outage_is_waited_for_and_does_not_prove_silence() -> None:
    partition = Partition(stalled_after_s=3)
    partition.run(10)
    partition.answers = False
    partition.run(10)
    partition.answers = True
    left = iter(range(50, 0, -1))
    partition.lag = lambda: next(left, 0)
    partition.run(5)
    assert partition.says() == ("wait", "catching_up")
    assert partition.messages() == [("firing", "broker_unreachable", 1), ("resolved", "catching_up", 2)]
    partition.run(60)
    assert partition.says() == ("advance", "caught_up")


def test_a_lag_that_does_not_shrink_holds_it() -> None:
    partition = Partition(stalled_after_s=3)
    partition.run(10)
    partition.lag = lambda: 7
    partition.run(3)
    assert partition.says() == ("wait", "catching_up")
    partition.run(2)
    assert partition.says() == ("hold", "lag_not_shrinking")
    assert partition.messages() == [("firing", "lag_not_shrinking", 1)]


def test_no_heartbeat_holds_it_until_one_comes() -> None:
    partition = Partition(heartbeat_timeout_s=60)
    partition.run(10)
    assert partition.says() == ("hold", "heartbeat_missing")
    partition.clock.beat(partition.now_ms)
    partition.run(60)
    assert partition.says() == ("advance", "caught_up")
    partition.run(2)
    assert partition.says() == ("hold", "heartbeat_missing")
    assert [status for status, _, _ in partition.messages()] == ["firing", "resolved", "firing"]
    assert len({alert.alert_id for alert in partition.told}) == 2


def test_an_older_heartbeat_that_comes_later_takes_nothing_back() -> None:
    partition = Partition(heartbeat_timeout_s=60)
    partition.clock.beat(START + 50_000)
    partition.clock.beat(START + 10_000)
    partition.run(100)
    assert partition.says() == ("advance", "caught_up")


def test_while_events_are_read_the_last_verdict_on_the_sources_stands() -> None:
    """Every event makes a lag for a moment: without this a missing heartbeat would be told again after each of them."""
    partition = Partition(heartbeat_timeout_s=60)
    partition.run(5)
    lags = iter([1, 0] * 50)
    partition.lag = lambda: next(lags, 0)
    for _ in range(100):
        partition.run(0.5)
        assert partition.clock.holding
    assert partition.messages() == [("firing", "heartbeat_missing", 1)]


def test_the_next_owner_goes_on_holding_and_tells_the_end_of_what_the_former_told() -> None:
    partition = Partition(heartbeat_timeout_s=60)
    partition.run(30)
    heir = partition.moved_on(10)
    assert heir.clock.holding, "silence proves nothing before the new owner has looked for himself"
    heir.run(30)
    assert heir.told == []
    heir.clock.beat(heir.now_ms)
    heir.run(1)
    assert heir.messages() == [("resolved", "caught_up", 2)]
    assert heir.told[0].alert_id == partition.told[0].alert_id


def test_the_next_owner_knows_the_last_heartbeat() -> None:
    partition = Partition(heartbeat_timeout_s=60)
    partition.clock.beat(START)
    partition.run(10)
    heir = partition.moved_on(10)
    heir.run(5)
    assert heir.says() == ("advance", "caught_up")
    assert heir.told == []


def test_an_outage_that_ended_while_the_partition_moved_is_ended_by_the_next_owner() -> None:
    partition = Partition(stalled_after_s=3)
    partition.run(5)
    partition.answers = False
    partition.run(20)
    heir = partition.moved_on(1)
    heir.run(5)
    assert heir.says() == ("advance", "caught_up")
    assert [alert.alert_id for alert in heir.told] == [partition.told[0].alert_id]


def test_what_a_release_that_is_not_ours_remembered_does_not_stop_us() -> None:
    heir = Partition(memory=ClockMemory(0, START - 5_000, "a reason of the future"))
    heir.run(5)
    assert heir.says() == ("advance", "caught_up")
    assert [status for status, _, _ in heir.messages()] == ["resolved"]


@pytest.mark.parametrize("jump_s", [3600, -3600], ids=["frozen or set forward", "set back"])
def test_a_worker_that_was_itself_away_does_not_blame_the_broker(jump_s: int) -> None:
    partition = Partition(stalled_after_s=30)
    partition.run(60)
    partition.now_ms += jump_s * 1000
    partition.answers = False
    partition.run(10)
    assert partition.told == []
    partition.answers = True
    partition.run(60)
    assert partition.told == []
    partition.answers = False
    partition.run(60)
    assert partition.says() == ("hold", "broker_unreachable")


@pytest.mark.parametrize(
    ("ahead_s", "words"), [(30 * 86_400.0, "30.0 days ahead of the broker's"), (-7_205.0, "2.0 hours behind the broker's")]
)
def test_clocks_that_disagree_hold_it_and_are_told_once_and_ended_once(ahead_s: float, words: str) -> None:
    partition = Partition(stalled_after_s=3)
    partition.run(10)
    partition.ahead_s = ahead_s
    partition.run(600)
    assert partition.says() == ("hold", "clocks_apart")
    assert partition.clock.holding
    heir = partition.moved_on(1)
    heir.ahead_s = ahead_s
    heir.run(600)
    assert heir.says() == ("hold", "clocks_apart")
    heir.ahead_s = 0.0
    heir.answers = False
    heir.run(2)
    assert heir.says() == ("wait", "catching_up"), "who asked nothing has not seen the broker silent"
    heir.answers = True
    heir.run(10)
    assert heir.says() == ("advance", "caught_up")
    assert [(alert.status, alert.reason) for alert in partition.told + heir.told] == [
        ("firing", "clocks_apart"),
        ("resolved", "catching_up"),
    ]
    assert words in partition.told[0].text
    assert partition.told[0].alert_id == heir.told[0].alert_id


# -- inflow ---------------------------------------------------------------------------------------------------------------


def test_inflow_that_dries_up_holds_it_for_a_bounded_time_and_then_lets_go_with_that_reason() -> None:
    partition = weeks_of_usual_inflow(hold_max_s=6 * 3600)
    partition.run(3 * 3600, step_ms=10_000, events_an_hour=USUAL)
    assert partition.says() == ("advance", "caught_up")
    partition.run(3600, step_ms=10_000, events_an_hour=USUAL * 0.05)
    assert partition.says() == ("hold", "low_inflow")
    partition.run(5 * 3600, step_ms=10_000)
    assert partition.says() == ("hold", "low_inflow")
    partition.run(1.5 * 3600, step_ms=10_000)
    assert partition.says() == ("advance", "low_inflow_released")
    assert not partition.clock.holding
    assert partition.messages() == [("firing", "low_inflow", 1), ("resolved", "low_inflow_released", 2)]
    assert "time.hold_max_s" in partition.told[1].text
    partition.run(3 * 3600, step_ms=10_000, events_an_hour=USUAL)
    assert partition.says() == ("advance", "caught_up")
    assert len(partition.told) == 2


def test_inflow_that_comes_back_ends_the_hold() -> None:
    partition = weeks_of_usual_inflow()
    partition.run(3600, step_ms=10_000)
    assert partition.says() == ("hold", "low_inflow")
    partition.run(3600, step_ms=10_000, events_an_hour=USUAL)
    assert partition.says() == ("advance", "caught_up")
    assert partition.messages() == [("firing", "low_inflow", 1), ("resolved", "caught_up", 2)]


def test_a_hold_for_low_inflow_is_bounded_also_when_the_partition_moves() -> None:
    partition = weeks_of_usual_inflow(hold_max_s=2 * 3600)
    partition.run(3600, step_ms=10_000)
    heir = partition.moved_on(30)
    heir.run(600, step_ms=10_000)
    assert heir.says() == ("hold", "low_inflow")
    heir.run(2 * 3600, step_ms=10_000)
    assert heir.says() == ("advance", "low_inflow_released")
    assert heir.messages() == [("resolved", "low_inflow_released", 2)]


def test_heartbeats_vouch_for_sources_that_send_little() -> None:
    partition = weeks_of_usual_inflow()
    heir = partition.moved_on(heartbeat_timeout_s=1e6)
    heir.clock.beat(heir.now_ms)
    heir.run(4 * 3600, step_ms=10_000)
    assert heir.says() == ("advance", "caught_up")
    assert heir.told == []


def expected_at_the_end(partition: Partition) -> float:
    """What the profile expects of purchases in the hour that has just ended."""
    return partition.clock.profile.weeks["purchases"].expected(partition.now_ms, 3600)


def test_hours_in_which_it_held_do_not_become_what_is_usual() -> None:
    partition = weeks_of_usual_inflow(stalled_after_s=30)
    partition.answers = False
    partition.run(1200, step_ms=5_000)
    partition.answers = True
    partition.run(2400, step_ms=5_000, events_an_hour=USUAL * 3)
    partition.run(1)
    assert expected_at_the_end(partition) == pytest.approx(USUAL, rel=0.01)


def test_hours_that_count_a_backlog_do_not_become_what_is_usual() -> None:
    partition = weeks_of_usual_inflow(stalled_after_s=30)
    left = iter(range(10_000, 0, -1))
    partition.lag = lambda: next(left, 0)
    partition.run(3600, step_ms=5_000, events_an_hour=USUAL * 50)
    partition.run(1)
    assert expected_at_the_end(partition) == pytest.approx(USUAL, rel=0.01)


def test_low_inflow_that_was_taken_for_the_truth_becomes_what_is_usual() -> None:
    partition = weeks_of_usual_inflow(hold_max_s=3600)
    partition.run(8 * WEEK_HOURS * 3600, step_ms=600_000, events_an_hour=USUAL * 0.05)
    assert partition.says() == ("advance", "caught_up")
    assert expected_at_the_end(partition) < USUAL / 4
    assert partition.messages() == [("firing", "low_inflow", 1), ("resolved", "low_inflow_released", 2)]


def test_where_little_is_usual_neither_much_nor_little_is_proved() -> None:
    """An inflow that is low by day is not told anew every morning because nights cannot be judged."""
    profile = InflowProfile.empty()
    for hour in range(START // HOUR_MS - WEEK_HOURS, START // HOUR_MS):
        profile = profile.fed(hour, dict.fromkeys(TOPICS, USUAL if 8 <= hour % 24 < 20 else 5))
    partition = Partition(profile=profile, hold_max_s=6 * 3600)
    partition.run(3 * 24 * 3600, step_ms=60_000)
    assert partition.messages() == [("firing", "low_inflow", 1), ("resolved", "low_inflow_released", 2)]
    partition.run(24 * 3600, step_ms=60_000, events_an_hour=USUAL)
    assert partition.says() == ("advance", "caught_up")


UNLIKE = {"purchases": USUAL, "complaints": 2.0, "logins": 10 * USUAL}


def weeks_of_unlike_topics(**rules: object) -> Partition:
    """A partition on which logins are many, complaints hardly any; one usual hour after it was taken."""
    profile = InflowProfile.empty()
    for hour in range(START // HOUR_MS - WEEK_HOURS, START // HOUR_MS):
        profile = profile.fed(hour, {topic: int(rate) for topic, rate in UNLIKE.items()})
    partition = Partition(profile=profile, **rules)
    partition.run(3600, step_ms=10_000, events_an_hour=UNLIKE)
    return partition


def test_while_all_topics_flow_nothing_is_held() -> None:
    partition = weeks_of_unlike_topics()
    partition.run(5 * 3600, step_ms=10_000, events_an_hour=UNLIKE)
    assert partition.says() == ("advance", "caught_up")
    assert partition.told == []


@pytest.mark.parametrize("dry", ["purchases", "logins"])
def test_a_topic_that_dries_up_while_others_flow_holds_it_and_is_named(dry: str) -> None:
    partition = weeks_of_unlike_topics()
    partition.run(3600, step_ms=10_000, events_an_hour=UNLIKE | {dry: 0.0})
    assert partition.says() == ("hold", "low_inflow")
    assert partition.messages() == [("firing", "low_inflow", 1)]
    assert f"far fewer {dry} arrive" in partition.told[0].text
    assert not [topic for topic in TOPICS if topic != dry and topic in partition.told[0].text]
    partition.run(3600, step_ms=10_000, events_an_hour=UNLIKE)
    assert partition.messages()[1:] == [("resolved", "caught_up", 2)]


def test_all_topics_that_dry_up_are_named() -> None:
    partition = weeks_of_unlike_topics()
    partition.run(3600, step_ms=10_000)
    assert "far fewer purchases and logins arrive" in partition.told[0].text


def test_a_topic_that_is_usually_nearly_empty_proves_nothing() -> None:
    partition = weeks_of_unlike_topics()
    partition.run(5 * 3600, step_ms=10_000, events_an_hour=UNLIKE | {"complaints": 0.0})
    assert partition.says() == ("advance", "caught_up")
    assert partition.told == []


def test_a_topic_that_was_given_up_does_not_let_go_of_another() -> None:
    partition = weeks_of_unlike_topics(hold_max_s=2 * 3600)
    without = UNLIKE | {"purchases": 0.0}
    partition.run(4 * 3600, step_ms=10_000, events_an_hour=without)
    assert partition.says() == ("advance", "low_inflow_released")
    assert "few purchases still arrive" in partition.told[1].text
    partition.run(3600, step_ms=10_000, events_an_hour=without | {"logins": 0.0})
    assert partition.says() == ("hold", "low_inflow")
    assert "far fewer logins arrive" in partition.told[2].text
    partition.run(2 * 3600, step_ms=10_000, events_an_hour=without | {"logins": 0.0})
    assert partition.says() == ("advance", "low_inflow_released")


def test_the_next_owner_knows_which_topic_dried_up_and_what_each_usually_brings() -> None:
    partition = weeks_of_unlike_topics(hold_max_s=4 * 3600)
    dry = UNLIKE | {"purchases": 0.0}
    partition.run(3600, step_ms=10_000, events_an_hour=dry)
    since_ms = dict(partition.clock.memory.low_since_ms)
    assert [*since_ms] == ["purchases"]
    heir = partition.moved_on(10)
    assert heir.clock.memory == partition.clock.memory
    assert heir.clock.profile.to_bytes() == partition.clock.profile.to_bytes()
    heir.run(2 * 3600, step_ms=10_000, events_an_hour=dry)
    assert heir.says() == ("hold", "low_inflow")
    assert heir.clock.memory.low_since_ms == since_ms
    heir.run(3600, step_ms=10_000, events_an_hour=UNLIKE)
    assert heir.says() == ("advance", "caught_up")
    assert heir.messages() == [("resolved", "caught_up", 2)]


def test_a_topic_given_up_stays_given_up_when_the_partition_moves() -> None:
    partition = weeks_of_unlike_topics(hold_max_s=3600)
    dry = UNLIKE | {"purchases": 0.0}
    partition.run(3 * 3600, step_ms=10_000, events_an_hour=dry)
    assert partition.says() == ("advance", "low_inflow_released")
    heir = partition.moved_on(10)
    heir.run(3 * 3600, step_ms=10_000, events_an_hour=dry)
    assert heir.says() == ("advance", "low_inflow_released")
    assert heir.told == []


def test_a_clock_set_back_over_the_hour_teaches_nothing() -> None:
    partition = weeks_of_usual_inflow()
    before = partition.clock.profile.to_bytes()
    partition.run(60, events_an_hour=USUAL)
    partition.now_ms -= 120_000
    partition.run(60, events_an_hour=USUAL)
    partition.run(120, events_an_hour=USUAL)
    assert partition.clock.profile.to_bytes() == before


def test_every_reason_to_hold_has_its_words_and_so_has_every_end() -> None:
    assert {*HELD_TEXTS} | {*RESOLVED_TEXTS} == {*ClockReason}
    assert not {*HELD_TEXTS} & {*RESOLVED_TEXTS}
