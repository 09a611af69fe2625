"""Measures over labels as they come equal the measures of all of them, however they were cut and wherever it was continued."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.measures import Measured, measure
from detectors.prequential import Prequential, PrequentialState
from tests.support.examples import examples

NAMES = ("champion", "closed_form")


@st.composite
def said(draw):
    """p (n, 2), left, repeat, the window, and where the labels are cut."""
    n = draw(st.integers(0, 80))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    p = chance.random((n, 2)) ** draw(st.sampled_from([0.2, 1.0, 5.0]))
    p[chance.random((n, 2)) < 0.1] = draw(st.sampled_from([0.0, 0.5, 1.0]))
    left = (chance.random(n) < p[:, 0]).astype(np.uint8)
    cuts = sorted(draw(st.lists(st.integers(0, n), max_size=4)))
    return p, left, chance.random(n) < 0.5, draw(st.integers(1, 100)), [0, *cuts, n]


def fed(p, left, repeat, window, cuts, *, through_bytes=False):
    found = Prequential(NAMES, window)
    for start, stop in pairwise(cuts):
        found.add(p[start:stop], left[start:stop], repeat[start:stop])
        if through_bytes:
            data = msgspec.msgpack.encode(found.state())
            found = Prequential.from_state(msgspec.msgpack.decode(data, type=PrequentialState), window)
    return found


def assert_same(found: Measured, expected: Measured):
    for name in Measured.__slots__:
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=2e-9, nan_ok=True), name


@given(said())
@examples(150)
def test_the_rolling_view_is_the_measure_of_the_last_labels(labels):
    p, left, repeat, window, _ = labels
    found = fed(*labels)
    last = slice(max(0, len(p) - window), None)
    for model, name in enumerate(NAMES):
        assert_same(found.measured(name), measure(p[last, model], left[last]))
        rows = repeat[last]
        assert_same(found.measured(name, "rolling", "repeat_buyers"), measure(p[last, model][rows], left[last][rows]))


@given(said())
@examples(150)
def test_the_total_view_is_the_measure_of_all_with_ranks_to_a_tenth_of_a_percent(labels):
    p, left, repeat, _, _ = labels
    found = fed(*labels)
    assert found.labels == len(p)
    for who, rows in (("all", repeat | True), ("repeat_buyers", repeat)):
        exact, coarse = measure(p[rows, 0], left[rows]), measure(p[rows, 0].round(3), left[rows])
        total = found.measured("champion", "total", who)
        for name in Measured.__slots__:
            expected = exact if name in ("log_loss", "brier") else coarse
            assert getattr(total, name) == pytest.approx(getattr(expected, name), abs=2e-9, nan_ok=True), name


@given(said())
@examples(100)
def test_neither_cuts_nor_a_continuation_from_bytes_change_a_bit(labels):
    whole = msgspec.msgpack.encode(fed(*labels[:4], [0, len(labels[0])]).state())
    assert msgspec.msgpack.encode(fed(*labels).state()) == whole
    assert msgspec.msgpack.encode(fed(*labels, through_bytes=True).state()) == whole


def test_a_window_of_nothing_is_refused():
    with pytest.raises(ValueError, match="window = 0: must be 1 or more labels"):
        Prequential(NAMES, 0)
