"""Who has told us enough: nobody is alerted on a history too short to have a rhythm.

admitted = purchases >= min_purchases. The gate keeps alerts from rising; an alert that is open already may
still fall or resolve, or a stricter setting would leave it open for ever.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def admitted(purchases: NDArray[np.integer], min_purchases: int) -> NDArray[np.bool_]:
    """True where a customer may be alerted, one value a row.

    purchases       purchase occasions for life, count >= 0
    min_purchases   occasions that are enough, count >= 0

    >>> admitted(np.array([0, 1, 2, 9]), 2).tolist()
    [False, False, True, True]
    """
    return purchases >= min_purchases
