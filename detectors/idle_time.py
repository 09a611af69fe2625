"""Idle time as a probability: the second baseline that a learnt model must beat, calibrated by the same labels.

    p = 1 / (1 + exp(-(level + slope z)))     z = ln(1 + idle_days) - CENTRE

Two weights, learnt one label at a time as in `online_logit`, written out for two. A label counts in full here, and the
drift lets the level follow the base rate: the last few thousand labels count. Ranking by p is ranking by idle days
wherever silence is a bad sign, which a wide prior leaves to the labels.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.column import Column
from detectors.model_inputs import INPUTS

CENTRE: Final = 3.2
"""ln of about 24 days."""
DRIFT: Final = 1e-7
PRIOR_VARIANCE: Final = 1.0
FLOOR: Final = 0.02

IDLE: Final = INPUTS.index("idle_days")


class IdleTime(msgspec.Struct):
    """Weights, and the covariance of what is known of them."""

    level: float = 0.0
    slope: float = 0.0
    level_variance: float = PRIOR_VARIANCE
    covariance: float = 0.0
    slope_variance: float = PRIOR_VARIANCE

    def logit(self, z: float) -> float:
        """Log odds of leaving, within +-30; `z` as above."""
        return min(max(self.level + self.slope * z, -30.0), 30.0)

    def learn(self, z: float, left: int) -> None:
        """One outcome: `z` as above, `left` 1 or 0."""
        p = 1.0 / (1.0 + math.exp(-self.logit(z)))
        to_level = self.level_variance + self.covariance * z
        to_slope = self.covariance + self.slope_variance * z
        curvature = max(p * (1.0 - p), FLOOR)
        shrink = 1.0 + curvature * (to_level + to_slope * z)
        error = (left - p) / shrink
        self.level += to_level * error
        self.slope += to_slope * error
        closer = curvature / shrink
        self.level_variance += DRIFT - closer * to_level * to_level
        self.covariance -= closer * to_level * to_slope
        self.slope_variance += DRIFT - closer * to_slope * to_slope


def idle_z(inputs: NDArray[np.float32]) -> Column:
    """z of each row of raw inputs."""
    result: Column = np.log1p(np.ascontiguousarray(inputs[:, IDLE], dtype=np.float64)) - CENTRE
    return result


def idle_p(level: float, slope: float, z: Column) -> Column:
    """Probability of leaving by idle time alone."""
    result: Column = 1.0 / (1.0 + np.exp(-np.clip(level + slope * z, -30.0, 30.0)))
    return result
