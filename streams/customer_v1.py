"""Customer records of version 1: the same fields in another order, stored whole. Read for ever; written while workers are
replaced that know no other (`engine.record_version`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = 1

_ORDER = (
    "seen_ms", "last_purchase_ms", "spent_minor", "refunded_minor", "day_bits", "first_seen_s", "due_s", "ring_s",
    "last_login_s", "last_complaint_s", "purchases", "logins", "spent_7d", "spent_30d", "spent_90d", "spent_365d",
    "refunded_90d", "id_low", "gap_sq_sum", "log_gap_sum", "log_gap_sq_sum", "decayed_purchases", "decayed_spent", "policy",
    "version", "purchase_days", "complaints", "severity_sum", "refunds", "risk_bp", "first_day", "longest_gap_days",
    "month_bits", "usual_gap_half_days", "recent_days", "purchases_365d", "logins_30d", "logins_90d", "logins_365d",
    "complaint_ring", "id_high", "rfm", "frequency_bin", "monetary_bin", "purchases_7d", "purchases_30d", "purchases_90d",
    "logins_7d", "spare",
)  # fmt: skip


def stored(records: NDArray[np.void]) -> list[bytes]:
    """The bytes that version 1 stored of each row, whatever order its dtype has the fields in. `upgraded` reads them."""
    old = np.empty(len(records), _dtype(records.dtype))
    for name in _ORDER:
        old[name] = records[name]
    old["version"] = VERSION
    rows: list[bytes] = old.view(f"V{old.dtype.itemsize}").tolist()
    return rows


def upgraded(whole: NDArray[Any], to: np.dtype[np.void], version: int) -> NDArray[np.void]:
    """Rows of dtype `to`, whose fields have the types they had in version 1, from rows of version 1 (any dtype of their size)."""
    old = whole.view(_dtype(to))
    rows = np.zeros(len(old), to)
    for name in _ORDER:
        rows[name] = old[name]
    rows["version"] = version
    return rows


def _dtype(of: np.dtype[np.void]) -> np.dtype[np.void]:
    """A row of version 1, whose fields have the types they have in `of`."""
    return np.dtype([(name, of[name]) for name in _ORDER])
