"""The fold of late purchase days and same-instant purchases, by hand; the rest is held against the twin in tests/property."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streams import rfm
from streams.columns import DAY_MS
from streams.customer import new_records
from tests.oracle.rfm_twin import EventTwin
from tests.support.streams_of_rows import as_columns

DAY = 19_500  # 2023-05-23
NINE = [0, 100, 200, 300, 310, 320, 330, 340, 350]  # the first is older than 192 days and not among the last eight


def after(*days: float, amount: int = 100):
    """The record after a purchase on each of `days`, in this order."""
    rows = new_records(1)
    for n, day in enumerate(days):
        one = as_columns([EventTwin("purchase", int((DAY + day) * DAY_MS), "c", amount, 0, n + 1)])
        rfm.fold(rows, one.kind, one.time_ms, one.amount_minor, one.severity, one.cause, one.id_hash)
    return rows[0]


@pytest.mark.parametrize(
    ("days", "purchase_days", "gaps", "longest"),
    [
        ([0], 1, [], 0),
        ([0, 0.5], 1, [], 0),
        ([0, 10], 2, [10], 10),
        ([0, 10, 4], 3, [4, 6], 10),  # split; the longest gap stays as it closed
        ([0, 10, 4, 4.5], 3, [4, 6], 10),  # the late day is known by now
        ([10, 0], 2, [10], 10),  # before the first day
        ([10, 0, 4], 3, [4, 6], 10),
        ([*NINE, 0.25], 9, [100, 100, 100, 10, 10, 10, 10, 10], 100),  # the first day is always known
        ([*NINE, 150], 10, [50, 50, 100, 100, 10, 10, 10, 10, 10], 100),  # later than the eighth last: split
        ([*NINE, 50], 10, [100, 100, 100, 10, 10, 10, 10, 10], 100),  # older: a day, but no gap
        ([*NINE, 50, 50], 11, [100, 100, 100, 10, 10, 10, 10, 10], 100),  # and forgotten at once
        ([*NINE, 305, 315, 200.5], 11, [100, 100, 100, 5, 5, 5, 5, 10, 10, 10], 100),  # within 192 days: known by its bit
    ],
)
def test_late_days_split_gaps_while_their_neighbours_are_known(days, purchase_days, gaps, longest):
    record = after(*days)
    assert (record["purchase_days"], record["longest_gap_days"]) == (purchase_days, longest)
    assert record["gap_sq_sum"] == sum(gap * gap for gap in gaps)
    assert record["log_gap_sum"] == pytest.approx(math.fsum(math.log(gap) for gap in gaps), rel=1e-5)
    assert record["log_gap_sq_sum"] == pytest.approx(math.fsum(math.log(gap) ** 2 for gap in gaps), rel=1e-5)
    assert record["first_day"] == DAY + min(int(day) for day in days)


def test_purchases_at_one_instant_are_one_occasion_whose_money_adds_up():
    record = after(3, 3, 3, amount=250)
    assert (record["purchases"], record["spent_minor"]) == (1, 750)
    assert record["decayed_purchases"].tolist() == [1, 1, 1]
    assert record["decayed_spent"].tolist() == [750, 750, 750]
    assert (record["purchases_365d"].sum(), record["spent_365d"].sum()) == (1, 750)


@pytest.mark.parametrize("days", [(0, 45), (45, 0)], ids=["in order", "late"])
def test_money_of_45_days_ago_counts_half_at_a_half_life_of_45_days(days):
    record = after(*days, amount=1_000)
    assert record["decayed_purchases"].tolist() == [1 + 1 / 8, 1 + 1 / 2, pytest.approx(1 + 2 ** (-45 / 120))]
    assert record["decayed_spent"].tolist() == [1_125, 1_500, pytest.approx(1_000 * (1 + 2 ** (-45 / 120)), rel=1e-6)]


@pytest.mark.parametrize(("days", "half_days"), [([0], 0), ([0, 9], 18), ([0, 9, 13], 13), ([0, 9, 13, 400], 18)])
def test_the_usual_gap_is_the_median_in_half_days(days, half_days):
    assert after(*days)["usual_gap_half_days"] == half_days


def test_bits_of_days_and_calendar_months():
    record = after(0, 8, 9, 70, 263)  # May 23, May 31, June 1, August 1 of 2023 and February 10 of 2024
    bits = sum(int(word) << 64 * k for k, word in enumerate(record["day_bits"]))
    assert [k for k in range(192) if bits >> k & 1] == [0]  # 263 - 70 = 193 is out by two
    assert [k for k in range(16) if int(record["month_bits"]) >> k & 1] == [0, 6, 8, 9]


def test_an_event_is_a_repeat_while_it_is_among_the_last_eight():
    rows = new_records(1)
    assert not rfm.is_repeat(rows, np.array([0], np.uint64))[0]  # a hash of zeros is no empty place
    for n in range(9):
        one = as_columns([EventTwin("login", (DAY + n) * DAY_MS, "c", 0, 0, n << 40 | 7)])
        rfm.fold(rows, one.kind, one.time_ms, one.amount_minor, one.severity, one.cause, one.id_hash)
    known = [bool(rfm.is_repeat(rows, np.array([n << 40 | 7], np.uint64))[0]) for n in range(10)]
    assert known == [False, *[True] * 8, False]
