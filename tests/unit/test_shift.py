"""The shift puts the linear model's mean risk onto the closed form's, whatever the order and the cut of the counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.scored import Scored, scored
from detectors.shift import BOUND, shift


def sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


@pytest.mark.parametrize("off", [-1.0, 0.0, 0.37, 2.0])
def test_the_mean_risk_becomes_the_closed_forms(off: float) -> None:
    logit = np.random.default_rng(7).normal(0.3, 1.2, 5_000)
    closed_form = sigmoid(logit + off)
    found = shift([scored(closed_form, logit, "m")])
    assert found == pytest.approx(off, abs=0.01)
    assert sigmoid(logit + found).mean() == pytest.approx(closed_form.mean(), abs=2e-3)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-20, 20)), min_size=100, max_size=300), st.data())
def test_neither_order_nor_cut_matters(pairs: list[tuple[float, float]], data: st.DataObject) -> None:
    risk, logit = np.array(pairs).T
    whole = shift([scored(risk, logit, "m")])
    order = np.array(data.draw(st.permutations(range(len(pairs)))))
    cut = data.draw(st.integers(0, len(pairs)))
    parts = [scored(risk[part], logit[part], "m") for part in (order[cut:], order[:cut])]
    assert shift(parts) == whole
    assert abs(whole) <= BOUND


def test_a_handful_of_customers_shifts_nothing_and_those_without_a_model_do_not_count() -> None:
    few = scored(np.full(99, 0.9), np.zeros(99), "m")
    assert shift([few]) == 0.0
    assert shift([few, Scored(customers=1_000, closed_form_bp=1)]) == 0.0
    assert shift([few, scored(np.array([0.9]), np.zeros(1), "m")]) == pytest.approx(np.log(9), abs=1e-9)


def test_what_cannot_be_reached_ends_at_the_bound() -> None:
    assert shift([scored(np.ones(200), np.full(200, -15.0), "m")]) == pytest.approx(BOUND)
