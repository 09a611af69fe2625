"""The learner's step as a textbook writes it: by the inverse of the covariance. Oracle for detectors/online_logit.py."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def step(
    mean: Numbers, covariance: Numbers, x: Numbers, left: float, label_weight: float, drift: float, floor: float, prior: Numbers
) -> tuple[Numbers, Numbers]:
    """(mean, covariance) of the weights after one label.

    The information of a label is its curvature times x x'; the mean moves by the new covariance times the slope of the log
    likelihood. That the code reaches the same by one rank-1 update is the lemma of Sherman and Morrison.
    """
    p = 1.0 / (1.0 + math.exp(-float(mean @ x)))
    curvature = label_weight * max(p * (1.0 - p), floor)
    after = np.linalg.inv(np.linalg.inv(covariance) + curvature * np.outer(x, x))
    mean = mean + after @ x * label_weight * (left - p)
    for k, most in enumerate(prior):  # a variance drifts, but not past the prior's
        after[k, k] = max(after[k, k], min(after[k, k] + drift, most))
    return mean, after
