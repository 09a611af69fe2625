"""Rolling windows as rings of eight buckets.

A window of w seconds is eight buckets of w/8, aligned to the epoch. The sum at a time lies between that of the last
7w/8 and that of the last w seconds: the newest bucket is partial, the oldest whole buckets have left, so the edge is an
eighth of the window coarse. A late event goes into its own bucket, so additions commute while it is inside the window.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.customer import COMPLAINTS_KEPT, SLOTS, Records

WINDOW_DAYS = (7, 30, 90, 365)
WIDTH_S = {days: days * 86_400 // SLOTS for days in WINDOW_DAYS}
"""Length of a bucket, seconds; every window divides evenly."""

RINGS = {
    7: ("purchases_7d", "spent_7d", "logins_7d"),
    30: ("purchases_30d", "spent_30d", "logins_30d"),
    90: ("purchases_90d", "spent_90d", "logins_90d", "refunded_90d"),
    365: ("purchases_365d", "spent_365d", "logins_365d"),
}
COMPLAINT_UNIT_S = 43_200
"""Complaints are remembered one by one to the half day, finer than an eighth of the shortest window."""
COMPLAINT_WRAP = 8_192
COMPLAINT_REACH = WINDOW_DAYS[-1] * 86_400 // COMPLAINT_UNIT_S

_SLOT = np.arange(SLOTS, dtype=np.int64)
_ONES = np.ones(SLOTS, np.int64)
_KEEP = ((_SLOT - _SLOT[:, None] - 1) & (SLOTS - 1))[:, None, :] >= np.arange(SLOTS + 1)[:, None]
"""_KEEP[newest slot, steps] is True for the slots that `steps` (0 to SLOTS) new buckets leave as they are."""
_LEFT = _KEEP.astype(np.int64).reshape(-1, SLOTS)
_A_COMPLAINT = 1 << 8
"""So far above a severity that the severities of all complaints that are remembered do not reach it."""


def roll(rows: Records, time_s: NDArray[np.int64]) -> None:
    """Make room for events at `time_s`: empty the buckets that time has passed, and remember the newest time.

    An earlier time than the newest changes nothing.
    """
    newest = rows["ring_s"].astype(np.int64)
    latest = np.maximum(newest, time_s)
    for days, names in RINGS.items():
        old = newest // WIDTH_S[days]
        steps = np.minimum(latest // WIDTH_S[days] - old, SLOTS)
        moved = np.flatnonzero(steps)
        if not len(moved):
            continue
        # where many rows move it is cheaper to multiply all of them, the others by 1, than to pick out those that do
        at = slice(None) if 4 * len(moved) > len(rows) else moved
        keep = _KEEP[old[at] & (SLOTS - 1), steps[at]]
        for name in names:
            column = rows[name]
            column[at] *= keep
    rows["ring_s"] = latest


def add(
    rows: Records, name: str, days: int, at: NDArray[np.intp], time_s: NDArray[np.int64], amount: NDArray[np.int64] | int
) -> None:
    """Add `amount` at rows `at` to ring `name` of a window of `days`; what is older than the window is left out.

    `rows` must be rolled to at least `time_s`; `time_s` and `amount` are as long as `at`. A full bucket stays at its
    largest value.
    """
    width = WIDTH_S[days]
    bucket = time_s // width
    inside = rows["ring_s"][at].astype(np.int64) // width - bucket < SLOTS
    if not inside.all():
        at, bucket = at[inside], bucket[inside]
        amount = amount if isinstance(amount, int) else amount[inside]
    column = rows[name]
    slot = bucket & (SLOTS - 1)
    column[at, slot] = np.minimum(column[at, slot].astype(np.int64) + amount, np.iinfo(column.dtype).max)


def window_sum(rows: Records, name: str, days: int, as_of_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum of ring `name` over the window that ends at `as_of_s`, one value a row; `as_of_s` >= the newest event."""
    width = WIDTH_S[days]
    newest = rows["ring_s"].astype(np.int64) // width
    passed = as_of_s // width - newest
    ring = rows[name].astype(np.int64)
    if passed.any():
        ring *= _LEFT.take((newest & (SLOTS - 1)) * (SLOTS + 1) + np.clip(passed, 0, SLOTS), axis=0)
    # a product of integers is exact, has nothing to do with BLAS, and takes half the time of a sum
    total: NDArray[np.int64] = ring @ _ONES
    return total


def remember_complaint(rows: Records, at: NDArray[np.intp], time_s: NDArray[np.int64], severity: NDArray[np.uint8]) -> None:
    """Put a complaint in front of those remembered at rows `at`; the one remembered longest is forgotten beyond the number kept.

    Call it before `last_complaint_s` takes the new time. What no window can reach from the newest complaint is forgotten too (a 0
    stands in its place): the stored number wraps after 11 years, and what is that old must not come back.
    """
    ring = rows["complaint_ring"]
    unit = time_s // COMPLAINT_UNIT_S
    before = rows["last_complaint_s"][at].astype(np.int64) // COMPLAINT_UNIT_S
    newest = np.maximum(before, unit)
    kept = ring[at, : COMPLAINTS_KEPT - 1]
    age = (before[:, None] - (kept >> 3)) % COMPLAINT_WRAP + (newest - before)[:, None]
    ring[at, 1:] = np.where(age < COMPLAINT_REACH, kept, 0)
    ring[at, 0] = np.where(newest - unit < COMPLAINT_REACH, unit % COMPLAINT_WRAP * 8 + severity, 0)


def complaint_sums(rows: Records, days: int, as_of_s: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(complaints, sum of their severities) of the window of `days` that ends at `as_of_s`, one value a row."""
    number, severity = complaint_window_sums(rows, (days,), as_of_s)
    return number[0], severity[0]


def complaint_window_sums(
    rows: Records, days: Sequence[int], as_of_s: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same of several windows at once: (windows, rows) each."""
    # complaint after complaint and in two bytes each: eight times as many go into a register
    ring = np.ascontiguousarray(rows["complaint_ring"].T)
    severity = ring & 7
    length_s = np.array(days)[:, None] * 86_400
    age = ((as_of_s // COMPLAINT_UNIT_S).astype(np.uint16) - (ring >> 3)) & (COMPLAINT_WRAP - 1)
    # the stored number wraps: all that is remembered lies within a year of the newest complaint, and that must not be old itself
    recent = rows["last_complaint_s"].astype(np.int64) + COMPLAINT_UNIT_S + length_s > as_of_s
    reach = (recent * (length_s // COMPLAINT_UNIT_S)).astype(np.uint16)
    number_and_severity = (severity > 0) * np.uint16(_A_COMPLAINT) + severity
    total = np.add.reduce(number_and_severity * (age < reach[:, None]), axis=1, dtype=np.uint16).astype(np.int64)
    return total // _A_COMPLAINT, total % _A_COMPLAINT
