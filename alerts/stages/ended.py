"""Who has ended the relationship is alerted no more: there is nothing left to save.

While it is ended no tier is proposed, and none is kept: an open alert resolves. A purchase after that begins a new one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def unless_ended(tier: NDArray[np.uint8], ended: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The tier, 0-3, and 0 for who has ended the relationship, one a row.

    >>> unless_ended(np.array([2, 2, 0], "u1"), np.array([False, True, True])).tolist()
    [2, 0, 0]
    """
    return tier * ~ended
