"""A partition into which history is loaded, and the switch: what its last commit as history holds, and how it goes on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Sequence

import pytest

from alerts.alert import Alert
from streams.columns import DAY_MS
from streams.runtime.commits import LiveState, unpack_state
from streams.runtime.partition import WentLive
from tests.support.intake_app import until
from tests.support.played import NOW_MS, SILENT_FOR_MONTHS, Played

pytestmark = pytest.mark.timeout(60)
HISTORY = {"CHURNWATCH_TIME__CLOCK": "history"}
END_MS = NOW_MS - 10 * DAY_MS
"""Of the history."""


def tick(at_ms: int, **offsets: int) -> bytes:
    return json.dumps({"type": "tick", "at_ms": at_ms, "offsets": offsets}).encode()


def switch(at_ms: int, **offsets: int) -> bytes:
    return json.dumps({"type": "go_live", "at_ms": at_ms, "offsets": offsets}).encode()


def stored(played: Played) -> LiveState:
    state = played.store.of(3).meta.state
    assert state is not None
    return unpack_state(state)


def clock(played: Played, first_offset: int, *values: bytes) -> None:
    played.receives("clock", first_offset, *values, key=b"3")


@contextlib.asynccontextmanager
async def ending_live(played: Played) -> AsyncIterator[None]:
    """The partition at work as history. AssertionError unless its task ends by the switch."""
    try:
        async with played.running():
            yield
    except WentLive:
        return
    raise AssertionError("the task did not end by the switch")


async def until_live(played: Played) -> None:
    """The history of one silent customer, and the switch, to its end."""
    async with ending_live(played):
        played.buys(0, *SILENT_FOR_MONTHS)
        clock(played, 0, *(tick(at_ms, purchases=6) for at_ms in range(SILENT_FOR_MONTHS[-1], END_MS, 5 * DAY_MS)))
        clock(played, 50, tick(END_MS, purchases=6), switch(NOW_MS, purchases=6, complaints=0, logins=0))
        await until(lambda: played.store.of(3).meta.offsets.get("clock") == 51, "the switch is committed")


def past_and_live(alerts: Sequence[object]) -> tuple[list[bool], list[bool]]:
    found = [alert for alert in alerts if isinstance(alert, Alert)]
    return [a.live for a in found if a.event is None], [a.live for a in found if a.event is not None]


async def test_the_commit_with_the_switch_says_that_the_partition_is_live_and_nothing_moves_time_beyond_the_last_tick() -> None:
    played = Played(**HISTORY, CHURNWATCH_TIME__LATENESS_S="86400")
    await until_live(played)
    state = stored(played)
    assert (state.live_after_ms, state.switched_ms) == (NOW_MS - DAY_MS, NOW_MS)
    assert played.watermark_ms() == END_MS
    assert played.fired(), "its silence was told within the history"
    assert {live for kind in past_and_live(played.sender.alerts) for live in kind} == {False}
    assert state.past.messages == len(played.sender.alerts)


async def test_the_next_owner_goes_on_with_the_wall_clock_and_alerts_nobody_singly_for_the_time_it_leaps_over() -> None:
    played = Played(**HISTORY, CHURNWATCH_TIME__LATENESS_S="86400")
    await until_live(played)
    before = len(played.sender.alerts)
    async with played.running():
        assert played.task.clock is not None
        await until(played.commits(3), "three commits without an answer of the broker")
        assert played.watermark_ms() == END_MS, "nobody has told that all is read"
        played.probed(NOW_MS, purchases=6)
        await until(lambda: played.watermark_ms() == NOW_MS - DAY_MS, "the wall clock, less the lateness")
        told = played.sender.alerts[before:]
        assert all(isinstance(alert, Alert) and not alert.live for alert in told)
        played.now_ms += 60 * DAY_MS
        played.buys(6, played.now_ms, customer="berta")
        clock(played, 52, tick(played.now_ms + DAY_MS, purchases=99))
        played.probed(played.now_ms, purchases=7)
        await until(lambda: played.watermark_ms() == played.now_ms - DAY_MS, "ticks are nothing to a live partition")
        assert played.done("clock") == 52
    assert stored(played).live_after_ms == NOW_MS - DAY_MS, "as it was"


async def test_what_was_sent_after_the_history_is_live_whenever_it_is_dated_and_fetched() -> None:
    played = Played(**HISTORY)
    async with ending_live(played):
        played.buys(0, *SILENT_FOR_MONTHS)
        played.buys(6, END_MS - DAY_MS, NOW_MS, customer="berta")  # behind what the tick names, the first within its time
        clock(played, 0, tick(END_MS, purchases=6), switch(NOW_MS, purchases=6), tick(NOW_MS, purchases=8), b"rubbish")
        await until(lambda: played.done("clock") == 1, "the switch is committed")
    assert played.done("purchases") == 5
    assert "berta" not in played.store.of(3).records
    async with played.running():
        played.buys(6, END_MS - DAY_MS, NOW_MS, customer="berta")
        clock(played, 2, tick(NOW_MS, purchases=8))
        await until(lambda: played.done("purchases") == 7 and played.done("clock") == 2, "they are folded live")


async def test_an_event_from_the_future_does_not_age_a_history_and_is_refused_live() -> None:
    played = Played(**HISTORY)
    far_ms = NOW_MS + 400 * DAY_MS
    async with ending_live(played):
        played.buys(0, *SILENT_FOR_MONTHS)
        played.buys(6, far_ms, customer="clock-is-wrong")
        clock(played, 0, tick(END_MS, purchases=6), switch(NOW_MS, purchases=6))
        await until(lambda: played.done("clock") == 1, "the switch is committed")
    assert played.watermark_ms() == END_MS
    async with played.running():
        played.sender.let_go[6].set()
        played.buys(6, far_ms, customer="clock-is-wrong")
        await until(lambda: played.sender.letters == [6], "a dead letter")
        await until(lambda: played.done("purchases") == 6, "passed over")
        assert played.watermark_ms() == END_MS


async def test_a_history_without_a_tick_can_end_too() -> None:
    played = Played(**HISTORY)
    async with ending_live(played):
        clock(played, 0, switch(NOW_MS, purchases=0, complaints=0, logins=0))
        await until(lambda: played.done("clock") == 0, "the switch is committed")
    assert (stored(played).live_after_ms, played.watermark_ms()) == (NOW_MS, 0)


async def test_a_switch_found_by_a_partition_that_is_live_changes_nothing() -> None:
    played = Played()
    async with played.running():
        played.buys(0, NOW_MS - DAY_MS)
        clock(played, 0, switch(NOW_MS + 5, purchases=0))
        await until(lambda: played.done("clock") == 0 and played.done() == 0, "both passed")
        await until(played.commits(2), "two commits more")
    assert (stored(played).live_after_ms, stored(played).switched_ms) == (NOW_MS, None)
