"""One bad reading is no news: a tier must be breached several times in a row, well apart.

A breach is an evaluation that proposes a higher tier than is alerted. Breaches that follow each other with no
other evaluation between them are a streak. A breach counts when it is the first of its streak or comes at least
`spacing_s` after the last that counted. A streak is complete when `needed` breaches have counted; it then stands
for the lowest tier that any of its breaches proposed, counted or not.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Streak(NamedTuple):
    """Streaks after one more breach, column by column.

    candidate   lowest tier breached in the streak, 1-3
    breaches    breaches that have counted, 1..needed
    breach_s    event time of the last one that counted, s since 1970 UTC
    counted     True where this breach counts
    """

    candidate: NDArray[np.uint8]
    breaches: NDArray[np.int64]
    breach_s: NDArray[np.int64]
    counted: NDArray[np.bool_]


def extend(
    candidate: NDArray[np.uint8],
    breaches: NDArray[np.uint8],
    breach_s: NDArray[np.uint32],
    proposed: NDArray[np.uint8],
    as_of_s: NDArray[np.int64],
    needed: int,
    spacing_s: int,
) -> Streak:
    """The streaks with the breach of `as_of_s` added, one a row.

    candidate, breaches, breach_s   the streak until now (see `Streak`); breaches 0 begins a new one
    proposed                        tier that this breach proposes, 1-3
    as_of_s                         event time of this breach, s; before breach_s it never counts
    needed, spacing_s               breaches that make a streak complete, 1..255; s between counted ones, >= 0

    The count stops at `needed`, so a streak held back by a cool-down can wait for ever.

    >>> one = np.array([1], "u1")
    >>> streak = extend(one + 1, one, np.array([100], "u4"), one, np.array([160]), needed=2, spacing_s=60)
    >>> streak.candidate.tolist(), streak.breaches.tolist(), streak.counted.tolist()
    ([1], [2], [True])
    """
    begins = breaches == 0
    last_s = breach_s.astype(np.int64)
    counted = begins | (as_of_s - last_s >= spacing_s)
    return Streak(
        candidate=np.where(begins, proposed, np.minimum(candidate, proposed)),
        breaches=np.minimum(breaches.astype(np.int64) + counted, needed),
        breach_s=np.where(counted, as_of_s, last_s),
        counted=counted,
    )
