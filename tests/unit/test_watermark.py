"""The watermark's rule, and when the wall clock may move it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.clock_rule import ClockAction, ClockDecision, ClockReason, ClockRule, Observation, decide_clock
from streams.columns import COMPLAINT, LOGIN, PURCHASE, REFUND, TICK
from streams.watermark import START_MS, by_wall_clock, running

rows = st.lists(st.tuples(st.sampled_from([PURCHASE, COMPLAINT, LOGIN, REFUND, TICK]), st.integers(0, 1_000)), max_size=30)


def after_all(before_ms: int, found: list[tuple[int, int]], lateness_ms: int) -> tuple[list[int], list[int]]:
    kind, time_ms = np.array([k for k, _ in found], np.uint8), np.array([t for _, t in found], np.int64)
    before, after = running(before_ms, kind, time_ms, lateness_ms)
    assert before.dtype == after.dtype == np.int64
    return before.tolist(), after.tolist()


@given(found=rows, before_ms=st.integers(0, 1_000), lateness_ms=st.integers(0, 300))
def test_it_is_the_running_maximum_of_events_less_lateness_and_of_ticks(
    found: list[tuple[int, int]], before_ms: int, lateness_ms: int
) -> None:
    expected_before, expected_after, value = [], [], before_ms
    for kind, time_ms in found:
        expected_before.append(value)
        value = max(value, time_ms if kind == TICK else time_ms - lateness_ms)
        expected_after.append(value)
    assert after_all(before_ms, found, lateness_ms) == (expected_before, expected_after)


@given(found=rows, cut=st.integers(0, 30))
def test_it_does_not_depend_on_where_rows_are_cut(found: list[tuple[int, int]], cut: int) -> None:
    whole = after_all(START_MS, found, 100)
    first = after_all(START_MS, found[:cut], 100)
    carried = first[1][-1] if first[1] else START_MS
    second = after_all(carried, found[cut:], 100)
    assert (first[0] + second[0], first[1] + second[1]) == whole


def test_a_negative_lateness_is_refused_by_its_setting() -> None:
    with pytest.raises(ValueError, match=r"time\.lateness_s"):
        after_all(0, [], -1)


def test_the_wall_clock_allows_for_lateness_and_never_turns_back() -> None:
    assert by_wall_clock(1_000, now_ms=5_000, lateness_ms=500) == 4_500
    assert by_wall_clock(4_800, now_ms=5_000, lateness_ms=500) == 4_800


RULE = ClockRule(stalled_after_s=30, hold_max_s=3_600)
NOW = 1_700_000_000_000
IDLE = Observation(now_ms=NOW, caught_up=True, lag=0, lag_shrunk_at_ms=NOW, last_fetch_ok_ms=NOW)
BEHIND = replace(IDLE, caught_up=False, lag=500)
BEATING = replace(IDLE, heartbeat_timeout_s=60.0, last_heartbeat_ms=NOW - 60_000)
LOW = replace(IDLE, low_inflow_since_ms=NOW - 3_600_000)

DECISIONS = {
    "caught up and idle, time passes": (IDLE, "advance", "caught_up"),
    "the broker answered just within patience": (replace(IDLE, last_fetch_ok_ms=NOW - 30_000), "advance", "caught_up"),
    "the broker has not answered for longer": (replace(IDLE, last_fetch_ok_ms=NOW - 30_001), "hold", "broker_unreachable"),
    "an unreachable broker is named before the lag it causes": (
        replace(BEHIND, last_fetch_ok_ms=NOW - 31_000, lag_shrunk_at_ms=NOW - 90_000),
        "hold",
        "broker_unreachable",
    ),
    "the clocks are apart, whatever else is wrong": (
        replace(BEHIND, clocks_apart=True, last_fetch_ok_ms=NOW - 31_000, heartbeat_timeout_s=60.0),
        "hold",
        "clocks_apart",
    ),
    "behind, and the lag shrinks": (BEHIND, "wait", "catching_up"),
    "behind, and the lag shrank just within patience": (replace(BEHIND, lag_shrunk_at_ms=NOW - 30_000), "wait", "catching_up"),
    "behind, and the lag no longer shrinks": (replace(BEHIND, lag_shrunk_at_ms=NOW - 30_001), "hold", "lag_not_shrinking"),
    "no lag counted, but an end is not known yet": (replace(IDLE, caught_up=False), "wait", "catching_up"),
    "said to be caught up, but a lag is counted": (replace(IDLE, lag=1), "wait", "catching_up"),
    "behind, heartbeats do not matter yet": (
        replace(BEHIND, heartbeat_timeout_s=60.0, last_heartbeat_ms=None),
        "wait",
        "catching_up",
    ),
    "a heartbeat just within its timeout": (BEATING, "advance", "caught_up"),
    "a heartbeat too old": (replace(BEATING, last_heartbeat_ms=NOW - 60_001), "hold", "heartbeat_missing"),
    "heartbeats configured and none seen yet": (replace(BEATING, last_heartbeat_ms=None), "hold", "heartbeat_missing"),
    "an old heartbeat where none is configured": (replace(IDLE, last_heartbeat_ms=0), "advance", "caught_up"),
    "low inflow holds up to its limit": (LOW, "hold", "low_inflow"),
    "low inflow for longer is taken for the truth": (
        replace(LOW, low_inflow_since_ms=NOW - 3_600_001),
        "advance",
        "low_inflow_released",
    ),
    "low inflow, while fresh heartbeats vouch for the sources": (
        replace(BEATING, low_inflow_since_ms=NOW - 1_000),
        "advance",
        "caught_up",
    ),
    "low inflow and a missing heartbeat": (
        replace(BEATING, last_heartbeat_ms=None, low_inflow_since_ms=0),
        "hold",
        "heartbeat_missing",
    ),
    "this host's clock was set back": (replace(BEATING, now_ms=NOW - 600_000), "advance", "caught_up"),
}


@pytest.mark.parametrize(("seen", "action", "reason"), DECISIONS.values(), ids=DECISIONS.keys())
def test_the_clock(seen: Observation, action: str, reason: str) -> None:
    assert decide_clock(seen, RULE) == ClockDecision(ClockAction(action), ClockReason(reason))


def test_every_reason_is_in_the_table() -> None:
    assert {reason for _, _, reason in DECISIONS.values()} == {str(reason) for reason in ClockReason}


@pytest.mark.parametrize(
    ("stalled", "hold", "field"), [(0, 1, "stalled_after_s"), (float("nan"), 1, "stalled_after_s"), (1, -1, "hold_max_s")]
)
def test_impatience_without_measure_is_refused(stalled: float, hold: float, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        ClockRule(stalled_after_s=stalled, hold_max_s=hold)
