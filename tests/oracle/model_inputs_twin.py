"""What a model may know of one customer, from the lists that the twin of the fold keeps. Oracle for streams/model_inputs.py."""

from __future__ import annotations

import math

from tests.oracle.rfm_twin import DAY_MS, CustomerTwin, month_of


def inputs(life: CustomerTwin, as_of_ms: int) -> dict[str, float]:
    """By name; the customer must have bought, and `as_of_ms` be at or after the newest event."""
    today = as_of_ms // DAY_MS
    idle_days = (as_of_ms - life.last_purchase_ms) / DAY_MS
    sums = life.sums(as_of_ms // 1000)
    days = set(life.days)
    found: dict[str, float] = {
        "repeat_days": len(life.days) - 1,
        "between_days": life.last_day - life.first_day,
        "observed_days": today - life.first_day,
        "idle_days": idle_days,
        "purchases": life.purchases,
        "spent_minor": sum(b.amount_minor for b in life.bought),
        "spent_90d": sums["spent_90d"],
        "gap_sq_sum": sum(gap**2 for gap in life.gaps),
        "log_gap_sum": sum(math.log(gap) for gap in life.gaps),
        "log_gap_sq_sum": sum(math.log(gap) ** 2 for gap in life.gaps),
        "longest_gap_days": life.longest_gap,
        "usual_gap_days": life.usual_gap_half_days / 2,
        "last_gap_days": life.recent_gaps[0] if life.recent_gaps else 0,
        "logins": life.logins,
        "login_idle_days": (as_of_ms // 1000 - life.last_login_s) / 86_400 if life.logins else 0,
        "refunds": life.refunds,
        "refunded_minor": life.refunded_minor,
        "refunded_90d": sums["refunded_90d"],
        "complaints": life.complaints,
        "severity_sum": life.severity_sum,
        "complaint_idle_days": (as_of_ms // 1000 - life.last_complaint_s) / 86_400 if life.complaints else 0,
    }
    for n in (30, 90, 180):
        found[f"days_{n}d"] = sum(today - day < n for day in days)
    for n in (6, 12):
        found[f"months_{n}"] = len({month_of(day) for day in days if month_of(today) - month_of(day) < n})
    for n in (15, 45, 120):
        count, money = life.decayed(n)
        found[f"decayed_purchases_{n}"] = count * 2 ** (-idle_days / n)
        if n == 15:
            found["decayed_spent_15"] = money * 2 ** (-idle_days / n)
    found |= {f"logins_{n}d": sums[f"logins_{n}d"] for n in (7, 30, 90, 365)}
    found |= {f"{what}_{n}d": sums[f"{what}_{n}d"] for what in ("complaints", "severity") for n in (30, 90, 365)}
    return found
