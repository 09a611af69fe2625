"""MBG/NBD closed forms against quadrature from the model's definition, limits, and refusals."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gammaln
from scipy.stats import beta, gamma

from detectors import btyd
from detectors.parameters import SHIPPED

HISTORIES = [(0, 0, 0), (0, 0, 60), (1, 30, 31), (1, 2, 400), (2, 213, 272), (7, 180, 200), (7, 20, 200), (25, 300, 365)]


def integrals(x, t_x, T, h):
    """Likelihoods by quadrature over rate and chance to leave: (gone at t_x, here at T, here and silent to T + h)."""
    rates = gamma(SHIPPED.r + x, scale=1.0 / (SHIPPED.alpha_days + t_x))
    norm = exp(gammaln(SHIPPED.r + x) - gammaln(SHIPPED.r)) * SHIPPED.alpha_days**SHIPPED.r
    norm /= (SHIPPED.alpha_days + t_x) ** (SHIPPED.r + x)

    def over_rates(silence):  # E[rate^x exp(-rate (t_x + silence))]
        split = rates.ppf(0.5)
        f = lambda rate: rates.pdf(rate) * exp(-rate * silence)  # noqa: E731 (a one-line integrand)
        return norm * (quad(f, 0, split, limit=200)[0] + quad(f, split, rates.ppf(1 - 1e-15), limit=200)[0])

    def over_chances(f):
        return quad(lambda p: f(p) * beta.pdf(p, SHIPPED.a, SHIPPED.b), 0, 1, limit=200)[0]

    stayed, left = over_chances(lambda p: (1 - p) ** (x + 1)), over_chances(lambda p: p * (1 - p) ** x)
    return left * over_rates(0.0), stayed * over_rates(T - t_x), stayed * over_rates(T - t_x + h)


@pytest.mark.parametrize(("x", "t_x", "T"), HISTORIES)
def test_closed_forms_equal_the_integrals_they_come_from(x, t_x, T):
    gone, here, silent = integrals(x, t_x, T, 90.0)
    assert btyd.p_alive(SHIPPED, [x], [t_x], [T])[0] == pytest.approx(here / (gone + here), rel=1e-5)
    assert btyd.p_no_purchase(SHIPPED, [x], [t_x], [T], 90.0)[0] == pytest.approx((gone + silent) / (gone + here), rel=1e-5)
    assert btyd.log_likelihood(SHIPPED, [x], [t_x], [T])[0] == pytest.approx(np.log(gone + here), abs=1e-5)


def test_the_logit_is_that_of_the_risk_and_stays_finite_where_the_risk_rounds_to_one():
    x, t_x, T = (np.array(column) for column in zip(*HISTORIES, strict=True))
    risk = btyd.p_no_purchase(SHIPPED, x, t_x, T, 90.0)
    assert btyd.logit_no_purchase(SHIPPED, x, t_x, T, 90.0) == pytest.approx(np.log(risk / (1 - risk)), abs=1e-9)
    assert btyd.p_no_purchase(SHIPPED, [2000], [700], [9000], 90.0)[0] == 1.0
    assert 100 < btyd.logit_no_purchase(SHIPPED, [2000], [700], [9000], 90.0)[0] < np.inf


def test_extremes_give_probabilities_without_warnings():
    with np.errstate(all="raise", under="ignore"):
        risk = btyd.p_no_purchase(SHIPPED, [0, 1e5, 1e5], [0, 0, 1e5], [1e5, 1e5, 1e5], 1e-3)
    assert ((risk >= 0) & (risk <= 1)).all()
    assert risk[1] == 1.0


def test_basis_points_round_half_to_even_and_reach_both_ends():
    assert btyd.to_basis_points([0.0, 0.00005, 0.5, 0.99996, 1.0]).tolist() == [0, 0, 5000, 10000, 10000]


def test_no_customers_give_no_values():
    assert btyd.p_no_purchase(SHIPPED, [], [], [], 90.0).shape == (0,)
    assert btyd.to_basis_points([]).dtype == np.uint16


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([-1], [0], [1]), "x = -1 in row 0: must be 0 or more"),
        (([1, np.nan], [0, 0], [1, 1]), "x = nan in row 1"),
        (([1, 1], [0, 5], [1, 4]), "t_x_days = 5 in row 1: must not be above T_days = 4"),
        (([1], [0], [np.inf]), "T_days = inf"),
        (([1, 2], [0], [1]), "columns differ in length: x has 2, t_x_days has 1, T_days has 1 rows"),
        (([[1]], [0], [1]), "x has 2 dimensions"),
    ],
)
def test_histories_out_of_range_are_refused_by_name(columns, message):
    with pytest.raises(ValueError, match=message):
        btyd.p_no_purchase(SHIPPED, *columns, 90.0)


@pytest.mark.parametrize("horizon", [0, -1, np.nan, np.inf])
def test_a_horizon_must_be_a_time_ahead(horizon):
    with pytest.raises(ValueError, match=r"horizon_days = .*: must be above 0"):
        btyd.p_no_purchase(SHIPPED, [1], [1], [2], horizon)


@pytest.mark.parametrize("p", [-0.1, 1.0001, np.nan])
def test_what_is_no_probability_has_no_basis_points(p):
    with pytest.raises(ValueError, match="p = "):
        btyd.to_basis_points([0.5, p])
