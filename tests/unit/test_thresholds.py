"""Thresholds: cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from streams.backtest.profit import ProfitAssumptions
from streams.backtest.thresholds import Scored, ThresholdRow, threshold_rows
from streams.columns import DAY_MS


def scored(*entries: tuple[int, int, int, float, bool]) -> Scored:
    customer, at_day, last_day, risk, left = (np.array(column) for column in zip(*entries, strict=True))
    return Scored(customer, at_day * DAY_MS, last_day * DAY_MS, risk.astype(float), left)


ANNA = [(1, 30, 10, 0.4, True), (1, 60, 10, 0.8, True), (1, 90, 10, 0.9, True)]  # never comes back
BELA = [(2, 30, 25, 0.3, False), (2, 60, 25, 0.7, False), (2, 90, 80, 0.2, True)]  # comes back once, then no more
CIRO = [(3, 90, 70, 0.6, False)]


def test_a_customer_is_contacted_once_in_a_spell_of_silence():
    (row,) = threshold_rows(scored(*ANNA, *BELA, *CIRO), [0.5], horizon_days=90, period_days=90)
    assert row == ThresholdRow(0.5, 3, 3 / 90, 1 / 3, 1 / 2, 40.0)  # Anna, on day 60; Bela and Ciro for nothing


def test_a_lower_threshold_is_earlier_and_catches_more():
    (row,) = threshold_rows(scored(*ANNA, *BELA, *CIRO), [0.2], horizon_days=90, period_days=90)
    assert row == ThresholdRow(0.2, 4, 4 / 90, 1 / 2, 1.0, 75.0)  # Anna 70 days early, Bela's second spell 80


def test_a_contact_after_the_horizon_has_a_lead_below_zero():
    (row,) = threshold_rows(scored((1, 120, 10, 0.9, True)), [0.5], horizon_days=90, period_days=30)
    assert row.lead_time_days_p50 == -20.0


def test_a_risk_that_sinks_and_rises_again_is_no_second_contact():
    entries = [(1, day, 0, risk, True) for day, risk in [(10, 0.8), (20, 0.1), (30, 0.8), (40, 0.95)]]
    fired = [row.fired for row in threshold_rows(scored(*entries), [0.05, 0.8, 0.9], horizon_days=90, period_days=30)]
    assert fired == [1, 1, 1]


def test_where_nobody_is_contacted_nothing_is_divided_by():
    given = ProfitAssumptions(100.0, 10.0, 1.0, 0.5, "EUR")
    (row,) = threshold_rows(scored(*CIRO), [0.9], horizon_days=90, period_days=30, given=given)
    assert row == ThresholdRow(0.9, 0, 0.0, None, None, None, 0.0, 0.0, 0.0, None)


@pytest.mark.parametrize(("horizon", "period"), [(0, 30), (90, 0), (float("nan"), 30)])
def test_a_horizon_or_period_of_nothing_is_refused(horizon, period):
    with pytest.raises(ValueError, match="must be above 0"):
        threshold_rows(scored(*CIRO), [0.5], horizon_days=horizon, period_days=period)
