"""The customer record: one fixed-width row, and the bytes that Redis stores of it.

Every column is aligned; the byte budget is beside each group. Unsigned counters stop at their largest value instead of
wrapping. Rings hold the newest `SLOTS` buckets of a window, each an eighth of it long (see `windows.py`). Stored are a row's
bytes without the zeros at its end, so what most customers have nothing in stands last.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alerts.policy import POLICY_STATE
from streams import customer_v1

VERSION = 2
OLDEST_WRITTEN = customer_v1.VERSION
SLOTS = 8
RECORD_BYTES = 512
VERSION_OFFSET = 329
"""Where a row's version stands, in every version."""

NEVER_S = 0xFFFF_FFFF
"""`due_s` of a customer who need not be looked at again until something happens."""

HALF_LIVES_DAYS = (15.0, 45.0, 120.0)
"""Half-lives of the decayed sums, days; the learner's features (short, middle and long memory)."""

DEDUP_EVENTS = 8
"""An event is recognised as a repeat while it is among this customer's last so many events."""

COMPLAINTS_KEPT = 16
"""Complaints remembered one by one for the windows; life counts go on beyond."""

RECENT_DAYS = 8
"""Purchase days remembered one by one: exact for a purchase that is late by up to so many of them."""

CUSTOMER = np.dtype(
    [
        # 8-byte fields: 56 bytes
        ("seen_ms", "<i8"),  # latest event time at which this customer was evaluated
        ("last_purchase_ms", "<i8"),  # time of the latest purchase; 0 = none yet
        ("spent_minor", "<i8"),  # purchases in life, minor units of the base currency
        ("refunded_minor", "<i8"),  # refunds in life, same unit, positive
        ("day_bits", "<u8", (3,)),  # bit k: a purchase k days before the last purchase day (192 days)
        # 4-byte integers: 188 bytes (244)
        ("first_seen_s", "<u4"),  # earliest event of any type; 0 = the row is empty
        ("due_s", "<u4"),  # event time of the next look; NEVER_S = none
        ("ring_s", "<u4"),  # newest event of any type: the time up to which the rings are rolled
        ("last_login_s", "<u4"),  # 0 = none yet
        ("last_complaint_s", "<u4"),  # 0 = none yet
        ("purchases", "<u4"),  # occasions in life (purchases at one instant are one)
        ("logins", "<u4"),  # in life
        ("spent_7d", "<u4", (SLOTS,)),  # minor units per bucket of 7/8 day
        ("spent_30d", "<u4", (SLOTS,)),
        ("spent_90d", "<u4", (SLOTS,)),
        ("spent_365d", "<u4", (SLOTS,)),
        ("id_low", "<u4", (DEDUP_EVENTS,)),  # low 32 of 48 bits of the last events' id hashes, newest first
        # 4-byte floats: 36 bytes (280)
        ("gap_sq_sum", "<f4"),  # sum over gaps between purchase days of days^2
        ("log_gap_sum", "<f4"),  # sum of ln(days)
        ("log_gap_sq_sum", "<f4"),  # sum of ln(days)^2
        ("decayed_purchases", "<f4", (3,)),  # occasions weighted 2^(-age/half-life), as at last_purchase_ms
        ("decayed_spent", "<f4", (3,)),  # minor units weighted likewise
        # 2-byte fields, so that the version keeps its place: 32 bytes (312)
        ("recent_days", "<u2", (RECENT_DAYS,)),  # the last purchase days, newest first; 0 = none
        ("purchases_365d", "<u2", (SLOTS,)),
        # the policy's state and the version: 18 bytes (330)
        ("policy", POLICY_STATE),  # 17 bytes, see alerts/policy.py
        ("version", "u1"),  # at VERSION_OFFSET in every version
        # 2-byte fields: 82 bytes (412)
        ("purchase_days", "<u2"),  # different UTC days with a purchase, in life
        ("complaints", "<u2"),  # in life
        ("severity_sum", "<u2"),  # of the complaints in life
        ("refunds", "<u2"),  # in life
        ("risk_bp", "<u2"),  # P(no purchase within H) at seen_ms, 1e-4
        ("first_day", "<u2"),  # first purchase day, days since 1970
        ("longest_gap_days", "<u2"),  # longest gap between purchase days when it closed
        ("month_bits", "<u2"),  # bit k: a purchase k calendar months before the last purchase's month
        ("usual_gap_half_days", "<u2"),  # median of the last 7 gaps, in half days; 0 = no gap yet
        ("logins_30d", "<u2", (SLOTS,)),
        ("logins_90d", "<u2", (SLOTS,)),
        ("logins_365d", "<u2", (SLOTS,)),
        ("id_high", "<u2", (DEDUP_EVENTS,)),  # high 16 of the 48 bits
        # 1-byte fields: 36 bytes (448)
        ("rfm", "u1"),  # 1 + 25 (R-1) + 5 (F-1) + (M-1) at the latest evaluation; 0 = not in the base
        ("frequency_bin", "u1"),  # bins counted in the partition's sketch; 0 = not counted
        ("monetary_bin", "u1"),
        ("spare", "u1"),  # marks, see record_marks.py
        ("purchases_90d", "u1", (SLOTS,)),
        ("purchases_30d", "u1", (SLOTS,)),
        ("logins_7d", "u1", (SLOTS,)),
        ("purchases_7d", "u1", (SLOTS,)),
        # what few customers have anything in: 64 bytes (512)
        ("complaint_ring", "<u2", (COMPLAINTS_KEPT,)),  # (half-day number mod 8192) * 8 + severity, newest first; 0 = none
        ("refunded_90d", "<u4", (SLOTS,)),
    ]
)

if CUSTOMER.itemsize != RECORD_BYTES:  # a changed field changes what is stored: the version must follow
    raise AssertionError(f"customer record is {CUSTOMER.itemsize} bytes, not {RECORD_BYTES}")
if CUSTOMER.fields is None or CUSTOMER.fields["version"][1] != VERSION_OFFSET:
    raise AssertionError(f"the version is not at {VERSION_OFFSET}, where readers of every version look for it")

Records = NDArray[np.void]
"""Rows of dtype CUSTOMER."""


def new_records(n: int) -> Records:
    """n rows of customers of whom nothing is known.

    >>> new_records(2)["purchases"].tolist()
    [0, 0]
    """
    rows = np.zeros(n, CUSTOMER)
    rows["version"] = VERSION
    rows["due_s"] = NEVER_S
    return rows


def read_records(blobs: Sequence[bytes | None]) -> Records:
    """Rows from stored bytes; None (never stored) gives an empty row, and what an older version stored is brought up to date.

    Raises ValueError on a length or version that this release cannot read.
    """
    empty = new_records(1).tobytes()
    stored = [empty if blob is None else blob for blob in blobs]
    wrong = next((len(blob) for blob in stored if not VERSION_OFFSET < len(blob) <= RECORD_BYTES), None)
    if wrong is not None:
        sizes = f"{VERSION_OFFSET + 1} to {RECORD_BYTES}"
        raise ValueError(f"customer record of {wrong} bytes, expected {sizes}: was it written by another release?")
    whole = np.array(stored, _STORED)  # puts the zeros back
    versions = whole.view(np.uint8).reshape(len(stored), RECORD_BYTES)[:, VERSION_OFFSET]
    unknown = (versions != VERSION) & (versions != customer_v1.VERSION)
    if unknown.any():
        raise ValueError(f"customer record version {int(versions[unknown][0])}, this release reads {VERSION}: upgrade churnwatch")
    rows = whole.view(CUSTOMER)
    old = np.flatnonzero(versions == customer_v1.VERSION)
    if len(old):
        scatter(rows, old, customer_v1.upgraded(whole[old], CUSTOMER, VERSION))
    return rows


def row_bytes(records: Records, version: int = VERSION) -> list[bytes]:
    """The bytes of each row as stored: without the zeros at its end. `read_records` reads them.

    version   as which to store it; the one before this one is for workers that do not know this one yet
    Raises ValueError for any other.
    """
    if version == customer_v1.VERSION:
        return customer_v1.stored(records)
    if version != VERSION:
        raise ValueError(f"customer record version {version}: this release writes {customer_v1.VERSION} and {VERSION}")
    rows: list[bytes] = records.view(_STORED).tolist()
    return rows


def last_purchase_day(records: Records) -> NDArray[np.int64]:
    """Day number of the latest purchase, days since 1970; 0 where there is none."""
    return records["recent_days"][:, 0].astype(np.int64)


_WHOLE = np.dtype(f"V{RECORD_BYTES}")
_STORED = np.dtype(f"S{RECORD_BYTES}")
"""numpy takes the zeros at the end of such a value for no part of it."""


def gather(records: Records, rows: NDArray[np.intp]) -> Records:
    """Copies of `rows`. numpy copies rows with fields field by field, ten times slower than as the 512 bytes they are."""
    return records.view(_WHOLE)[rows].view(CUSTOMER)


def scatter(records: Records, rows: NDArray[np.intp], values: Records) -> None:
    """Set `rows` to `values`, in place."""
    records.view(_WHOLE)[rows] = values.view(_WHOLE)


def join(*parts: Records) -> Records:
    """The rows of all parts (at least one), one part after another."""
    return np.concatenate([part.view(_WHOLE) for part in parts]).view(CUSTOMER)
