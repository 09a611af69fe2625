"""The baselines of a backtest, and how scores that only rank become probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from detectors.measures import auc
from detectors.parameters import SHIPPED
from detectors.served import ServedModel
from streams.backtest.scores import fit_curve, scored
from streams.columns import DAY_MS
from streams.customer import new_records
from tests.support.examples import examples


def test_scores_of_one_customer_worked_out_by_hand():
    rows = new_records(1)
    rows["purchases"], rows["purchase_days"], rows["first_day"] = 4, 3, 100
    rows["recent_days"][0, :3] = 220, 150, 100
    rows["last_purchase_ms"] = 220 * DAY_MS + DAY_MS // 4
    at_ms = 250 * DAY_MS
    found = scored(rows, at_ms, ServedModel(SHIPPED, 90.0))
    assert found["idle"].tolist() == [29.75]
    assert found["frequency"].tolist() == [-4 / 180]
    q = ((SHIPPED.alpha_days + 120) / (SHIPPED.alpha_days + 150)) ** (SHIPPED.r + 2)
    s = ((SHIPPED.alpha_days + 150) / (SHIPPED.alpha_days + 240)) ** (SHIPPED.r + 2)
    c = SHIPPED.a / (SHIPPED.b + 2)
    assert found["btyd"] == pytest.approx([(c + q * s) / (q + c)])
    assert found["risk"].tolist() == found["btyd"].tolist()


@given(st.integers(0, 2**32 - 1), st.sampled_from(["idle", "frequency"]), st.integers(5, 60))
@examples(60)
def test_a_curve_is_the_likeliest_and_keeps_the_order(seed, name, n):
    rng = np.random.default_rng(seed)
    score = rng.gamma(1.0, 40.0, n) if name == "idle" else -rng.gamma(2.0, 0.02, n) - 1e-4
    score = np.concatenate([score, np.repeat([score.min(), score.max()], 2)])
    left = np.concatenate([rng.uniform(size=n) < rng.uniform(), [True, False, True, False]])  # so that nothing separates them
    curve = fit_curve(name, score, left)
    z = np.log1p(score) if name == "idle" else -np.log(-score)

    def loss(at):
        logit = at[0] + at[1] * z
        return np.logaddexp(0, np.where(left, -logit, logit)).mean()

    best = minimize(loss, [0.0, 0.0]).fun
    assert loss([curve.intercept, curve.slope]) == pytest.approx(best, abs=1e-4)
    assert curve.p(score).mean() == pytest.approx(left.mean(), abs=1e-3)
    ranked = auc(curve.p(score), left)
    assert ranked == pytest.approx(auc(score, left) if curve.slope > 0 else 1 - auc(score, left), abs=1e-9)


@pytest.mark.parametrize("left", [[True, True], [False, False]])
def test_nothing_is_learnt_where_all_did_the_same(left):
    assert fit_curve("idle", np.array([1.0, 2.0]), np.array(left)) is None


def test_a_score_that_separates_gives_a_finite_curve():
    curve = fit_curve("idle", np.array([1.0, 2.0, 30.0, 40.0]), np.array([False, False, True, True]))
    p = curve.p(np.array([1.0, 2.0, 30.0, 40.0]))
    assert np.isfinite(p).all()
    assert p[:2].max() < 0.05
    assert p[2:].min() > 0.95
