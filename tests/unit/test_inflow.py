"""What this hour of the week usually brings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.inflow import HOUR_MS, PROFILE_BYTES, TOPIC_BYTES, TOPICS, WEEK_HOURS, InflowProfile, TopicInflow, far_below
from streams.runtime.topics import INPUTS

MONDAY = 17_000 * 24  # an hour index; which weekday it is does not matter


def fed(counts: list[tuple[int, int]]) -> TopicInflow:
    profile = TopicInflow.empty()
    for hour_index, count in counts:
        profile = profile.fed(hour_index, count)
    return profile


def usual(profile: TopicInflow, hour_index: int) -> float:
    return profile.expected((hour_index + 1) * HOUR_MS, 3600)


def test_nothing_is_expected_before_anything_was_seen() -> None:
    assert usual(TopicInflow.empty(), MONDAY) == 0.0


def test_after_one_week_the_hour_expects_what_it_saw_and_its_neighbours_nothing() -> None:
    profile = fed([(MONDAY, 120)])
    assert usual(profile, MONDAY + WEEK_HOURS) == 120
    assert usual(profile, MONDAY + WEEK_HOURS + 1) == 0
    assert usual(profile, MONDAY + WEEK_HOURS - 1) == 0


def test_after_four_weeks_a_count_weighs_half() -> None:
    profile = fed([(MONDAY, 0), (MONDAY + 4 * WEEK_HOURS, 90)])
    assert usual(profile, MONDAY) == pytest.approx(60)  # (0 * 0.5 + 90 * 1) / 1.5


@given(
    counts=st.lists(st.integers(0, 1_000_000), min_size=1, max_size=40),
    skips=st.lists(st.integers(1, 6), min_size=40, max_size=40),
)
def test_it_is_the_mean_weighted_by_age(counts: list[int], skips: list[int]) -> None:
    weeks = np.cumsum(skips[: len(counts)])
    profile = fed([(MONDAY + int(week) * WEEK_HOURS, count) for week, count in zip(weeks, counts, strict=True)])
    weights = 0.5 ** ((weeks[-1] - weeks) / 4)
    expected = math.fsum(weights * counts) / math.fsum(weights)
    assert usual(profile, MONDAY) == pytest.approx(expected, rel=1e-5, abs=1e-3)


def test_a_window_takes_each_hour_in_proportion() -> None:
    profile = fed([(MONDAY, 100), (MONDAY + 1, 40), (MONDAY + 2, 1000)])
    half_past = (MONDAY + 1) * HOUR_MS + HOUR_MS // 2
    assert profile.expected(half_past, 3600) == pytest.approx(50 + 20)
    assert profile.expected(half_past, 600) == pytest.approx(40 / 6)
    assert profile.expected((MONDAY + 3) * HOUR_MS, 3 * 3600) == pytest.approx(1140)


def test_a_whole_week_expects_all_hours_wherever_it_ends() -> None:
    profile = fed([(MONDAY + hour, hour) for hour in range(WEEK_HOURS)])
    for now_ms in (MONDAY * HOUR_MS, MONDAY * HOUR_MS + 1_234_567):
        assert profile.expected(now_ms, WEEK_HOURS * 3600) == pytest.approx(167 * 168 / 2)


def test_an_hour_fed_again_or_out_of_order_changes_nothing() -> None:
    profile = fed([(MONDAY + WEEK_HOURS, 10)])
    assert profile.fed(MONDAY + WEEK_HOURS, 99) is profile
    assert profile.fed(MONDAY, 99) is profile


@given(counts=st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 10**9)), max_size=60))
def test_bytes_give_the_same_profile_back_also_for_what_follows(counts: list[tuple[int, int]]) -> None:
    profile = fed([(MONDAY + hour, count) for hour, count in sorted(counts)])
    data = profile.to_bytes()
    assert len(data) == TOPIC_BYTES == 2016
    again = TopicInflow.from_bytes(data)
    assert again.fed(MONDAY + 3_000, 7).to_bytes() == profile.fed(MONDAY + 3_000, 7).to_bytes()
    assert again.to_bytes() == data


@pytest.mark.parametrize("data", [b"", b"\0" * 2015, np.full(504, np.nan, "<f4").tobytes(), np.full(504, -1, "<f4").tobytes()])
def test_bytes_that_are_no_profile_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="inflow profile"):
        TopicInflow.from_bytes(data)


@pytest.mark.parametrize(("hour_index", "count"), [(-1, 0), (1 << 24, 0), (MONDAY, -1)])
def test_impossible_hours_and_counts_are_refused(hour_index: int, count: int) -> None:
    with pytest.raises(ValueError, match=r"hour_index|count"):
        TopicInflow.empty().fed(hour_index, count)


@pytest.mark.parametrize("window_s", [0, -1, 7 * 86_400 + 1, float("nan")])
def test_impossible_windows_are_refused(window_s: float) -> None:
    with pytest.raises(ValueError, match="window_s"):
        TopicInflow.empty().expected(MONDAY * HOUR_MS, window_s)


def test_the_topics_are_the_inputs() -> None:
    assert TOPICS == INPUTS
    assert tuple(InflowProfile.empty().weeks) == INPUTS


def test_each_topic_learns_its_own_and_keeps_it_in_bytes() -> None:
    counts = {"purchases": 12, "complaints": 0, "logins": 120}
    profile = InflowProfile.empty().fed(MONDAY, counts)
    again = InflowProfile.from_bytes(profile.to_bytes())
    assert len(again.to_bytes()) == PROFILE_BYTES == 6048
    assert {topic: usual(week, MONDAY) for topic, week in again.weeks.items()} == counts
    assert again.to_bytes() == profile.to_bytes()


def test_a_profile_over_all_topics_together_is_learnt_anew() -> None:
    former = fed([(MONDAY, 120)]).to_bytes()
    assert InflowProfile.from_bytes(former).to_bytes() == InflowProfile.empty().to_bytes()


@pytest.mark.parametrize("data", [b"", b"\0" * 6047, b"\0" * 4032, np.full(1512, np.nan, "<f4").tobytes()])
def test_bytes_that_are_no_profile_of_all_topics_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="inflow profile"):
        InflowProfile.from_bytes(data)


def test_an_hour_must_say_how_much_every_topic_brought() -> None:
    with pytest.raises(KeyError):
        InflowProfile.empty().fed(MONDAY, {"purchases": 1, "logins": 1})


FAR_BELOW = {
    "nothing where fifty are usual": (0, 50.0, True),
    "just below the share": (4, 50.0, True),
    "exactly the share": (5, 50.0, False),
    "as usual": (50, 50.0, False),
    "nothing where few are usual": (0, 19.9, False),
    "nothing where just enough are usual": (0, 20.0, True),
    "nothing where nothing is usual": (0, 0.0, False),
}


@pytest.mark.parametrize(("count", "expected", "answer"), FAR_BELOW.values(), ids=FAR_BELOW.keys())
def test_far_below(count: int, expected: float, answer: bool) -> None:
    assert far_below(count, expected, share=0.1, min_expected=20.0) is answer
