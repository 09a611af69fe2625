"""Idle time against a customer's own rhythm."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.silence import score


@pytest.mark.parametrize(
    ("idle_days", "gap_days", "patience", "expected"),
    [
        (0, 14, 1.0, 0.0),
        (14, 14, 1.0, 0.6321206),
        (42, 14, 1.0, 0.9502129),
        (84, 14, 2.0, 0.9502129),
        (7, 14, 0.5, 0.6321206),
        (1e9, 1, 1.0, 1.0),
    ],
)
def test_score_by_own_gaps(idle_days, gap_days, patience, expected):
    assert score([idle_days], [gap_days], patience)[0] == pytest.approx(expected, abs=5e-8)


def test_score_grows_with_silence_and_shrinks_with_the_usual_gap():
    idle = np.arange(0.0, 200.0)
    assert (np.diff(score(idle, np.full(200, 30.0))) > 0).all()
    assert (np.diff(score(np.full(200, 30.0), idle + 1.0)) < 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([-1], [1]), "idle_days = -1 in row 0"),
        (([1, 1], [1, 0]), "usual_gap_days = 0 in row 1: must be above 0"),
        (([1], [np.nan]), "usual_gap_days = nan"),
        (([1], [1], 0), "patience = 0"),
        (([1], [1, 2]), "differ in length"),
    ],
)
def test_out_of_range_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        score(*arguments)
