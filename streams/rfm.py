"""The fold: one event a row into the customer's record.

`fold` is given each row at most once (the engine's rounds see to that). Late events are right: window buckets take them
while they are inside the window; a late purchase day is put between its neighbours while it is among the last
`RECENT_DAYS` purchase days, and its gap is split; one that is older still counts as a day (once, if within 192 days of
the last) and leaves the gaps alone, unless it becomes the first day. The longest gap and the decayed sums never shrink
by a late event.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams import record_marks, windows
from streams.columns import CANCELLATION, COMPLAINT, DAY_MS, LOGIN, PURCHASE, REFUND
from streams.customer import DEDUP_EVENTS, HALF_LIVES_DAYS, RECENT_DAYS, Records, last_purchase_day

Ints = NDArray[np.int64]
Index = NDArray[np.intp]

_HALF_LIVES_MS = np.array(HALF_LIVES_DAYS) * DAY_MS
_U2 = 0xFFFF
_DAY_BITS = 192


def is_repeat(rows: Records, id_hash: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether an event with this id hash is among the customer's last DEDUP_EVENTS events, one answer a row.

    48 bits are compared: a false answer has probability 8 * 2^-48, 3e-14, an event.
    """
    low, high = _hash_parts(id_hash)
    repeat: NDArray[np.bool_] = ((rows["id_low"] == low[:, None]) & (rows["id_high"] == high[:, None])).any(axis=1)
    return repeat


def _hash_parts(id_hash: NDArray[np.uint64]) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
    low = (id_hash & np.uint64(0xFFFF_FFFF)).astype(np.uint32)
    # an empty place in the ring is 0, so no event may hash to it
    return np.where(low == 0, np.uint32(1), low), (id_hash >> np.uint64(32)).astype(np.uint16)


def fold(
    rows: Records,
    kind: NDArray[np.uint8],
    time_ms: Ints,
    amount_minor: Ints,
    severity: NDArray[np.uint8],
    cause: NDArray[np.uint8],
    id_hash: NDArray[np.uint64],
) -> None:
    """Fold event i into row i, in place. No row is a repeat (see `is_repeat`).

    cause   of complaints, see record_marks; that of the newest complaint stays, of two in one second that of the later row
    """
    low, high = _hash_parts(id_hash)
    rows["id_low"][:, 1:] = rows["id_low"][:, : DEDUP_EVENTS - 1]
    rows["id_high"][:, 1:] = rows["id_high"][:, : DEDUP_EVENTS - 1]
    rows["id_low"][:, 0] = low
    rows["id_high"][:, 0] = high
    time_s = time_ms // 1000
    first = rows["first_seen_s"].astype(np.int64)
    rows["first_seen_s"] = np.where(first == 0, time_s, np.minimum(first, time_s))
    windows.roll(rows, time_s)
    complaints = np.flatnonzero(kind == COMPLAINT)
    if len(complaints):
        newest = complaints[time_s[complaints] >= rows["last_complaint_s"][complaints]]
        rows["spare"][newest] = record_marks.with_cause(rows["spare"][newest], cause[newest])
    for folded, this in _FOLDS:
        at = np.flatnonzero(kind == this)
        if len(at):
            folded(rows, at, time_ms[at], amount_minor[at], severity[at])


def _count(rows: Records, name: str, at: Index, by: Ints | int = 1) -> None:
    column = rows[name]
    column[at] = np.minimum(column[at].astype(np.int64) + by, np.iinfo(column.dtype).max)


def _latest(rows: Records, name: str, at: Index, time: Ints) -> None:
    column = rows[name]
    column[at] = np.maximum(column[at].astype(np.int64), time)


def _complaints(rows: Records, at: Index, time_ms: Ints, _amount: Ints, severity: NDArray[np.uint8]) -> None:
    time_s = time_ms // 1000
    _count(rows, "complaints", at)
    _count(rows, "severity_sum", at, severity.astype(np.int64))
    windows.remember_complaint(rows, at, time_s, severity)
    _latest(rows, "last_complaint_s", at, time_s)


def _logins(rows: Records, at: Index, time_ms: Ints, _amount: Ints, _severity: NDArray[np.uint8]) -> None:
    time_s = time_ms // 1000
    _count(rows, "logins", at)
    _latest(rows, "last_login_s", at, time_s)
    for days in windows.WINDOW_DAYS:
        windows.add(rows, f"logins_{days}d", days, at, time_s, 1)


def _refunds(rows: Records, at: Index, time_ms: Ints, amount: Ints, _severity: NDArray[np.uint8]) -> None:
    _count(rows, "refunds", at)
    rows["refunded_minor"][at] += amount
    windows.add(rows, "refunded_90d", 90, at, time_ms // 1000, amount)


def _purchases(rows: Records, at: Index, time_ms: Ints, amount: Ints, _severity: NDArray[np.uint8]) -> None:
    time_s = time_ms // 1000
    for days in windows.WINDOW_DAYS:
        windows.add(rows, f"spent_{days}d", days, at, time_s, amount)
    rows["spent_minor"][at] += amount
    occasion = (rows["last_purchase_ms"][at] != time_ms) | (rows["purchases"][at] == 0)
    _decayed(rows, at, time_ms, amount, occasion)
    _calendar(rows, at, time_ms // DAY_MS)
    new = at[occasion]
    for days in windows.WINDOW_DAYS:
        windows.add(rows, f"purchases_{days}d", days, new, time_s[occasion], 1)
    _count(rows, "purchases", new)
    _latest(rows, "last_purchase_ms", at, time_ms)
    record_marks.bought(rows, at, time_s)


def _cancellations(rows: Records, at: Index, time_ms: Ints, _amount: Ints, _severity: NDArray[np.uint8]) -> None:
    record_marks.cancel(rows, at, time_ms // 1000)


def _decayed(rows: Records, at: Index, time_ms: Ints, amount: Ints, occasion: NDArray[np.bool_]) -> None:
    """Bring the sums to the newer of old reference and event, and add the event weighted by its age there."""
    old_ms = rows["last_purchase_ms"][at]
    started = rows["purchases"][at] > 0
    ahead_ms = (time_ms - old_ms).astype(np.float64)
    fade = np.exp2(-np.where(started, np.maximum(ahead_ms, 0.0), 0.0)[:, None] / _HALF_LIVES_MS)
    weight = np.exp2(-np.where(started, np.maximum(-ahead_ms, 0.0), 0.0)[:, None] / _HALF_LIVES_MS)
    counts, money = rows["decayed_purchases"], rows["decayed_spent"]
    counts[at] = counts[at] * fade + weight * occasion[:, None]
    money[at] = money[at] * fade + weight * amount[:, None]


def _calendar(rows: Records, at: Index, day: Ints) -> None:
    """Purchase days, gaps between them and months: `day` is the purchase's UTC day number."""
    last = last_purchase_day(rows)[at]
    started = last > 0
    _first_day(rows, at[~started], day[~started])
    later = started & (day > last)
    _later_day(rows, at[later], day[later], last[later])
    earlier = started & (day < last)
    if earlier.any():
        _late_day(rows, at[earlier], day[earlier], last[earlier])


def _first_day(rows: Records, at: Index, day: Ints) -> None:
    rows["first_day"][at] = day
    rows["recent_days"][at, 0] = day
    rows["purchase_days"][at] = 1
    rows["day_bits"][at, 0] = 1
    rows["month_bits"][at] = 1


def _later_day(rows: Records, at: Index, day: Ints, last: Ints) -> None:
    if not len(at):
        return
    _count(rows, "purchase_days", at)
    _add_gap(rows, at, day - last, +1)
    _latest(rows, "longest_gap_days", at, day - last)
    recent = rows["recent_days"]
    recent[at, 1:] = recent[at, : RECENT_DAYS - 1]
    recent[at, 0] = day
    rows["day_bits"][at] = _shift_bits(rows["day_bits"][at], day - last)
    rows["day_bits"][at, 0] |= np.uint64(1)
    months = month(day) - month(last)
    rows["month_bits"][at] = ((rows["month_bits"][at].astype(np.int64) << np.minimum(months, 16)) | 1) & _U2
    _usual_gap(rows, at)


def _late_day(rows: Records, at: Index, day: Ints, last: Ints) -> None:
    """A purchase on a day before the last purchase day."""
    back = last - day
    recent = rows["recent_days"][at].astype(np.int64)
    word, bit = np.minimum(back >> 6, 2), (back & 63).astype(np.uint64)
    in_bits = back < _DAY_BITS
    known = in_bits & (((rows["day_bits"][at, word] >> bit) & np.uint64(1)) > 0)
    known |= (recent == day[:, None]).any(axis=1) | (rows["first_day"][at] == day)
    new = np.flatnonzero(~known)
    at, day, recent, word, bit, in_bits = at[new], day[new], recent[new], word[new], bit[new], in_bits[new]
    _count(rows, "purchase_days", at)
    inside = np.flatnonzero(in_bits)
    rows["day_bits"][at[inside], word[inside]] |= np.uint64(1) << bit[inside]
    months = month(last[new]) - month(day)
    month_bit = np.where(months < 16, 1 << np.minimum(months, 16), 0)
    rows["month_bits"][at] = (rows["month_bits"][at].astype(np.int64) | month_bit) & _U2
    _split_gap(rows, at, day, recent)
    merged = np.sort(np.concatenate([recent, day[:, None]], axis=1), axis=1)[:, ::-1]
    rows["recent_days"][at] = merged[:, :RECENT_DAYS]
    _usual_gap(rows, at)


def _split_gap(rows: Records, at: Index, day: Ints, recent: Ints) -> None:
    """Gap statistics for a new day among the recent ones, or before the first; elsewhere its neighbours are not known."""
    first = rows["first_day"][at].astype(np.int64)
    before_first = day < first
    _add_gap(rows, at[before_first], (first - day)[before_first], +1)
    _latest(rows, "longest_gap_days", at[before_first], (first - day)[before_first])
    following = np.where(recent > day[:, None], recent, _U2).min(axis=1)
    previous = np.where(recent < day[:, None], recent, 0).max(axis=1)
    among = ~before_first & (previous > 0)
    where = at[among]
    _add_gap(rows, where, (following - previous)[among], -1)
    _add_gap(rows, where, (following - day)[among], +1)
    _add_gap(rows, where, (day - previous)[among], +1)
    rows["first_day"][at] = np.minimum(first, day)


def _add_gap(rows: Records, at: Index, gap_days: Ints, sign: int) -> None:
    if not len(at):
        return
    gap = gap_days.astype(np.float64)
    log_gap = np.log(gap)
    rows["gap_sq_sum"][at] += (sign * gap * gap).astype(np.float32)
    rows["log_gap_sum"][at] += (sign * log_gap).astype(np.float32)
    rows["log_gap_sq_sum"][at] += (sign * log_gap * log_gap).astype(np.float32)


def _usual_gap(rows: Records, at: Index) -> None:
    """Median of the gaps between the recent purchase days, in half days: the customer's own rhythm, deaf to one long absence."""
    recent = rows["recent_days"][at].astype(np.int64)
    gaps = np.where(recent[:, 1:] > 0, recent[:, :-1] - recent[:, 1:], 1 << 20)
    n = (recent > 0).sum(axis=1) - 1
    gaps.sort(axis=1)
    each = np.arange(len(at))
    rows["usual_gap_half_days"][at] = np.minimum(gaps[each, (n - 1) // 2] + gaps[each, n // 2], _U2)


def _shift_bits(bits: NDArray[np.uint64], by: Ints) -> NDArray[np.uint64]:
    """192-bit numbers (three words, lowest first) shifted left by `by` >= 1 places."""
    padded = np.zeros((len(bits), 7), np.uint64)
    padded[:, 4:] = bits
    words, places = np.minimum(by >> 6, 3), (by & 63).astype(np.uint64)
    each = np.arange(len(bits))
    out = np.empty_like(bits)
    for word in range(3):
        low = padded[each, 4 + word - words] << places
        # a shift by 64 places is undefined, so the carry goes in two steps
        carry = (padded[each, 3 + word - words] >> np.uint64(1)) >> (np.uint64(63) - places)
        out[:, word] = low | carry
    return out


def month(day: Ints) -> Ints:
    """Calendar months since January 1970 of UTC day numbers."""
    return day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


_FOLDS = (
    (_purchases, PURCHASE),
    (_complaints, COMPLAINT),
    (_logins, LOGIN),
    (_refunds, REFUND),
    (_cancellations, CANCELLATION),
)
