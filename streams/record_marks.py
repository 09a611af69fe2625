"""The record's byte of marks (the field `spare`): what the customer's last complaint spoke of, and whether all is over.

    bits 0-2   its cause: 1 + place in CAUSE_CLASSES, 0 = unknown, or no complaint yet
    bits 3-6   how sure that is, in fifteenths; 0 where the cause is 0
    bit 7      ended: the customer has ended the relationship, and has bought nothing since

The byte was 0 in all records before, which reads as "unknown" and "not ended", so the record's version stays. A worker of an
earlier build leaves it as it is: among such workers it may speak of an earlier complaint than the last.

**Ended** holds where the latest cancellation is dated no earlier than the latest purchase, in whole seconds: so it does not
depend on which of the two was read first. The time of the cancellation stands where the end of the last alert stands
(`cool_from_s` of the policy's state), which is what it is: nobody is alerted between a cancellation and the return, and
the cool-down counts from it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.causes import CAUSE_CLASSES
from streams.customer import Records

Marks = NDArray[np.uint8]
Ints = NDArray[np.int64]
Index = NDArray[np.intp]

ENDED = np.uint8(0x80)
_CAUSE = 0b0000_0111
_CONFIDENCE = 0b0111_1000
_SHIFT = 3
STEPS = 15
UNKNOWN = CAUSE_CLASSES.index("unknown")


def cause_marks(places: NDArray[np.intp], confidence: NDArray[np.float64]) -> Marks:
    """Marks of causes.

    places       in CAUSE_CLASSES
    confidence   0 to 1; of what is known at least a fifteenth is kept

    >>> cause_marks(np.array([1, 7]), np.array([0.8, 0.9])).tolist()
    [98, 0]
    """
    sure = np.clip(np.rint(confidence * STEPS), 1, STEPS).astype(np.uint8)
    return np.where(places == UNKNOWN, 0, (places + 1).astype(np.uint8) | sure << _SHIFT).astype(np.uint8)


def with_cause(marks: Marks, causes: Marks) -> Marks:
    """`marks` with these causes in place of theirs, and all else as it was."""
    return (marks & ~np.uint8(_CAUSE | _CONFIDENCE)) | causes


def causes(marks: Marks) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Places in CAUSE_CLASSES, and confidence: 0.0 for what is unknown. Inverse of `cause_marks`, to a fifteenth.

    >>> causes(np.array([98, 0], np.uint8))
    (array([1, 7]), array([0.8, 0. ]))
    """
    cause = (marks & _CAUSE).astype(np.intp)
    return np.where(cause == 0, UNKNOWN, cause - 1), ((marks & _CONFIDENCE) >> _SHIFT) / STEPS


if len(CAUSE_CLASSES) != _CAUSE + 1 or UNKNOWN != _CAUSE:  # a further class would need a further bit
    raise AssertionError("three bits hold seven causes and unknown")


def ended(rows: Records) -> NDArray[np.bool_]:
    """Whether the relationship has ended, one answer a row."""
    marked: NDArray[np.bool_] = (rows["spare"] & ENDED) != 0
    return marked


def cancel(rows: Records, at: Index, time_s: Ints) -> None:
    """Cancellations of the rows `at`, dated `time_s`; one that a later purchase has overtaken changes nothing."""
    counts = time_s >= rows["last_purchase_ms"][at] // 1000
    at, time_s = at[counts], time_s[counts]
    before_s = np.where(ended(rows)[at], rows["policy"]["cool_from_s"][at].astype(np.int64), 0)
    rows["policy"]["cool_from_s"][at] = np.maximum(before_s, time_s)
    rows["spare"][at] |= ENDED


def bought(rows: Records, at: Index, time_s: Ints) -> None:
    """Purchases of the rows `at`, dated `time_s`: one that is later than the cancellation begins a new relationship."""
    back = at[time_s > rows["policy"]["cool_from_s"][at]]
    rows["spare"][back] &= ~ENDED
