"""Which threshold for how many contacts a day: cases worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streams.backtest.budgets import BudgetRow, Budgets, usual_budgets
from streams.backtest.profit import ProfitAssumptions
from streams.backtest.thresholds import Scored
from streams.columns import DAY_MS

MONEY = ProfitAssumptions(100.0, 10.0, 1.0, 0.5, "EUR")
"""A leaver who is contacted is worth 44, anybody else costs 11."""


def once(*customers: tuple[float, bool]) -> Scored:
    """All at one cut-off, each in a spell of their own: (risk, left)."""
    n = len(customers)
    risk, left = (np.array(column) for column in zip(*customers, strict=True))
    return Scored(np.arange(n), np.full(n, 100 * DAY_MS), np.full(n, 60 * DAY_MS), risk.astype(float), left.astype(bool))


PEOPLE = once((0.9994, True), (0.9987, True), (0.9951, False), (0.42, True), (0.4, False), (0.4, True))


def test_without_money_a_budget_is_used_up_also_where_all_of_it_lies_above_99_per_cent():
    budgets = Budgets(PEOPLE, period_days=10.0)
    assert budgets.row(0.1) == BudgetRow(0.1, 0.9994, 0.1, 1.0, 1 / 4, None)
    assert budgets.row(0.2) == BudgetRow(0.2, 0.9987, 0.2, 1.0, 2 / 4, None)
    assert budgets.row(0.4) == BudgetRow(0.4, 0.42, 0.4, 3 / 4, 3 / 4, None)


def test_a_budget_that_equal_risks_straddle_is_met_as_nearly_as_they_allow():
    assert Budgets(PEOPLE, period_days=10.0).row(0.5) == BudgetRow(0.5, 0.42, 0.4, 3 / 4, 3 / 4, None)
    equals = Budgets(once((0.8, True), (0.8, False), (0.8, True), (0.1, False)), period_days=10.0)
    assert equals.row(0.2) == BudgetRow(0.2, None, None, None, None, None, "ties")
    assert equals.row(0.3) == BudgetRow(0.3, 0.8, 0.3, 2 / 3, 1.0, None)


def test_of_thresholds_that_catch_as_many_the_one_that_disturbs_fewest_is_chosen():
    assert Budgets(PEOPLE, period_days=10.0).row(0.3).risk == 0.9987  # the third has stayed


def test_with_money_the_most_profitable_within_the_budget_is_chosen_and_small_budgets_have_theirs():
    budgets = Budgets(PEOPLE, period_days=10.0, given=MONEY)
    assert budgets.row(0.1) == BudgetRow(0.1, 0.9994, 0.1, 1.0, 1 / 4, 44.0)
    assert budgets.row(0.3) == BudgetRow(0.3, 0.9987, 0.2, 1.0, 2 / 4, 88.0)
    assert budgets.row(0.4) == BudgetRow(0.4, 0.42, 0.4, 3 / 4, 3 / 4, 121.0)
    assert budgets.row(math.inf).profit == 44.0 * 4 - 11.0 * 2


def test_that_no_threshold_pays_is_told_apart_from_that_there_is_none():
    equals = Budgets(once((0.8, False), (0.8, False), (0.1, True)), period_days=10.0, given=MONEY)
    assert equals.row(0.1).none == "ties"
    assert equals.row(0.2).none == "loses"
    assert equals.row(0.3) == BudgetRow(0.3, 0.1, 0.3, 1 / 3, 1.0, 22.0)


def test_a_budget_under_one_contact_in_all_is_not_asked_about():
    assert Budgets(PEOPLE, period_days=10.0).usual() == [0.1, 0.2, 0.5]
    assert Budgets(PEOPLE, period_days=1000.0).usual() == []


@pytest.mark.parametrize(("most", "budgets"), [(60.0, [1.0, 2.0, 5.0, 10.0, 20.0, 50.0]), (0.03, [0.01, 0.02]), (0.0, [])])
def test_budgets_worth_asking_about(most, budgets):
    assert usual_budgets(most) == budgets
