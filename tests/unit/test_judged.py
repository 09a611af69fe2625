"""The parts of report.json that come of scores and truth: they are those of the rules they name."""

from __future__ import annotations

import json

import numpy as np

from streams.backtest.judged import judged
from streams.backtest.thresholds import GRID, Scored, threshold_rows
from streams.columns import DAY_MS
from tests.support.backtest_reports import EVERY_DAYS, HORIZON_DAYS, MONEY, example

NOBODY = Scored(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0, bool))


def test_contacts_are_spread_over_the_days_that_all_lists_last_also_those_with_nobody_on_them():
    customer, at_day = np.array([1, 1, 2]), np.array([100, 130, 130])
    scored = Scored(customer, at_day * DAY_MS, np.array([90, 90, 120]) * DAY_MS, np.array([0.6, 0.9, 0.3]), np.ones(3, bool))
    kinds = np.ones(3, np.uint16)
    parts = judged(scored, {"btyd": scored.risk}, kinds, horizon_days=90.0, period_days=90.0, lines=(0.62,))
    assert [row["risk"] for row in parts["thresholds"]] == sorted({*GRID, 0.62})
    (row,) = [row for row in parts["thresholds"] if row["risk"] == 0.62]
    (want,) = threshold_rows(scored, [0.62], horizon_days=90.0, period_days=90.0)
    assert (row["fired"], row["per_day"], row["precision"], row["recall"]) == (1, 1 / 90, 1.0, 0.5)
    assert row["lead_time_days_p50"] == want.lead_time_days_p50 == 50.0


def test_all_of_it_is_json_and_of_the_customers_given():
    parts = example()
    assert json.loads(json.dumps(parts)) == parts
    assert set(parts["calibration"]) == {"risk", "btyd"}
    assert sum(row["n"] for row in parts["calibration"]["risk"]) == 480
    assert set(parts["gain"][0]) == {"share", "risk", "btyd", "idle", "frequency", "best"}
    assert parts["weak_spots"][0]["n"] == 480
    profits = {row["risk"]: row["profit"] for row in parts["thresholds"]}
    within = [row["profit"] for row in parts["budgets"] if row["profit"] is not None]
    assert within
    assert max(profits.values()) >= max(within), "the best of all is among those shown"
    assert len(profits) <= len({*GRID, 0.5, 0.72, 0.85}) + 1
    assert parts["profit_assumptions"]["currency"] == MONEY.currency


def test_nobody_scored_makes_empty_parts():
    kinds = np.empty(0, np.uint16)
    parts = judged(NOBODY, {"btyd": np.empty(0)}, kinds, horizon_days=HORIZON_DAYS, period_days=EVERY_DAYS)
    assert (parts["gain"], parts["calibration"], parts["budgets"]) == ([], {"risk": [], "btyd": []}, [])
    assert {row["fired"] for row in parts["thresholds"]} == {0}
    assert parts["profit_assumptions"] is None
