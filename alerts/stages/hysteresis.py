"""Two lines a tier, so that a risk that trembles on one of them does not ring twice.

Tier k fires at risk >= fire_k and is kept down to risk >= release_k, with release_k < fire_k:

    proposed = highest k with risk >= fire_k, else 0
    kept     = the tier t one has while risk >= release_t, else the highest j < t with risk >= release_j, else 0

Both lines ascend with the tier, so `kept` is min(t, highest j with risk >= release_j), and proposed <= kept
wherever kept < t: who falls does not rise at the same time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def proposed_tier(risk_bp: NDArray[np.uint16], fire_bp: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The tier that the risk alone would give, 0-3, one a row.

    risk_bp   P(no purchase in the horizon), 1e-4, 0..10000
    fire_bp   the risk at which tiers 1, 2, 3 fire, 1e-4, ascending

    >>> proposed_tier(np.array([4999, 5000, 9999], "u2"), np.array([5000, 7000, 8500], "u2")).tolist()
    [0, 1, 3]
    """
    return _reached(risk_bp, fire_bp)


def kept_tier(tier: NDArray[np.uint8], risk_bp: NDArray[np.uint16], release_bp: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The tier that the risk still holds up, 0-3 and never above `tier`, one a row.

    tier         tier alerted until now, 0-3
    risk_bp      P(no purchase in the horizon), 1e-4, 0..10000
    release_bp   the risk below which tiers 1, 2, 3 end, 1e-4, ascending

    >>> kept_tier(np.array([3, 3, 3], "u1"), np.array([7700, 7699, 4199], "u2"), np.array([4200, 6200, 7700], "u2")).tolist()
    [3, 2, 0]
    """
    return np.minimum(_reached(risk_bp, release_bp), tier)


def _reached(risk_bp: NDArray[np.uint16], lines_bp: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """How many of the lines the risk reaches. Three comparisons of columns take a tenth of the time of a search."""
    reached = np.zeros(len(risk_bp), np.uint8)
    for line_bp in lines_bp:
        reached += risk_bp >= line_bp
    return reached
