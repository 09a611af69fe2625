"""Contributions add up to the risk, whatever the parameters and histories, and lie still whoever else is in the batch."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.btyd import logit_no_purchase, p_no_purchase
from detectors.parameters import BtydParameters
from detectors.reasons import contributions

positive = st.floats(0.05, 20.0)
parameters = st.builds(
    lambda r, alpha_days, a, b: BtydParameters("mbg_nbd", "p", r, alpha_days, a, b, 0, None, None, "property"),
    positive,
    st.floats(0.5, 500.0),
    positive,
    positive,
)
histories = st.lists(st.tuples(st.integers(0, 300), st.floats(0, 2000), st.floats(0, 2000)), min_size=1, max_size=40)


def columns(rows):
    x, t_x, idle = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    t_x = t_x * (x > 0)
    return x, t_x, t_x + idle


@given(params=parameters, rows=histories, horizon_days=st.floats(1.0, 400.0))
@settings(max_examples=200, deadline=None)
def test_contributions_add_up_to_the_logit_and_the_risk(params, rows, horizon_days):
    x, t_x, T = columns(rows)
    parts = contributions(params, x, t_x, T, horizon_days)
    total = parts.base + parts.silence + parts.rhythm
    np.testing.assert_allclose(total, logit_no_purchase(params, x, t_x, T, horizon_days), rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(1 / (1 + np.exp(-total)), p_no_purchase(params, x, t_x, T, horizon_days), atol=1e-9)


@given(params=parameters, rows=histories)
@settings(max_examples=100, deadline=None)
def test_what_is_as_in_the_reference_contributes_nothing(params, rows):
    x, t_x, T = columns(rows)
    assert (contributions(params, x, t_x, t_x, 90.0).silence == 0).all()
    assert (contributions(params, 0 * x, 0 * t_x, T, 90.0).rhythm == 0).all()


@given(params=parameters, rows=histories, data=st.data())
@settings(max_examples=60, deadline=None)
def test_contributions_have_the_same_bits_alone(params, rows, data):
    x, t_x, T = columns(rows)
    row = data.draw(st.integers(0, len(x) - 1))
    alone = contributions(params, x[row : row + 1], t_x[row : row + 1], T[row : row + 1], 90.0)
    for part, single in zip(contributions(params, x, t_x, T, 90.0), alone, strict=True):
        assert part[row : row + 1].tobytes() == single.tobytes()
