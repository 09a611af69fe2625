"""The raw inputs of a model (`detectors/model_inputs.py`), read from customers' records as they were at a time.

Days and months come from the record's bitmaps and are exact; windows are as in `windows.py`. Each row's values are its own:
they do not depend on who else is asked for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.model_inputs import INPUTS
from streams import windows
from streams.columns import DAY_MS
from streams.customer import HALF_LIVES_DAYS, Records, gather, last_purchase_day
from streams.features import closed_form_inputs
from streams.rfm import month

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
At = NDArray[np.intp] | slice

_PLACE = {name: place for place, name in enumerate(INPUTS)}
_AS_STORED = ("purchases", "spent_minor", "longest_gap_days", "logins", "refunds", "refunded_minor", "complaints", "severity_sum")
_SUMS = ("gap_sq_sum", "log_gap_sum", "log_gap_sq_sum")
_DAY_PLACES = slice(_PLACE["days_30d"], _PLACE["days_180d"] + 1)
_LOGIN_RINGS = {f"logins_{days}d": days for days in windows.WINDOW_DAYS}
_COMPLAINT_DAYS = (30, 90, 365)
_WORD, _REACH = np.array([0, 0, 1, 0, 1, 2]), np.array([[30], [90], [90 - 64], [180], [180 - 64], [180 - 128]])
"""The words of the bitmap that the windows of 30, 90 and 180 days reach into, and how far."""
_WORDS_OF = np.array([0, 1, 3])
_LOW = np.array([(1 << length) - 1 for length in range(65)], np.uint64)
"""The lowest so many bits."""
_MONTH = month(np.arange(1 << 16))
"""Of every day that a record can name."""


def model_inputs(rows: Records, as_of_ms: Ints) -> NDArray[np.float32]:
    """One row of `INPUTS` a customer: float32 (n, len(INPUTS)), C-contiguous.

    rows       customers with a purchase; of others the inputs say nothing
    as_of_ms   when, ms since 1970 UTC, one value a row; at or after each customer's newest event
    """
    return np.ascontiguousarray(input_columns(rows, as_of_ms).T)


def input_columns(rows: Records, as_of_ms: Ints) -> NDArray[np.float32]:
    """The same one input after another: float32 (len(INPUTS), n), C-contiguous."""
    columns = np.zeros((len(INPUTS), len(rows)), np.float32)
    for name in _AS_STORED:
        columns[_PLACE[name]] = rows[name]
    for name in _SUMS:
        columns[_PLACE[name]] = np.maximum(rows[name], 0.0)  # a gap that was split may leave the rest of a rounding behind
    columns[:3] = closed_form_inputs(rows, as_of_ms)
    columns[_PLACE["idle_days"]] = np.maximum(as_of_ms - rows["last_purchase_ms"], 0) / DAY_MS
    columns[_PLACE["spent_90d"]] = windows.window_sum(rows, "spent_90d", 90, as_of_ms // 1000)
    _decayed(columns, rows, as_of_ms)
    _days_and_months(columns, rows, as_of_ms // DAY_MS)
    _gaps(columns, rows)
    _signals(columns, rows, as_of_ms)
    return columns


def _decayed(columns: NDArray[np.float32], rows: Records, as_of_ms: Ints) -> None:
    age_ms = np.maximum(as_of_ms - rows["last_purchase_ms"], 0)
    faded = [np.exp2(-age_ms / (half_life_days * DAY_MS)) for half_life_days in HALF_LIVES_DAYS]
    for place, half_life_days in enumerate(HALF_LIVES_DAYS):
        columns[_PLACE[f"decayed_purchases_{half_life_days:.0f}"]] = rows["decayed_purchases"][:, place] * faded[place]
    columns[_PLACE["decayed_spent_15"]] = rows["decayed_spent"][:, 0] * faded[0]


def _days_and_months(columns: NDArray[np.float32], rows: Records, day: Ints) -> None:
    """From the bitmaps, which count back from the last purchase day and month."""
    last = last_purchase_day(rows)
    passed = np.maximum(day - last, 0)
    kept = np.minimum(np.maximum(_REACH - passed, 0), 64)
    bits = np.bitwise_count(rows["day_bits"].T[_WORD] & _LOW.take(kept))
    np.add.reduceat(bits, _WORDS_OF, axis=0, out=columns[_DAY_PLACES])
    months = np.maximum(_month(day) - _month(last), 0)
    for length in (6, 12):
        columns[_PLACE[f"months_{length}"]] = np.bitwise_count(rows["month_bits"] & _LOW.take(np.maximum(length - months, 0)))


def _month(day: Ints) -> Ints:
    return _MONTH.take(day, mode="clip")


def _gaps(columns: NDArray[np.float32], rows: Records) -> None:
    recent = rows["recent_days"][:, :2].astype(np.int64)
    columns[_PLACE["usual_gap_days"]] = rows["usual_gap_half_days"] / 2
    columns[_PLACE["last_gap_days"]] = np.where(recent[:, 1] > 0, recent[:, 0] - recent[:, 1], 0)


def _signals(columns: NDArray[np.float32], rows: Records, as_of_ms: Ints) -> None:
    """Logins, refunds and complaints; of most customers there are none, and nothing is computed for those."""
    as_of_s = as_of_ms // 1000
    for signal, fill in (("login", _logins), ("refund", _refunds), ("complaint", _complaints)):
        some = np.flatnonzero(rows[f"{signal}s"])
        if 2 * len(some) > len(rows):  # it costs less than picking them out, and of the others it gives 0
            fill(columns, slice(None), rows, as_of_s)
        elif len(some):
            fill(columns, some, gather(rows, some), as_of_s[some])


def _logins(columns: NDArray[np.float32], at: At, rows: Records, as_of_s: Ints) -> None:
    columns[_PLACE["login_idle_days"], at] = _days_since(rows["last_login_s"], as_of_s)
    for ring, days in _LOGIN_RINGS.items():
        columns[_PLACE[ring], at] = windows.window_sum(rows, ring, days, as_of_s)


def _refunds(columns: NDArray[np.float32], at: At, rows: Records, as_of_s: Ints) -> None:
    columns[_PLACE["refunded_90d"], at] = windows.window_sum(rows, "refunded_90d", 90, as_of_s)


def _complaints(columns: NDArray[np.float32], at: At, rows: Records, as_of_s: Ints) -> None:
    columns[_PLACE["complaint_idle_days"], at] = _days_since(rows["last_complaint_s"], as_of_s)
    number, severity = windows.complaint_window_sums(rows, _COMPLAINT_DAYS, as_of_s)
    for place, days in enumerate(_COMPLAINT_DAYS):
        columns[_PLACE[f"complaints_{days}d"], at] = number[place]
        columns[_PLACE[f"severity_{days}d"], at] = severity[place]


def _days_since(last_s: NDArray[np.uint32], as_of_s: Ints) -> Floats:
    """0 where there was none."""
    days: Floats = (np.maximum(as_of_s - last_s.astype(np.int64), 0) * (last_s > 0)) * (1000 / DAY_MS)
    return days
