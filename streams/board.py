"""Customers by tier and RFM segment, kept up to date by what moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.customer import Records
from streams.segments import SEGMENT_OF_RFM, SEGMENTS
from streams.state import PartitionState


def cells(work: Records) -> NDArray[np.int64]:
    """Cell of the board (tier, segment) of each row; -1 for a customer not seen before."""
    cell = work["policy"]["tier"].astype(np.int64) * len(SEGMENTS) + SEGMENT_OF_RFM[work["rfm"]]
    return np.where(work["first_seen_s"] > 0, cell, -1)


def recount(state: PartitionState, old: NDArray[np.int64], new: NDArray[np.int64]) -> None:
    """Take customers out of their old cells and count them in the new ones."""
    size = state.customers.size
    moved = np.bincount(new[new >= 0], minlength=size) - np.bincount(old[old >= 0], minlength=size)
    state.customers += moved.reshape(state.customers.shape)
