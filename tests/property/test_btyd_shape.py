"""A customer's risk does not depend on who else is in the batch, nor on how the columns lie in memory."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import btyd, silence
from detectors.parameters import SHIPPED

ROW = np.dtype([("x", "<u2"), ("pad", "u1"), ("t_x", "<f4"), ("T", "<f8"), ("gap", "<f8")])
"""Packed, so that fields are strided and not aligned, as in a table of records."""

FUNCTIONS = {
    "p_alive": lambda t: btyd.p_alive(SHIPPED, t["x"], t["t_x"], t["T"]),
    "p_no_purchase": lambda t: btyd.p_no_purchase(SHIPPED, t["x"], t["t_x"], t["T"], 90.0),
    "logit_no_purchase": lambda t: btyd.logit_no_purchase(SHIPPED, t["x"], t["t_x"], t["T"], 90.0),
    "basis points": lambda t: btyd.to_basis_points(btyd.p_no_purchase(SHIPPED, t["x"], t["t_x"], t["T"], 90.0)),
    "silence": lambda t: silence.score(t["T"] - t["t_x"], t["gap"]),
}


@st.composite
def tables(draw):
    n = draw(st.integers(1, 200))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    table = np.zeros(n, ROW)
    table["x"] = rng.integers(0, draw(st.sampled_from([2, 50, 2000])), n)
    table["t_x"] = rng.uniform(0, draw(st.sampled_from([0.5, 400.0])), n) * (table["x"] > 0)
    table["T"] = table["t_x"] + rng.exponential(draw(st.sampled_from([0.1, 60.0, 3000.0])), n)
    table["gap"] = rng.uniform(0.1, 100.0, n)
    return table


@given(table=tables(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_row_has_the_same_bits_alone_in_any_slice_and_in_any_stride(table, data):
    start = data.draw(st.integers(0, len(table) - 1))
    stop = data.draw(st.integers(start + 1, len(table)))
    step = data.draw(st.integers(1, 7)) * data.draw(st.sampled_from([1, -1]))
    rows = np.arange(len(table))[start:stop][::step]
    order = np.random.default_rng(start).permutation(len(table))
    for name, function in FUNCTIONS.items():
        whole = function(table)
        assert function(table[start:stop][::step]).tobytes() == whole[rows].tobytes(), name
        assert function(table[start : start + 1]).tobytes() == whole[start : start + 1].tobytes(), name
        assert function(table[order]).tobytes() == whole[order].tobytes(), name


@given(table=tables(), horizon_days=st.floats(0.01, 1000.0), longer=st.floats(1.0, 10.0))
@settings(max_examples=100, deadline=None)
def test_risk_is_a_probability_between_having_left_and_certainty_and_falls_with_the_horizon(table, horizon_days, longer):
    columns = table["x"], table["t_x"], table["T"]
    alive = btyd.p_alive(SHIPPED, *columns)
    near = btyd.p_no_purchase(SHIPPED, *columns, horizon_days)
    far = btyd.p_no_purchase(SHIPPED, *columns, horizon_days * longer)
    assert ((alive >= 0) & (alive <= 1)).all()
    assert (near <= 1).all()
    assert (near >= (1 - alive) - 1e-12).all()
    assert (far <= near + 1e-12).all()
