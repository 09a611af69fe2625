"""Measures equal their slow definitions, whatever ties there are, and do not depend on the order of the rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import measures
from tests.oracle import measures_twin
from tests.support.examples import examples

P = st.one_of(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 1.0]), st.floats(0.0, 1.0))
ROWS = st.lists(st.tuples(P, st.integers(0, 1)), max_size=60)


@given(ROWS)
@examples(300)
def test_each_measure_equals_its_definition(rows):
    p, left = [row[0] for row in rows], [row[1] for row in rows]
    measured = measures.measure(p, left)
    lift, cap = measures_twin.lift_at_10(p, left)
    expected = {
        "auc": measures_twin.auc(p, left),
        "pr_auc": measures_twin.pr_auc(p, left),
        "log_loss": measures_twin.log_loss(p, left),
        "brier": measures_twin.brier(p, left),
        "ece": measures_twin.ece(p, left),
        "lift_at_10": lift,
        "lift_cap": cap,
    }
    for name, value in expected.items():
        assert getattr(measured, name) == pytest.approx(value, abs=1e-9, nan_ok=True), name


@given(ROWS, st.randoms(use_true_random=False))
@examples(100)
def test_the_order_of_the_rows_does_not_matter(rows, chance):
    shuffled = list(rows)
    chance.shuffle(shuffled)
    first, second = (repr(measures.measure([r[0] for r in some], [r[1] for r in some])) for some in (rows, shuffled))
    assert first == second


@given(ROWS.filter(bool))
@examples(100)
def test_ranking_sees_the_order_of_scores_only_and_turns_over_with_their_sign(rows):
    score, left = np.array([row[0] for row in rows]).round(6), [row[1] for row in rows]
    area = measures.auc(score, left)
    assert measures.auc(score * 8.0 - 3.0, left) == pytest.approx(area, nan_ok=True)
    assert measures.auc(-score, left) == pytest.approx(1.0 - area, nan_ok=True)


@given(ROWS.filter(bool))
@examples(100)
def test_the_loss_of_each_row_has_the_log_loss_as_its_mean(rows):
    p, left = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], np.uint8)
    assert measures.losses(p, left).mean() == pytest.approx(measures.log_loss(p, left), abs=1e-9)
