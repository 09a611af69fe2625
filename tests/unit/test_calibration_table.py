"""Calibration by tenths, against a loop over the customers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.backtest.calibration_table import CalibrationRow, calibration_rows

CUSTOMERS = st.lists(st.tuples(st.integers(0, 1000).map(lambda k: k / 1000), st.booleans()), max_size=50)


@given(customers=CUSTOMERS)
def test_bins_are_those_of_a_loop(customers):
    bins: dict[int, list[tuple[float, bool]]] = {}
    for p, left in customers:
        bins.setdefault(min(int(p * 10), 9), []).append((p, left))
    rows = calibration_rows(np.array([p for p, _ in customers]), np.array([left for _, left in customers], bool))
    assert [row.tenth for row in rows] == sorted(bins)
    assert [row.n for row in rows] == [len(members) for _, members in sorted(bins.items())]
    for row, (_, members) in zip(rows, sorted(bins.items()), strict=True):
        assert row.p == pytest.approx(sum(p for p, _ in members) / len(members))
        assert row.observed == sum(left for _, left in members) / len(members)
    assert sum(row.n for row in rows) == len(customers)


def test_nobody_makes_no_bin():
    assert calibration_rows(np.array([]), np.array([], bool)) == []


def test_a_score_of_one_is_in_the_last_bin_and_edges_belong_to_the_bin_above():
    p = np.array([0.0, 0.1, 0.1999, 0.2, 1.0])
    assert calibration_rows(p, np.array([False, True, False, True, True])) == [
        CalibrationRow(0, 0.0, 0.0, 1), CalibrationRow(1, pytest.approx(0.14995), 0.5, 2), CalibrationRow(2, 0.2, 1.0, 1),
        CalibrationRow(9, 1.0, 1.0, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match="probabilities"):
        calibration_rows(np.array([p]), np.array([True]))


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="2 scores, 1 outcomes"):
        calibration_rows(np.array([0.1, 0.2]), np.array([True]))
