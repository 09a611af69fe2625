"""The fit finds the customers that were simulated, says so in days, and refuses what cannot be fitted."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.btyd import log_likelihood, p_no_purchase
from detectors.column import non_negative
from detectors.fit import PRIOR_SD, fit_mbg_nbd, group, loss_and_slope
from detectors.parameters import BtydParameters
from tests.support.lives import Lives, simulate

TRUTHS = [(0.9, 35.0, 0.7, 3.0), (2.5, 60.0, 0.4, 1.2)]
N = 12_000


def lives_of(truth, seed) -> Lives:
    r, alpha_days, a, b = truth
    T_days = np.random.default_rng(seed).uniform(90.0, 540.0, N)
    return simulate(N, r=r, alpha_days=alpha_days, a=a, b=b, T_days=T_days, horizon_days=90.0, seed=seed)


def parameters(r, alpha_days, a, b) -> BtydParameters:
    return BtydParameters("mbg_nbd", "t", r, alpha_days, a, b, N, None, None, "truth")


@pytest.fixture(scope="module", params=TRUTHS, ids=["mixed", "steady"])
def case(request):
    lives = lives_of(request.param, seed=11)
    return request.param, lives, fit_mbg_nbd(lives.x, lives.t_x_days, lives.T_days, version="v", source="s", fitted_at_ms=7)


def test_simulated_parameters_are_recovered(case):
    truth, _, fitted = case
    assert (fitted.r, fitted.alpha_days) == pytest.approx(truth[:2], rel=0.12)
    assert fitted.a / (fitted.a + fitted.b) == pytest.approx(truth[2] / (truth[2] + truth[3]), rel=0.06)
    assert (fitted.a, fitted.b) == pytest.approx(truth[2:], rel=0.25)


def test_the_fit_is_likelier_than_the_truth_but_no_more_than_chance_allows(case):
    truth, lives, fitted = case
    of_truth = log_likelihood(parameters(*truth), lives.x, lives.t_x_days, lives.T_days).sum()
    gain = 2.0 * (fitted.log_likelihood - of_truth)
    assert 0.0 <= gain < 23.5  # chi-squared with 4 degrees of freedom, p = 1e-4


def test_the_log_likelihood_in_the_snapshot_is_that_of_its_parameters(case):
    _, lives, fitted = case
    again = log_likelihood(fitted, lives.x, lives.t_x_days, lives.T_days).sum()
    assert fitted.log_likelihood == pytest.approx(again, rel=1e-9)


def test_fitted_risk_is_what_then_happened_in_every_fifth_of_the_risk(case):
    _, lives, fitted = case
    risk = p_no_purchase(fitted, lives.x, lives.t_x_days, lives.T_days, 90.0)
    for rows in np.array_split(np.argsort(risk, kind="stable"), 5):
        expected, happened = risk[rows].mean(), lives.silent_ahead[rows].mean()
        error = np.sqrt(expected * (1 - expected) / len(rows))
        assert abs(happened - expected) < 4 * error + 0.005


def test_the_snapshot_says_what_it_was_made_from(case):
    fitted = case[2]
    assert (fitted.model, fitted.version, fitted.source, fitted.customers, fitted.fitted_at_ms) == ("mbg_nbd", "v", "s", N, 7)


def test_the_gradient_is_that_of_the_loss():
    lives = lives_of(TRUTHS[0], seed=3)
    histories = group(*(non_negative("c", np.round(c)[:500]) for c in lives[:3]))
    for at in np.random.default_rng(5).normal(0.0, 1.0, (5, 4)):
        _, slope = loss_and_slope(at, histories)
        for i in range(4):
            step = np.eye(4)[i] * 1e-5
            by_difference = (loss_and_slope(at + step, histories)[0] - loss_and_slope(at - step, histories)[0]) / 2e-5
            assert slope[i] == pytest.approx(by_difference, abs=1e-6)


def test_equal_histories_are_weighed_once_and_order_does_not_matter():
    x, t_x, T = np.array([1, 0, 1, 1] * 20), np.array([5, 0, 5, 6] * 20), np.array([10, 9, 10, 12] * 20)
    histories = group(*(non_negative("c", c) for c in (x, t_x, T)))
    rows = zip(histories.x, histories.t_x * histories.unit_days, histories.T * histories.unit_days, histories.weight, strict=True)
    assert sorted(tuple(round(float(v), 9) for v in row) for row in rows) == [(0, 0, 9, 20), (1, 5, 10, 40), (1, 6, 12, 20)]
    backwards = fit_mbg_nbd(x[::-1], t_x[::-1], T[::-1], version="v", source="s")
    assert backwards == fit_mbg_nbd(x, t_x, T, version="v", source="s")


def test_customers_who_never_leave_still_fit_with_next_to_no_chance_to_leave():
    rng = np.random.default_rng(2)
    T = np.full(400, 300.0)
    x = rng.poisson(12, 400) + 1
    t_x = T - rng.exponential(20.0, 400).clip(max=200.0)
    fitted = fit_mbg_nbd(x, t_x, T, version="v", source="s")
    assert fitted.a / (fitted.a + fitted.b) < 0.01


@pytest.mark.parametrize(
    ("x", "t_x", "T", "message"),
    [
        ([1] * 49, [5] * 49, [9] * 49, "49 customers: a fit needs at least 50"),
        ([], [], [], "0 customers: a fit needs at least 50"),
        ([0] * 60, [0] * 60, [9] * 60, "no customer has a second purchase day"),
        ([1] * 60, [9] * 60, [9] * 60, "set T_days to the end of the log"),
        ([1] * 60, [9] * 60, [8] * 60, "t_x_days = 9 in row 0"),
    ],
)
def test_too_little_to_fit_on_is_said(x, t_x, T, message):
    with pytest.raises(ValueError, match=message):
        fit_mbg_nbd(x, t_x, T, version="v", source="s")


def test_a_prior_says_what_a_short_history_cannot_and_is_outvoted_by_a_long_one(case):
    """In ten weeks hardly anybody can be seen to have left."""
    truth, lives, fitted = case
    prior = parameters(1.0, 1.0, truth[2] * 1.5, truth[3] * 1.5)
    off = {"alone": 0.0, "helped": 0.0}
    for seed in range(12):
        short = simulate(
            200, r=truth[0], alpha_days=truth[1], a=truth[2], b=truth[3], T_days=np.full(200, 70.0), horizon_days=90.0, seed=seed
        )
        for name, one in (("alone", None), ("helped", prior)):
            found = fit_mbg_nbd(short.x, short.t_x_days, short.T_days, version="v", source="s", prior=one)
            off[name] += abs(np.log(found.a / truth[2])) + abs(np.log(found.b / truth[3]))
    assert off["helped"] < 0.6 * off["alone"]
    long = fit_mbg_nbd(lives.x, lives.t_x_days, lives.T_days, version="v", source="s", prior=prior)
    assert (long.r, long.alpha_days, long.a, long.b) == pytest.approx((fitted.r, fitted.alpha_days, fitted.a, fitted.b), rel=0.1)


def test_with_a_prior_the_end_is_the_top_of_likelihood_and_prior_together(case):
    _, lives, _ = case
    rows = slice(0, 300)
    prior = parameters(1.0, 1.0, 0.2, 5.0)
    columns = lives.x[rows], lives.t_x_days[rows], lives.T_days[rows]
    found = fit_mbg_nbd(*columns, version="v", source="s", prior=prior)

    def posterior(r, alpha_days, a, b) -> float:
        pull = (np.log(a / prior.a) ** 2 + np.log(b / prior.b) ** 2) / (2 * PRIOR_SD**2)
        return float(log_likelihood(parameters(r, alpha_days, a, b), *columns).sum()) - pull

    best = found.r, found.alpha_days, found.a, found.b
    top = posterior(*best)
    for place in range(4):
        for factor in (0.98, 1.02):
            assert posterior(*(value * factor if k == place else value for k, value in enumerate(best))) < top
    assert found.log_likelihood == pytest.approx(float(log_likelihood(found, *columns).sum()), rel=1e-9)
