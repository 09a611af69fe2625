"""What time a worker goes by, whatever happens to the clocks of its host and of the broker."""

from __future__ import annotations

import pytest

from streams.columns import DAY_MS
from streams.runtime.broker_clock import BrokerClock

TRUTH = 20_000 * DAY_MS
APART_MS = 600_000
HOUR_MS = 3_600_000


class World:
    """True time goes by; host and broker have it with an error of their own, which may be set at any moment, ms."""

    def __init__(self, *, host_error_ms: int = 0, broker_error_ms: int = 0) -> None:
        self.passed_ms, self.suspended_ms = 0.0, 0.0
        self.host_error_ms, self.broker_error_ms = host_error_ms, broker_error_ms
        self.clock = BrokerClock(APART_MS, self.host, lambda: 77.5 + self.passed_ms - self.suspended_ms)

    def truth(self) -> int:
        return int(TRUTH + self.passed_ms)

    def host(self) -> int:
        return self.truth() + self.host_error_ms

    def sends(self, there_ms: float = 3.0, back_ms: float = 2.0, *, stamps: bool = True) -> None:
        """A message goes to the broker and comes back."""
        sent = self.clock.reading()
        self.passed_ms += there_ms
        stamp_ms = self.truth() + self.broker_error_ms if stamps else None
        self.passed_ms += back_ms
        self.clock.acknowledged(sent, stamp_ms)


def test_before_the_first_stamp_nothing_may_be_moved() -> None:
    world = World()
    assert not world.clock.known()
    assert world.clock.trusted_ms() is None
    assert world.clock.now_ms() == world.host()


def test_from_the_first_stamp_on_it_is_the_brokers_time_less_what_the_answer_took() -> None:
    world = World(host_error_ms=40_000)
    world.sends(back_ms=250.0)
    assert world.clock.trusted_ms() == world.truth() - 250
    world.sends(back_ms=2.0)
    world.passed_ms += DAY_MS
    assert world.clock.trusted_ms() == world.truth() - 2
    world.sends(back_ms=900.0)
    assert world.clock.trusted_ms() == world.truth() - 2, "a slow answer takes nothing back"


@pytest.mark.parametrize("jump_ms", [30 * DAY_MS, -30 * DAY_MS, 2 * HOUR_MS, -2 * HOUR_MS])
def test_a_host_that_is_set_moves_nothing_not_even_before_it_is_noticed(jump_ms: int) -> None:
    world = World()
    world.sends()
    world.passed_ms += 1_000
    world.host_error_ms = jump_ms
    assert world.clock.trusted_ms() == world.truth() - 2
    world.sends()
    assert world.clock.trusted_ms() is None
    assert world.clock.ahead_s() == pytest.approx(jump_ms / 1000, abs=1)
    world.passed_ms += HOUR_MS
    assert world.clock.now_ms() == world.truth() - 2, "what is told meanwhile has its right time"
    world.host_error_ms = 0
    world.sends()
    assert (world.clock.trusted_ms(), world.clock.ahead_s()) == (world.truth() - 2, 0.0)


@pytest.mark.parametrize("jump_ms", [30 * DAY_MS, -30 * DAY_MS])
def test_a_broker_that_is_set_moves_nothing_either(jump_ms: int) -> None:
    world = World()
    world.sends()
    world.broker_error_ms = jump_ms
    world.sends()
    assert world.clock.trusted_ms() is None
    assert world.clock.now_ms() == world.truth() - 2
    world.broker_error_ms = 0
    world.sends()
    assert world.clock.trusted_ms() == world.truth() - 2


def test_a_host_that_is_wrong_from_the_beginning_is_not_believed() -> None:
    world = World(host_error_ms=30 * DAY_MS)
    world.sends()
    assert world.clock.known()
    assert world.clock.trusted_ms() is None
    assert world.clock.now_ms() == world.truth() - 2
    world.host_error_ms = 0
    world.sends()
    assert world.clock.trusted_ms() == world.truth() - 2


def test_a_host_that_is_set_while_a_message_is_under_way_is_found_by_the_next() -> None:
    world = World()
    world.sends()
    sent = world.clock.reading()
    world.host_error_ms = 30 * DAY_MS
    world.clock.acknowledged(sent, world.truth())
    assert world.clock.trusted_ms() == world.truth()
    world.sends()
    assert world.clock.trusted_ms() is None


def test_a_machine_that_was_suspended_is_late_until_the_next_stamp_and_blames_nobody() -> None:
    world = World()
    world.sends()
    world.passed_ms += 8 * HOUR_MS
    world.suspended_ms += 8 * HOUR_MS
    assert world.clock.trusted_ms() == world.truth() - 8 * HOUR_MS - 2
    sent = world.clock.reading()
    world.clock.acknowledged(sent, world.truth())
    assert world.clock.trusted_ms() == world.truth()


def test_a_message_that_was_under_way_while_the_machine_was_suspended_blames_nobody() -> None:
    world = World()
    world.sends()
    sent, stamp_ms = world.clock.reading(), world.truth()
    world.passed_ms += 8 * HOUR_MS
    world.suspended_ms += 8 * HOUR_MS
    world.clock.acknowledged(sent, stamp_ms)
    assert world.clock.ahead_s() == 0.0
    world.sends()
    assert world.clock.trusted_ms() == world.truth() - 2


def test_a_broker_that_is_corrected_a_little_is_followed_both_ways() -> None:
    world = World(broker_error_ms=100_000)
    world.sends()
    world.broker_error_ms = -100_000
    world.sends(there_ms=3.0, back_ms=2.0)
    assert world.clock.trusted_ms() == world.truth() - 100_000 + 3, "no later than it can be"
    world.broker_error_ms = 50_000
    world.sends(there_ms=3.0, back_ms=2.0)
    assert world.clock.trusted_ms() == world.truth() + 50_000 - 2


def test_where_the_broker_makes_no_stamps_the_hosts_clock_counts_as_it_is() -> None:
    world = World()
    world.sends(stamps=False)
    assert world.clock.trusted_ms() == world.host()
    world.host_error_ms = 30 * DAY_MS
    world.sends(stamps=False)
    assert (world.clock.trusted_ms(), world.clock.ahead_s()) == (world.host(), 0.0)


def test_a_topic_that_is_told_to_stamp_while_the_worker_runs_is_heard() -> None:
    world = World(host_error_ms=-2 * HOUR_MS)
    world.sends(stamps=False)
    assert world.clock.trusted_ms() == world.host()
    world.sends()
    assert world.clock.trusted_ms() is None
    assert world.clock.ahead_s() < -7_000
