"""After an episode has ended, a new one waits: nobody is called twice in a week about one customer.

cooling = tier 0, an earlier episode, and less than cool_down_s since its end. An alert that is open escalates freely.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cooling(
    tier: NDArray[np.uint8], cool_from_s: NDArray[np.int64], as_of_s: NDArray[np.int64], cool_down_s: int
) -> NDArray[np.bool_]:
    """True where a new episode must wait, one value a row.

    tier          tier alerted now, 0-3
    cool_from_s   event time at which the last episode ended, or the relationship, s since 1970 UTC; 0 = there was none
    as_of_s       event time of the evaluation, s
    cool_down_s   s, >= 0; 0 = no cool-down

    >>> cooling(np.array([0, 0, 0, 2]), np.array([100, 100, 0, 100]), np.array([159, 160, 159, 159]), 60).tolist()
    [True, False, False, False]
    """
    waits: NDArray[np.bool_] = (tier == 0) & (cool_from_s != 0) & (as_of_s - cool_from_s < cool_down_s)
    return waits
