"""Whom the risk is for: customers who have come back at least once, and have not been silent for two horizons.

Nobody is warned of a customer who bought once, or who left long ago; but these are most of a base, and easily told. So it is
by the watched that the champion is judged, and their mean risk that the shift keeps. (Learnt from is everybody.)
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.model_inputs import INPUTS

REPEATS: Final = INPUTS.index("repeat_days")
IDLE: Final = INPUTS.index("idle_days")
HORIZONS: Final = 2.0


def watched(inputs: NDArray[np.float32], horizon_days: float) -> NDArray[np.bool_]:
    """Whether each row of `model_inputs.INPUTS` is of a customer who is watched.

    >>> rows = np.zeros((3, len(INPUTS)), np.float32)
    >>> rows[:, REPEATS], rows[:, IDLE] = [0, 1, 4], [10, 179, 181]
    >>> watched(rows, 90.0).tolist()
    [False, True, False]
    """
    found: NDArray[np.bool_] = (inputs[:, REPEATS] >= 1) & (inputs[:, IDLE] <= HORIZONS * horizon_days)
    return found
