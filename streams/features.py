"""What is known of customers at a time, read from their records: columns for risk, facts for people.

Windows are as described in `windows.py`; gaps are between different UTC days with a purchase.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    spread[enough] = np.nanmedian(np.abs(gaps[enough] - usual[:, None]), axis=1)
    return spread


def _days_since(as_of_ms: int, time_ms: int) -> float | None:
    return None if time_ms == 0 else max(0.0, round((as_of_ms - time_ms) / DAY_MS, 3))


def facts(ids: Sequence[str], rows: Records, as_of_ms: Ints, rfm: NDArray[np.uint8]) -> list[CustomerFacts]:
    """Facts of each customer at `as_of_ms`, one a row; `rfm` is the packed scores at that time."""
    as_of_s = as_of_ms // 1000
    sums: dict[str, list[int]] = {}
    for days, rings in windows.RINGS.items():
        for ring in rings:
            sums[ring] = windows.window_sum(rows, ring, days, as_of_s).tolist()
        complaints, severity = windows.complaint_sums(rows, days, as_of_s)
        sums[f"complaints_{days}d"] = complaints.tolist()
        sums[f"severity_{days}d"] = severity.tolist()
    for name in tuple(sums):
        if name.startswith(("spent", "refunded")):
            sums[f"{name}_minor"] = sums.pop(name)
    spread = gap_spread_days(rows)
    return [
        _one(customer, rows[k], int(as_of_ms[k]), int(rfm[k]), float(spread[k]), {name: column[k] for name, column in sums.items()})
        for k, customer in enumerate(ids)
    ]


def _one(customer: str, row: np.void, as_of_ms: int, rfm: int, spread_days: float, sums: dict[str, int]) -> CustomerFacts:
    last_purchase_ms = int(row["last_purchase_ms"])
    bought = int(row["purchases"]) > 0
    usual = int(row["usual_gap_half_days"])
    first_ms = int(row["first_seen_s"]) * 1000
    return CustomerFacts(
        customer_id=customer,
        as_of_ms=as_of_ms,
        first_seen_ms=first_ms,
        first_purchase_day=int(row["first_day"]) if bought else None,
        last_purchase_ms=last_purchase_ms if bought else None,
        last_login_ms=int(row["last_login_s"]) * 1000 or None,
        last_complaint_ms=int(row["last_complaint_s"]) * 1000 or None,
        purchases=int(row["purchases"]),
        purchase_days=int(row["purchase_days"]),
        logins=int(row["logins"]),
        complaints=int(row["complaints"]),
        severity_sum=int(row["severity_sum"]),
        refunds=int(row["refunds"]),
        spent_minor=int(row["spent_minor"]),
        refunded_minor=int(row["refunded_minor"]),
        idle_days=_days_since(as_of_ms, last_purchase_ms) if bought else None,
        usual_gap_days=usual / 2 if usual else None,
        gap_spread_days=None if np.isnan(spread_days) else spread_days,
        tenure_days=_days_since(as_of_ms, first_ms) or 0.0,
        rfm=unpack(rfm),
        segment=segment_name(rfm),
        **sums,
    )
