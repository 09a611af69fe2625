"""What is known of customers at a time, read from their records: columns for risk, facts for people.

Windows are as described in `windows.py`; gaps are between different UTC days with a purchase.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.facts import CustomerFacts
from streams import windows
from streams.columns import DAY_MS
from streams.customer import Records, last_purchase_day
from streams.segments import segment_name, unpack

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def closed_form_inputs(rows: Records, as_of_ms: Ints) -> tuple[Ints, Ints, Ints]:
    """(x, t_x, T) of the closed form: repeat purchase days, and days from the first purchase day to the last and to `as_of_ms`.

    All are 0 where there is no purchase; callers must not read a risk from that.
    """
    bought = rows["purchases"] > 0
    first = rows["first_day"].astype(np.int64)
    repeats = np.maximum(rows["purchase_days"].astype(np.int64) - 1, 0)
    between = np.where(bought, last_purchase_day(rows) - first, 0)
    observed = np.where(bought, as_of_ms // DAY_MS - first, 0)
    return repeats, between, np.maximum(observed, between)


def gap_spread_days(rows: Records) -> Floats:
    """Median absolute deviation of the recent gaps from the usual gap, days; NaN with fewer than two gaps."""
    recent = rows["recent_days"].astype(np.float64)
    gaps = np.where(recent[:, 1:] > 0, recent[:, :-1] - recent[:, 1:], np.nan)
    spread = np.full(len(rows), np.nan)
    enough = np.flatnonzero((recent > 0).sum(axis=1) > 2)
    usual = rows["usual_gap_half_days"][enough] / 2
    off = np.sort(np.abs(gaps[enough] - usual[:, None]), axis=1)  # NaN last
    n = (recent[enough] > 0).sum(axis=1) - 1
    each = np.arange(len(enough))
    spread[enough] = (off[each, (n - 1) // 2] + off[each, n // 2]) / 2
    return spread


def facts(ids: Sequence[str], rows: Records, as_of_ms: Ints, rfm: NDArray[np.uint8]) -> list[CustomerFacts]:
    """Facts of each customer at `as_of_ms`, one a row; `rfm` is the packed scores at that time."""
    columns = _life(rows, as_of_ms) | _windows(rows, as_of_ms // 1000)
    columns["customer_id"] = list(ids)
    columns["as_of_ms"] = as_of_ms.tolist()
    columns["rfm"] = [unpack(packed) for packed in rfm.tolist()]
    columns["segment"] = [segment_name(packed) for packed in rfm.tolist()]
    # by place and not by name, which takes half the time
    return list(map(CustomerFacts, *(columns[name] for name in CustomerFacts.__struct_fields__)))


def _windows(rows: Records, as_of_s: Ints) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for days, rings in windows.RINGS.items():
        for ring in rings:
            unit = "_minor" if ring.startswith(("spent", "refunded")) else ""
            columns[ring + unit] = windows.window_sum(rows, ring, days, as_of_s).tolist()
        complaints, severity = windows.complaint_sums(rows, days, as_of_s)
        columns[f"complaints_{days}d"] = complaints.tolist()
        columns[f"severity_{days}d"] = severity.tolist()
    return columns


def _life(rows: Records, as_of_ms: Ints) -> dict[str, list[Any]]:
    bought = rows["purchases"] > 0
    first_seen_ms = rows["first_seen_s"].astype(np.int64) * 1000
    columns: dict[str, list[Any]] = {
        "first_seen_ms": first_seen_ms.tolist(),
        "first_purchase_day": _known(rows["first_day"], bought),
        "last_purchase_ms": _known(rows["last_purchase_ms"], bought),
        "idle_days": _known(_days(as_of_ms - rows["last_purchase_ms"]), bought),
        "usual_gap_days": _known(rows["usual_gap_half_days"] / 2, rows["usual_gap_half_days"] > 0),
        "tenure_days": _days(as_of_ms - first_seen_ms).tolist(),
    }
    spread = gap_spread_days(rows)
    columns["gap_spread_days"] = _known(spread, ~np.isnan(spread))
    for name in ("login", "complaint"):
        last_ms = rows[f"last_{name}_s"].astype(np.int64) * 1000
        columns[f"last_{name}_ms"] = _known(last_ms, last_ms > 0)
    for name in _LIFE:
        columns[name] = rows[name].tolist()
    return columns


_LIFE = ("purchases", "purchase_days", "logins", "complaints", "severity_sum", "refunds", "spent_minor", "refunded_minor")


def _days(span_ms: Ints) -> Floats:
    return np.round(np.maximum(span_ms, 0) / DAY_MS, 3)


def _known(column: NDArray[Any], known: NDArray[np.bool_]) -> list[Any]:
    """The values, None where they are not known."""
    return [value if there else None for value, there in zip(column.tolist(), known.tolist(), strict=True)]
