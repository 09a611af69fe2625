"""Thresholds against their slow twin, on purchases, cut-offs and risks of all kinds; and what must hold of any."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.backtest.budgets import Budgets, usual_budgets
from streams.backtest.profit import ProfitAssumptions
from streams.backtest.thresholds import Scored, threshold_rows
from tests.oracle.thresholds_twin import Counted, Score, count, lives_scored

HORIZON_DAYS = 20
MONEY = ProfitAssumptions(200.0, 10.0, 1.0, 0.3, "GBP")
RISKS = st.sampled_from([0.0, 0.2, 0.4, 0.4001, 0.6, 0.8, 1.0])


@st.composite
def scored_lives(draw: st.DrawFn) -> list[Score]:
    day = st.integers(0, 120)
    purchases = draw(st.lists(st.lists(day, max_size=8, unique=True).map(sorted), max_size=6))
    cutoffs = draw(st.lists(day, max_size=8, unique=True))
    scores = lives_scored(purchases, cutoffs, draw(st.lists(RISKS, min_size=1, max_size=17)), HORIZON_DAYS)
    return draw(st.permutations(scores))


def columns(scores: list[Score]) -> Scored:
    customer, at_ms, last_ms, risk, left = zip(*scores, strict=True) if scores else ((),) * 5
    return Scored(
        np.array(customer, np.int64), np.array(at_ms, np.int64), np.array(last_ms, np.int64),
        np.array(risk, np.float64), np.array(left, bool),
    )  # fmt: skip


def rows_of(scores, thresholds, money=None):
    return threshold_rows(columns(scores), thresholds, horizon_days=HORIZON_DAYS, period_days=50.0, given=money)


@given(scores=scored_lives(), thresholds=st.lists(RISKS, min_size=1, max_size=7))
@settings(max_examples=300, deadline=None)
def test_every_threshold_counts_as_the_walk_through_the_spells(scores, thresholds):
    rows = rows_of(scores, thresholds, MONEY)
    assert [row.risk for row in rows] == sorted(set(thresholds))
    for row in rows:
        want = count(scores, row.risk, HORIZON_DAYS)
        assert row.fired == want.fired
        assert row.per_day == want.fired / 50.0
        assert row.precision == (want.caught / want.fired if want.fired else None)
        assert row.recall == (want.caught / want.leaving if want.leaving else None)
        assert row.lead_time_days_p50 == want.lead_days_p50
        kept = 0.3 * want.caught
        assert row.saved == pytest.approx(kept)
        assert row.cost == pytest.approx(want.fired + 10.0 * (want.fired - want.caught + kept))
        assert row.profit == pytest.approx(200.0 * kept - row.cost)


@given(scores=scored_lives())
@settings(max_examples=150, deadline=None)
def test_a_higher_threshold_fires_and_catches_no_more_and_the_lowest_catches_all(scores):
    rows = rows_of(scores, [0.0, 0.2, 0.4, 0.4001, 0.6, 0.8, 1.0])
    for lower, higher in pairwise(rows):
        assert higher.fired <= lower.fired
        assert (higher.recall or 0.0) <= (lower.recall or 0.0)
    assert rows[0].fired == len({(score.customer, score.last_purchase_ms) for score in scores})
    if any(score.left for score in scores):
        assert rows[0].recall == 1.0


@given(scores=scored_lives(), budgets=st.lists(st.sampled_from([0.01, 0.02, 0.1, 0.2, 1.0]), max_size=4), money=st.booleans())
@settings(max_examples=150, deadline=None)
def test_no_threshold_within_the_budget_is_better_than_the_one_chosen(scores, budgets, money):
    """By brute force: of all thresholds there are, those between the risks that occur do what the risk above them does."""
    found = Budgets(columns(scores), 50.0, MONEY if money else None)
    risks = sorted({score.risk for score in scores} - {0.0}, reverse=True)
    counted = [(risk, count(scores, risk, HORIZON_DAYS)) for risk in risks]
    for budget in budgets:
        best = found.row(budget)
        within = [(worth(one, money), risk, one) for risk, one in counted if 0 < one.fired <= 50 * budget + 1e-9]
        highest = max((value for value, _, _ in within), default=0.0)
        if best.risk is None:
            assert best.none == ("loses" if within else "ties")
            assert not within or (money and highest <= 0)
            continue
        value, risk, one = next(row for row in within if row[0] == highest)
        assert (best.risk, best.contacts_per_day, best.precision) == (risk, one.fired / 50, one.caught / one.fired)
        assert best.recall == (one.caught / one.leaving if one.leaving else None)
        assert best.profit == (pytest.approx(value) if money else None)


def worth(one: Counted, money: bool) -> float:
    kept = 0.3 * one.caught
    return round(200.0 * kept - one.fired - 10.0 * (one.fired - one.caught + kept), 6) if money else one.caught


@given(most=st.floats(0.0, 1e9))
def test_budgets_worth_asking_about_ascend_to_what_all_contacts_need(most):
    budgets = usual_budgets(most)
    assert budgets == sorted(set(budgets))
    assert len(budgets) <= 6
    assert all(budget <= most for budget in budgets)
    if 0.01 <= most < 5e6:
        assert budgets[-1] * 2.5 >= most
