"""Marks of a customer's record: what the bits of its byte `spare` say.

    bit 7      ended: the customer has ended the relationship, and has bought nothing since
    bits 0-6   not ours

**Ended** holds where the latest cancellation is dated no earlier than the latest purchase, in whole seconds: so it does not
depend on which of the two was read first. The time of the cancellation stands where the end of the last alert stands
(`cool_from_s` of the policy's state), which is what it is: nobody is alerted between a cancellation and the return, and
the cool-down counts from it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.customer import Records

ENDED = np.uint8(0x80)

Ints = NDArray[np.int64]
Index = NDArray[np.intp]


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
