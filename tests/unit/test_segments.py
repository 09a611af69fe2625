"""Packed scores and the names of their segments."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from streams.segments import NO_PURCHASE, SEGMENT_OF_RFM, SEGMENTS, pack, segment_name, unpack
from tests.oracle.quintiles_twin import segment

CELLS = list(itertools.product(range(1, 6), repeat=3))


def test_every_cell_has_its_own_byte_and_comes_back_from_it():
    packed = pack(*(np.array([cell[k] for cell in CELLS]) for k in range(3))).tolist()
    assert packed == list(range(1, 126))
    assert [unpack(byte) for byte in packed] == CELLS
    assert unpack(0) is None


@pytest.mark.parametrize(
    ("scores", "name"),
    [
        ((5, 5, 5), "champions"),
        ((4, 5, 5), "loyal"),
        ((5, 1, 1), "new"),
        ((4, 2, 1), "promising"),
        ((5, 2, 3), "potential-loyalist"),
        ((3, 3, 3), "needs-attention"),
        ((3, 2, 2), "about-to-sleep"),
        ((2, 3, 4), "at-risk"),
        ((1, 5, 5), "cannot-lose"),
        ((1, 5, 4), "at-risk"),  # the mean is rounded down
        ((1, 1, 1), "hibernating"),
    ],
)
def test_a_cell_has_its_name(scores, name):
    assert segment_name(int(pack(*(np.array([score]) for score in scores))[0])) == name


def test_every_cell_is_named_as_the_grid_says_and_every_name_is_used():
    assert [segment_name(byte) for byte in range(1, 126)] == [segment(cell) for cell in CELLS]
    assert segment_name(0) == NO_PURCHASE == SEGMENTS[0]
    assert set(SEGMENT_OF_RFM.tolist()) == set(range(len(SEGMENTS)))
