"""Rolling windows: what a bucket holds, when it leaves, and what comes too late."""

from __future__ import annotations

import numpy as np
import pytest

from streams import windows
from streams.customer import new_records

START_S = 20_000 * 75_600  # an edge of the 7-day window's buckets
EIGHTH_S = {7: 75_600, 30: 324_000, 90: 972_000, 365: 3_942_000}


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def with_events(name: str, days: int, *events: tuple[int, int]):
    """One row after (time_s, amount) events in this order."""
    rows = new_records(1)
    for time_s, amount in events:
        windows.roll(rows, ints(time_s))
        windows.add(rows, name, days, np.array([0]), ints(time_s), ints(amount))
    return rows


@pytest.mark.parametrize("days", windows.WINDOW_DAYS)
def test_an_event_leaves_with_its_bucket_eight_buckets_later(days):
    width = EIGHTH_S[days]
    start = START_S // width * width
    rows = with_events(f"spent_{days}d", days, (start + width - 1, 5))
    last_inside = start + 8 * width - 1
    assert windows.window_sum(rows, f"spent_{days}d", days, ints(last_inside)).tolist() == [5]
    assert windows.window_sum(rows, f"spent_{days}d", days, ints(last_inside + 1)).tolist() == [0]


@pytest.mark.parametrize("days", windows.WINDOW_DAYS)
def test_a_bucket_that_time_has_passed_starts_again_from_nothing(days):
    width = EIGHTH_S[days]
    rows = with_events(f"spent_{days}d", days, (START_S, 5), (START_S + 8 * width, 7))
    assert windows.window_sum(rows, f"spent_{days}d", days, ints(START_S + 8 * width)).tolist() == [7]


@pytest.mark.parametrize(("back", "counted"), [(0, 5), (1, 5), (7 * 75_600, 5), (7 * 75_600 + 1, 0), (10**8, 0)])
def test_a_late_event_counts_while_its_bucket_is_inside(back, counted):
    rows = with_events("spent_7d", 7, (START_S, 1), (START_S - back, 5))
    assert windows.window_sum(rows, "spent_7d", 7, ints(START_S)).tolist() == [1 + counted]


def test_late_events_leave_in_their_turn():
    rows = with_events("spent_7d", 7, (START_S, 1), (START_S - 75_600, 5))
    assert windows.window_sum(rows, "spent_7d", 7, ints(START_S + 7 * 75_600 - 1)).tolist() == [6]
    assert windows.window_sum(rows, "spent_7d", 7, ints(START_S + 7 * 75_600)).tolist() == [1]


@pytest.mark.parametrize(
    ("name", "days", "largest"), [("purchases_7d", 7, 255), ("logins_30d", 30, 65_535), ("spent_90d", 90, 2**32 - 1)]
)
def test_a_full_bucket_stays_full(name, days, largest):
    rows = with_events(name, days, (START_S, largest - 1), (START_S, 1), (START_S, 9))
    assert windows.window_sum(rows, name, days, ints(START_S)).tolist() == [largest]


def test_rolling_back_changes_nothing():
    rows = with_events("spent_7d", 7, (START_S, 3))
    before = rows.tobytes()
    windows.roll(rows, ints(START_S - 10**7))
    assert rows.tobytes() == before


def with_complaints(*complaints: tuple[int, int]):
    rows = new_records(1)
    for time_s, severity in complaints:
        windows.remember_complaint(rows, np.array([0]), ints(time_s), np.array([severity], np.uint8))
        rows["last_complaint_s"] = np.maximum(rows["last_complaint_s"], time_s)
    return rows


def sums(rows, days: int, as_of_s: int) -> tuple[int, int]:
    count, severity = windows.complaint_sums(rows, days, ints(as_of_s))
    return int(count[0]), int(severity[0])


HALF_DAY_S = 43_200
NOON_S = 40_001 * HALF_DAY_S


@pytest.mark.parametrize("days", windows.WINDOW_DAYS)
def test_a_complaint_is_in_the_window_for_its_days_to_the_half_day(days):
    rows = with_complaints((NOON_S, 4))
    assert sums(rows, days, NOON_S + days * 86_400 - 1) == (1, 4)
    assert sums(rows, days, NOON_S + days * 86_400) == (0, 0)


def test_the_newest_sixteen_complaints_are_remembered():
    rows = with_complaints(*[(NOON_S + k, 1 + k % 5) for k in range(18)])
    assert sums(rows, 7, NOON_S + 100) == (16, sum(1 + k % 5 for k in range(2, 18)))


WRAP_S = 8_192 * HALF_DAY_S


@pytest.mark.parametrize("off_s", [-HALF_DAY_S, 0, HALF_DAY_S, 300 * 86_400])
def test_a_complaint_of_eleven_years_ago_does_not_come_back(off_s):
    rows = with_complaints((NOON_S, 5))
    assert sums(rows, 365, NOON_S + WRAP_S + off_s) == (0, 0)
    rows = with_complaints((NOON_S, 5), (NOON_S + WRAP_S + off_s, 2))
    assert sums(rows, 365, NOON_S + WRAP_S + off_s) == (1, 2)


def test_a_complaint_that_comes_eleven_years_late_is_in_no_window():
    assert sums(with_complaints((NOON_S + WRAP_S, 2), (NOON_S, 5)), 365, NOON_S + WRAP_S) == (1, 2)
