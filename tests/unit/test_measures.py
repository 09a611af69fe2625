"""Measures: values worked by hand, what is not defined, what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors import measures
from detectors.measures import Measured, measure


def test_a_list_worked_by_hand():
    """Ten customers, four of whom left, ranked: L S L L S S L S S S, in steps of 0.1 from 0.95 down."""
    p = [0.95, 0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.25, 0.15, 0.05]
    left = [1, 0, 1, 1, 0, 0, 1, 0, 0, 0]
    measured = measure(p, left)
    assert measured.auc == 19 / 24  # the leavers stand above 6, 5, 5 and 3 of 6 stayers
    assert measured.pr_auc == pytest.approx((1 + 2 / 3 + 3 / 4 + 4 / 7) / 4)
    assert measured.brier == pytest.approx(
        (0.05**2 + 0.85**2 + 0.25**2 + 0.35**2 + 0.55**2 + 0.45**2 + 0.65**2 + 0.25**2 + 0.15**2 + 0.05**2) / 10
    )
    # one a bin: the distances of p from what happened
    assert measured.ece == pytest.approx((0.05 + 0.85 + 0.25 + 0.35 + 0.55 + 0.45 + 0.65 + 0.25 + 0.15 + 0.05) / 10)
    assert (measured.lift_at_10, measured.lift_cap) == (2.5, 2.5)
    assert (measured.n, measured.base_rate) == (10, 0.4)


def test_values_published_by_scikit_learn():
    """The examples in its pages for roc_auc_score, average_precision_score, brier_score_loss and log_loss."""
    left, score = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
    assert measures.auc(score, left) == 0.75
    assert measures.pr_auc(score, left) == pytest.approx(0.83, abs=0.005)
    assert measures.brier([0.1, 0.9, 0.8, 0.3], [0, 1, 1, 0]) == pytest.approx(0.0375)
    assert measures.log_loss([0.9, 0.1, 0.2, 0.65], [1, 0, 0, 1]) == pytest.approx(0.21616, abs=5e-6)


def test_equal_scores_at_the_edge_of_the_tenth_share_its_places():
    # 20 customers, 2 places: one leaver above, then five equals of whom one left
    score = [9.0] + [5.0] * 5 + [1.0] * 14
    left = [1] + [1, 0, 0, 0, 0] + [1, 1] + [0] * 12
    lift, cap = measures.lift_at_10(score, left)
    assert lift == pytest.approx((1 + 1 / 5) / 2 / (4 / 20))
    assert cap == pytest.approx(5.0)


def test_where_fewer_leave_than_a_tenth_the_cap_is_what_they_can_fill():
    _, cap = measures.lift_at_10(list(range(100)), [0] * 95 + [1] * 5)
    assert cap == pytest.approx(10.0)  # 5 leavers in 10 places: precision 0.5, of a base rate of 0.05
    _, cap = measures.lift_at_10(list(range(100)), [0] * 60 + [1] * 40)
    assert cap == pytest.approx(1 / 0.4)


NAN = math.nan


@pytest.mark.parametrize(
    ("p", "left", "expected"),
    [
        ([], [], Measured(0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN)),
        ([0.5, 0.5], [0, 0], Measured(2, 0.0, NAN, NAN, math.log(2), 0.25, 0.5, NAN, NAN)),
        ([0.5, 0.5], [1, 1], Measured(2, 1.0, NAN, 1.0, math.log(2), 0.25, 0.5, 1.0, 1.0)),
    ],
    ids=["nobody", "nobody left", "everybody left"],
)
def test_what_is_not_defined_is_nan_and_the_rest_is_measured(p, left, expected):
    measured = measure(p, left)
    for name in Measured.__slots__:
        assert getattr(measured, name) == pytest.approx(getattr(expected, name), nan_ok=True), name


def test_a_wrong_certainty_costs_what_the_clipping_says():
    assert measures.log_loss([0.0], [1]) == pytest.approx(-math.log(1e-6))
    assert measures.log_loss([1.0], [0]) == pytest.approx(-math.log(1e-6))
    assert measures.losses(np.array([0.0, 1.0, 0.5]), np.array([1, 1, 0], np.uint8)) == pytest.approx(
        [-math.log(1e-6), -math.log1p(-1e-6), math.log(2)]
    )


def test_the_last_bin_has_both_its_ends():
    assert measures.ece([1.0, 0.95], [1, 1]) == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("p", "left", "told"),
    [
        ([0.5, math.nan], [0, 1], "score = nan in row 1: must be finite"),
        ([0.5, 0.5], [0, 2], "left = 2 in row 1: must be 0 or 1"),
        ([0.5, 1.5], [0, 1], "p from 0.5 to 1.5: must be probabilities, 0 to 1"),
        ([-0.5, 0.5], [0, 1], "p from -0.5 to 0.5: must be probabilities"),
        ([0.5], [0, 1], "score has 1, left has 2 rows"),
    ],
)
def test_what_cannot_be_measured_is_refused_by_name(p, left, told):
    with pytest.raises(ValueError, match=told):
        measure(p, left)
