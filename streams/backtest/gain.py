"""Cumulative gain: of those who leave, the share that is found among the customers with the highest scores.

At each cut-off the share q of its customers with the highest scores is contacted; caught are added up over the cut-offs:

    gain(q) = leavers among them / all leavers        lift(q) = gain(q) / q        by chance: gain(q) = q
    best(q) = the same with everybody who leaves at the top: min(q n, leavers) / all leavers

Equal scores have no order, so within a run of equals each stands for the run's mean: what a random order gives on average. A
share that falls between two customers takes a part of the second.

Where churn is silence many leave: lift(q) cannot exceed best(q) / q, which is at most 1 / base rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]
Ints = NDArray[np.int64]

SHARES = tuple(percent / 100 for percent in (0, 1, 2, 3, 4, *range(5, 100, 5), 100))


def gain(scores: Floats, left: Marks, cutoff: Ints, shares: Sequence[float] = SHARES) -> Floats:
    """Share of the leavers caught at each of `shares`, 0..1; NaN where nobody left.

    scores   higher: the sooner contacted
    left     whether each then left
    cutoff   number of the cut-off of each; customers are ranked within one
    shares   of the customers contacted, 0..1
    Raises ValueError for columns of different lengths, a score that is not finite and shares outside 0..1.

    >>> gain(np.array([0.9, 0.8, 0.3, 0.1]), np.array([True, False, True, False]), np.zeros(4, np.int64), [0.25, 0.5, 1.0])
    array([0.5, 0.5, 1. ])
    """
    if not len(scores) == len(left) == len(cutoff):
        raise ValueError(f"{len(scores)} scores, {len(left)} outcomes, {len(cutoff)} cut-offs: differ in length")
    if not np.isfinite(scores).all():
        raise ValueError("scores: one is not a finite number")
    if any(not 0 <= share <= 1 for share in shares):
        raise ValueError("shares: give 0 to 1")
    leavers = int(left.sum())
    caught = np.zeros(len(shares))
    for number in np.unique(cutoff):
        at = cutoff == number
        caught += _caught(scores[at], left[at], shares)
    return caught / leavers if leavers else np.full(len(shares), np.nan)


def gain_rows(
    scores: Mapping[str, Floats], left: Marks, cutoff: Ints, shares: Sequence[float] = SHARES
) -> list[dict[str, float]]:
    """A row a share: {"share", one key for each of `scores`, "best"}; no row where nobody left.

    scores   name -> scores of the same customers
    Raises ValueError as `gain`.
    """
    if not left.any():
        return []
    curves = {name: gain(values, left, cutoff, shares) for name, values in scores.items()}
    curves["best"] = gain(left.astype(np.float64), left, cutoff, shares)
    return [
        {"share": float(share)} | {name: float(curve[row]) for name, curve in curves.items()} for row, share in enumerate(shares)
    ]


def _caught(scores: Floats, left: Marks, shares: Sequence[float]) -> Floats:
    """Leavers among the highest share of one cut-off, as expected."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf) != 0)  # the last of each run of equals
    found = np.cumsum(left[order])[ends]
    contacted = np.asarray(shares) * len(scores)
    caught: Floats = np.interp(contacted, np.r_[0, ends + 1], np.r_[0, found])
    return caught
