"""Profit of a campaign, against the formula of the paper and sums done by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.backtest.profit import Campaign, ProfitAssumptions, break_even_success_rate, campaign

PAPER = ProfitAssumptions(customer_value=200.0, offer_cost=10.0, contact_cost=1.0, success_rate=0.3, currency="EUR")
"""The values of Verbraken et al. 2013, their mean success rate."""

MONEY = st.floats(0.0, 1e6)
ASSUMPTIONS = st.builds(ProfitAssumptions, st.floats(0.01, 1e6), MONEY, MONEY, st.floats(0.0, 1.0), st.just("EUR"))


@st.composite
def contacts(draw: st.DrawFn) -> tuple[int, int]:
    contacted = draw(st.integers(0, 10_000))
    return contacted, draw(st.integers(0, contacted))


def test_one_leaver_brings_56_and_one_stayer_costs_11_at_the_values_of_the_paper():
    assert campaign(1, 1, PAPER).profit == pytest.approx(200 * (0.3 * (1 - 0.05) - 0.005))
    assert campaign(1, 1, PAPER).profit == pytest.approx(56.0)
    assert campaign(1, 0, PAPER).profit == pytest.approx(-11.0)


@given(counts=contacts(), given=ASSUMPTIONS)
def test_profit_is_that_of_the_paper_leaver_by_leaver_and_stayer_by_stayer(counts, given):
    contacted, left = counts
    V, d, f, g = given.customer_value, given.offer_cost, given.contact_cost, given.success_rate
    leaver, stayer = V * (g * (1 - d / V) - f / V), -V * (d / V + f / V)
    scale = contacted * (V + d + f) + 1.0
    assert campaign(contacted, left, given).profit == pytest.approx(left * leaver + (contacted - left) * stayer, abs=1e-9 * scale)


def test_nobody_contacted_costs_nothing():
    assert campaign(0, 0, PAPER) == Campaign(0.0, 0.0, 0.0)


@given(counts=contacts(), given=ASSUMPTIONS)
def test_at_the_rate_that_breaks_even_nothing_is_won_or_lost(counts, given):
    contacted, left = counts
    rate = break_even_success_rate(contacted, left, given)
    scale = contacted * (given.customer_value + given.offer_cost + given.contact_cost) + 1.0
    if rate is None:
        best = ProfitAssumptions(given.customer_value, given.offer_cost, given.contact_cost, 1.0, "EUR")
        assert campaign(contacted, left, best).profit < 1e-9 * scale
    else:
        at_it = ProfitAssumptions(given.customer_value, given.offer_cost, given.contact_cost, rate, "EUR")
        assert campaign(contacted, left, at_it).profit == pytest.approx(0.0, abs=1e-9 * scale)


@pytest.mark.parametrize(("contacted", "left"), [(1, 2), (-1, -1), (3, -1)])
def test_counts_that_cannot_be_are_refused(contacted, left):
    with pytest.raises(ValueError, match="contacted"):
        campaign(contacted, left, PAPER)
    with pytest.raises(ValueError, match="contacted"):
        break_even_success_rate(contacted, left, PAPER)


def test_every_assumption_out_of_range_is_named_at_once():
    with pytest.raises(ValueError, match="customer_value") as caught:
        ProfitAssumptions(0.0, -1.0, float("nan"), 1.5, "pounds")
    assert [line.split()[0] for line in str(caught.value).splitlines()] == [
        "offer_cost", "contact_cost", "customer_value", "success_rate", "currency",
    ]  # fmt: skip
