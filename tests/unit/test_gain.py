"""Cumulative gain: by hand, against all orders of equals, and what must hold of any."""

from __future__ import annotations

from itertools import pairwise, permutations
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.backtest.gain import SHARES, gain, gain_rows

CUSTOMER = st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.booleans(), st.integers(0, 1))


def columns(customers):
    scores, left, cutoff = zip(*customers, strict=True) if customers else ((), (), ())
    return np.array(scores, float), np.array(left, bool), np.array(cutoff, np.int64)


def over_all_orders(customers: list[tuple[float, bool]], contacted: float) -> float:
    """Leavers among the first `contacted` of `customers` by score, averaged over the orders of equals."""
    whole, part = int(contacted), contacted - int(contacted)
    found = []
    for order in permutations(customers):
        if all(before[0] >= after[0] for before, after in pairwise(order)):
            left = [customer[1] for customer in order]
            found.append(sum(left[:whole]) + (part * left[whole] if part else 0.0))
    return fmean(found)


@given(customers=st.lists(CUSTOMER, min_size=1, max_size=9), share=st.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_equals_count_as_the_mean_of_all_their_orders(customers, share):
    caught = 0.0
    for number in (0, 1):
        of_one = [(score, left) for score, left, cutoff in customers if cutoff == number][:6]
        caught += over_all_orders(of_one, share * len(of_one)) if of_one else 0.0
    kept = [c for number in (0, 1) for c in [c for c in customers if c[2] == number][:6]]
    scores, left, cutoff = columns(kept)
    leavers = int(left.sum())
    (found,) = gain(scores, left, cutoff, [share])
    assert np.isnan(found) if leavers == 0 else found == pytest.approx(caught / leavers, abs=1e-9)


@given(customers=st.lists(CUSTOMER, min_size=1, max_size=60))
@settings(max_examples=100, deadline=None)
def test_a_curve_rises_from_none_to_all_and_nothing_beats_the_best(customers):
    scores, left, cutoff = columns(customers)
    rows = gain_rows({"risk": scores, "opposite": -scores}, left, cutoff)
    if not left.any():
        assert rows == []
        return
    assert [row["share"] for row in rows] == list(SHARES)
    for name in ("risk", "opposite", "best"):
        curve = [row[name] for row in rows]
        assert (curve[0], curve[-1]) == (0.0, pytest.approx(1.0))
        assert all(after >= before - 1e-12 for before, after in pairwise(curve))
        assert all(row[name] <= row["best"] + 1e-12 for row in rows)
    for row in rows:
        assert row["best"] <= min(1.0, row["share"] * len(left) / left.sum()) + 1e-12
    ends = {row["share"]: row for row in rows}
    for share in (0.25, 0.4):  # contacting a share from the top and the rest from the bottom is contacting all
        assert ends[share]["risk"] + ends[1 - share]["opposite"] == pytest.approx(1.0)


def test_half_of_each_cut_off_is_contacted_whatever_the_scores_of_the_other():
    scores = np.array([0.9, 0.8, 0.2, 0.1])
    left = np.array([True, False, True, False])
    assert gain(scores, left, np.array([0, 0, 1, 1]), [0.5]).tolist() == [1.0]
    assert gain(scores, left, np.array([0, 0, 0, 0]), [0.5]).tolist() == [0.5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.1], [True, False], [0]), "1 scores, 2 outcomes, 1 cut-offs"),
        (([float("nan")], [True], [0]), "not a finite number"),
        (([0.1], [True], [0], [1.1]), "give 0 to 1"),
    ],
)
def test_what_cannot_be_ranked_is_refused(arguments, message):
    scores, left, cutoff, *shares = arguments
    with pytest.raises(ValueError, match=message):
        gain(np.array(scores), np.array(left), np.array(cutoff), *shares)
