"""Does a risk of 30 % mean that 30 of 100 leave? Scores by tenths, against what then happened.

Bin k of 10 holds the scores in [k/10, (k+1)/10), the last one 1 too; empty bins are left out. The expected calibration error is
the mean of |observed - p| over the bins, weighted by n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """tenth      number of the bin, 0 to 9; of risks just below its end the mean may be rounded onto it
    p          mean score of the bin
    observed   share of its customers who left
    n          how many they are, > 0
    """

    tenth: int
    p: float
    observed: float
    n: int


def calibration_rows(p: NDArray[np.float64], left: NDArray[np.bool_]) -> list[CalibrationRow]:
    """The bins that hold somebody, ascending.

    p      scores, 0..1
    left   whether each then left
    Raises ValueError for columns of different lengths and scores outside 0..1.

    >>> calibration_rows(np.array([0.02, 0.04, 1.0]), np.array([False, True, True]))
    [CalibrationRow(tenth=0, p=0.03, observed=0.5, n=2), CalibrationRow(tenth=9, p=1.0, observed=1.0, n=1)]
    """
    if len(p) != len(left):
        raise ValueError(f"{len(p)} scores, {len(left)} outcomes: differ in length")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p: must be probabilities, 0 to 1")
    which = np.minimum((p * BINS).astype(np.intp), BINS - 1)
    n, total, leavers = (np.bincount(which, weights, BINS) for weights in (None, p, left.astype(np.float64)))
    return [CalibrationRow(k, float(total[k] / n[k]), float(leavers[k] / n[k]), int(n[k])) for k in np.flatnonzero(n).tolist()]
