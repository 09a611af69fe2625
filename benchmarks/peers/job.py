"""The job, one event at a time: fold it into its customer's state, compute the risk, say when the tier changes.

It keeps what the closed form and RFM need: occasions and spend, purchase days, the first and last of them, complaints, logins,
and purchases and spend of the last 365 days in eight buckets. It is less than the worker does for the same event (no other
windows, no looks at the silent, no repeats recognised, no reasons, no hysteresis), so the worker is given no advantage.

Purchases of one customer must come in order, as one topic keyed by customer brings them. Logins and complaints may come
in any order among them: no number here depends on it, for the risk is that of the newest time seen.
"""

from __future__ import annotations

from datetime import datetime
from math import exp, log1p
from typing import Any

State = dict[str, Any]

KINDS = {"purchases": "purchase", "complaints": "complaint", "logins": "login"}
"""Topic -> what its events are."""

HORIZON_DAYS = 90.0
TIERS = (0.5, 0.7, 0.85)
"""Risks at which tiers 1, 2 and 3 begin."""

R, ALPHA_DAYS, A, B = 0.525, 43.281, 0.891, 1.614
"""MBG/NBD parameters, those that the worker is shipped with."""

BUCKETS = 8
BUCKET_S = 365 * 86_400 // BUCKETS


def new_state() -> State:
    """A customer of whom nothing is known: counts, minor units, UTC day numbers, ms."""
    return {
        "purchases": 0, "spent_minor": 0, "purchase_days": 0, "first_day": 0, "last_day": 0, "last_purchase_ms": 0,
        "complaints": 0, "severity_sum": 0, "logins": 0, "last_login_ms": 0, "last_complaint_ms": 0, "seen_ms": 0,
        "bucket": 0, "purchases_365d": [0] * BUCKETS, "spent_365d": [0] * BUCKETS, "risk": 0.0, "tier": 0,
    }  # fmt: skip


def fold(state: State, kind: str, event: dict[str, Any]) -> dict[str, Any] | None:
    """Change `state` by an event of a kind in KINDS; the message to send where the tier changed, else None."""
    time_ms = round(datetime.fromisoformat(event["occurred_at"]).timestamp() * 1000)
    state["seen_ms"] = max(state["seen_ms"], time_ms)
    _roll(state, time_ms // 1000)
    if kind == "purchase":
        _purchase(state, time_ms, round(event["amount"] * 100))
    elif kind == "complaint":
        state["complaints"] += 1
        state["severity_sum"] += event.get("severity", 3)
        state["last_complaint_ms"] = max(state["last_complaint_ms"], time_ms)
    else:
        state["logins"] += 1
        state["last_login_ms"] = max(state["last_login_ms"], time_ms)
    if not state["purchases"]:
        return None
    state["risk"] = risk(state, state["seen_ms"])
    before, state["tier"] = state["tier"], sum(state["risk"] >= line for line in TIERS)
    if before == state["tier"]:
        return None
    return {"customer_id": event["customer_id"], "tier": state["tier"], "previous_tier": before, "risk": state["risk"],
            "at_ms": state["seen_ms"]}  # fmt: skip


def _roll(state: State, time_s: int) -> None:
    """Empty the buckets that time has passed."""
    bucket = time_s // BUCKET_S
    for passed in range(max(state["bucket"] + 1, bucket - BUCKETS + 1), bucket + 1):
        state["purchases_365d"][passed % BUCKETS] = state["spent_365d"][passed % BUCKETS] = 0
    state["bucket"] = max(state["bucket"], bucket)


def _purchase(state: State, time_ms: int, amount_minor: int) -> None:
    day, bucket = time_ms // 86_400_000, time_ms // 1000 // BUCKET_S
    inside = state["bucket"] - bucket < BUCKETS
    state["spent_minor"] += amount_minor
    if inside:
        state["spent_365d"][bucket % BUCKETS] += amount_minor
    if state["purchases"] and time_ms == state["last_purchase_ms"]:
        return  # the same occasion
    state["purchases"] += 1
    if inside:
        state["purchases_365d"][bucket % BUCKETS] += 1
    if state["purchase_days"] == 0:
        state["first_day"] = day
    if day > state["last_day"]:
        state["purchase_days"] += 1
        state["last_day"] = day
    state["last_purchase_ms"] = time_ms


def risk(state: State, at_ms: int) -> float:
    """P(no purchase in the next 90 days) as at a time, of a customer who has bought.

    q = ((alpha + t_x) / (alpha + T))^(r + x), s = ((alpha + T) / (alpha + T + h))^(r + x), c = a / (b + x): (c + q s) / (q + c)

    >>> day = 86_400_000
    >>> round(risk({"purchase_days": 3, "first_day": 0, "last_day": 213}, 272 * day), 4)
    0.6684
    """
    x: int = state["purchase_days"] - 1
    between: int = state["last_day"] - state["first_day"]
    observed: int = max(at_ms // 86_400_000 - state["first_day"], between)
    silent = exp(-(R + x) * log1p((observed - between) / (ALPHA_DAYS + between)))
    silent_ahead = exp(-(R + x) * log1p(HORIZON_DAYS / (ALPHA_DAYS + observed)))
    left = A / (B + x)
    return min((left + silent * silent_ahead) / (left + silent), 1.0)
