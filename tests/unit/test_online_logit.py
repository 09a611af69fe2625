"""The learner: its step against the textbook's, its state to the byte, and as a classifier of River."""

from __future__ import annotations

import math

import numpy as np
import pytest
import river.checks
from numpy.typing import NDArray
from river import base

from detectors.design import CLOSED_FORM, COLUMNS, design, prior_mean, prior_variance
from detectors.online_logit import DRIFT, FLOOR, LABEL_WEIGHT, BayesianLogit
from detectors.parameters import SHIPPED
from tests.oracle import kalman_twin
from tests.support.might_be import customers

Numbers = NDArray[np.float64]


def labels(n: int, seed: int = 1) -> tuple[Numbers, Numbers]:
    """Rows of the design, and outcomes that the closed form tells and a complaint doubles the odds of."""
    x = design(customers(n, seed), SHIPPED, 90.0)
    logit = x[:, CLOSED_FORM] + 2.0 * x[:, COLUMNS.index("complaints_30d")]
    return x, (np.random.default_rng([seed, 2]).random(n) < 1 / (1 + np.exp(-logit))).astype(float)


def learnt(n: int, **settings: float) -> BayesianLogit:
    model = BayesianLogit(**settings)
    for x, left in zip(*labels(n), strict=True):
        model.learn(x, left)
    return model


@pytest.mark.parametrize("settings", [{}, {"label_weight": 1.0, "drift": 1e-4}, {"floor": 0.25}])
def test_a_step_is_the_textbooks(settings: dict[str, float]) -> None:
    model = BayesianLogit(**settings)
    mean, covariance = prior_mean(), np.diag(prior_variance())
    for x, left in zip(*labels(60), strict=True):
        model.learn(x, left)
        constants = model.label_weight, model.drift, model.floor, prior_variance()
        mean, covariance = kalman_twin.step(mean, covariance, x, left, *constants)
    assert not np.allclose(mean, prior_mean())
    assert model.mean == pytest.approx(mean, rel=1e-6, abs=1e-9)
    assert model.covariance == pytest.approx(covariance, rel=1e-6, abs=1e-9)


def test_before_any_label_it_is_the_closed_form() -> None:
    x, _ = labels(50)
    assert [BayesianLogit().logit(row) for row in x] == x[:, CLOSED_FORM].tolist()


def test_the_covariance_stays_symmetric_to_the_bit_and_positive() -> None:
    covariance = learnt(3_000).covariance
    assert (covariance == covariance.T).all()
    assert np.linalg.eigvalsh(covariance).min() > 0
    assert (np.diagonal(covariance) <= prior_variance()).all()


def test_what_the_labels_say_is_learnt() -> None:
    model = learnt(6_000)
    at = COLUMNS.index("complaints_30d")
    x, _ = labels(2_000, seed=9)
    complained = x[:, at] > 0
    wanted = x[complained, CLOSED_FORM] + 2.0 * x[complained, at]
    found = np.array([model.logit(row) for row in x[complained]])
    assert abs((found - wanted).mean()) < 0.4
    assert (found - x[complained, CLOSED_FORM]).mean() > 1.2
    assert abs(np.mean([model.logit(row) - row[CLOSED_FORM] for row in x[~complained]])) < 0.2


def test_a_label_of_certain_outcome_changes_little_and_one_against_it_much() -> None:
    x = np.zeros(len(COLUMNS))
    x[CLOSED_FORM] = 6.0
    expected, against = BayesianLogit(), BayesianLogit()
    expected.learn(x, 1.0)
    against.learn(x, 0.0)
    assert abs(expected.logit(x) - 6.0) < 0.01 < 0.1 < 6.0 - against.logit(x)


@pytest.mark.parametrize("logit", [-1e6, 1e6])
def test_log_odds_beyond_all_measure_leave_it_finite(logit: float) -> None:
    x = np.zeros(len(COLUMNS))
    x[CLOSED_FORM] = logit
    model = BayesianLogit()
    model.learn(x, 0.0)
    model.learn(x, 1.0)
    assert np.isfinite(model.mean).all()
    assert np.isfinite(model.covariance).all()
    assert sum(model.predict_proba_one({COLUMNS[CLOSED_FORM]: logit}).values()) == 1.0


def test_by_name_and_by_array_it_is_the_same_model() -> None:
    by_name, by_array = BayesianLogit(), BayesianLogit()
    for x, left in zip(*labels(200), strict=True):
        named = dict(zip(COLUMNS, x.tolist(), strict=True))
        p = by_name.predict_proba_one(named)[True]
        assert p == pytest.approx(1.0 / (1.0 + math.exp(-by_array.logit(x))), rel=1e-14)
        by_name.learn_one(named, bool(left))
        by_array.learn(x, left)
    assert by_name.to_bytes() == by_array.to_bytes()


def test_what_was_stored_goes_on_as_if_it_had_not_been() -> None:
    straight, stored = BayesianLogit(0.5, 1e-5, 0.1), BayesianLogit(0.5, 1e-5, 0.1)
    for k, (x, left) in enumerate(zip(*labels(300), strict=True)):
        straight.learn(x, left)
        stored.learn(x, left)
        if k % 70 == 0:
            stored = BayesianLogit.from_bytes(stored.to_bytes(), 0.5, 1e-5, 0.1)
    assert stored.to_bytes() == straight.to_bytes()
    assert stored.labels == 300


def test_a_state_of_other_columns_is_refused() -> None:
    model = BayesianLogit()
    model.mean = model.mean[:-1]
    with pytest.raises(ValueError, match=f"this release has {len(COLUMNS)}"):
        BayesianLogit.from_bytes(model.to_bytes())
    with pytest.raises(ValueError, match="no state of this learner"):
        BayesianLogit.from_bytes(b"\x93\x01\x02\x03")


def test_how_it_learns_on_is_said_by_who_reads_it_and_not_by_the_bytes() -> None:
    stored = BayesianLogit(0.5, 1e-5, 0.1)
    x, left = labels(20)
    stored.learn(x[0], left[0])
    found = BayesianLogit.from_bytes(stored.to_bytes())
    assert (found.label_weight, found.drift, found.floor) == (LABEL_WEIGHT, DRIFT, FLOOR)
    assert np.array_equal(found.mean, stored.mean)
    assert np.array_equal(found.covariance, stored.covariance)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["mean", "covariance"])
def test_a_state_that_is_not_finite_is_refused(name: str, value: float) -> None:
    model = BayesianLogit()
    getattr(model, name).flat[7] = value
    with pytest.raises(ValueError, match="not finite: it is spoilt; learn again from the labels"):
        BayesianLogit.from_bytes(model.to_bytes())


def test_it_keeps_rivers_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """River's own checks of an estimator, on rows of the design (its own sets need packages that are not here)."""
    x, left = labels(40)
    stream = [(dict(zip(COLUMNS, row, strict=True)), bool(y)) for row, y in zip(x.tolist(), left.tolist(), strict=True)]
    monkeypatch.setattr(river.checks, "_yield_datasets", lambda _model, scale=1: iter([stream * scale]))
    model = BayesianLogit()
    assert isinstance(model, base.Classifier)
    names = []
    for check in river.checks.yield_checks(model):
        names.append(check.__name__)
        check(model.clone())
    assert {"check_learn_one", "check_predict_proba_one_binary", "check_emerging_features", "check_clone_is_independent"} < set(
        names
    )
    assert len(names) >= 25
