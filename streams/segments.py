"""RFM segments: what a customer's R, F and M scores are called.

The ten names and their cells are the ones in common use in retail (recency against the mean of frequency and
monetary value). The set is closed, since it labels metrics.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NO_PURCHASE = "no-purchase"
SEGMENTS = (
    NO_PURCHASE,
    "champions",
    "loyal",
    "potential-loyalist",
    "new",
    "promising",
    "needs-attention",
    "about-to-sleep",
    "at-risk",
    "cannot-lose",
    "hibernating",
)

# rows: R = 1..5; columns: rounded-down mean of F and M = 1..5
_GRID = (
    ("hibernating", "hibernating", "at-risk", "at-risk", "cannot-lose"),
    ("hibernating", "hibernating", "at-risk", "at-risk", "cannot-lose"),
    ("about-to-sleep", "about-to-sleep", "needs-attention", "loyal", "loyal"),
    ("promising", "potential-loyalist", "potential-loyalist", "loyal", "loyal"),
    ("new", "potential-loyalist", "potential-loyalist", "champions", "champions"),
)


def pack(recency: NDArray[np.int64], frequency: NDArray[np.int64], monetary: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Three scores of 1-5 in one byte, 1-125."""
    return (1 + 25 * (recency - 1) + 5 * (frequency - 1) + (monetary - 1)).astype(np.uint8)


def unpack(rfm: int) -> tuple[int, int, int] | None:
    """(R, F, M) of a packed byte, None for 0.

    >>> unpack(125), unpack(1), unpack(0)
    ((5, 5, 5), (1, 1, 1), None)
    """
    if rfm == 0:
        return None
    return (rfm - 1) // 25 + 1, (rfm - 1) // 5 % 5 + 1, (rfm - 1) % 5 + 1


def _segment_number(rfm: int) -> int:
    scores = unpack(rfm)
    if scores is None:
        return 0
    recency, frequency, monetary = scores
    return SEGMENTS.index(_GRID[recency - 1][(frequency + monetary) // 2 - 1])


SEGMENT_OF_RFM = np.array([_segment_number(rfm) for rfm in range(126)], np.uint8)
"""Number of the segment in SEGMENTS for each packed byte."""


def segment_name(rfm: int) -> str:
    """Name of the segment of a packed byte.

    >>> segment_name(125), segment_name(0)
    ('champions', 'no-purchase')
    """
    return SEGMENTS[SEGMENT_OF_RFM[rfm]]
