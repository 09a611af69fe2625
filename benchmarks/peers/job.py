"""The job, one event at a time: fold it into its customer's state, compute the risk, say when the tier changes.

It is the worker's, per event, as one would write it in Python. Per customer it keeps

    life       purchases, spend, complaints, severities, logins, and the newest of each
    windows    purchases, spend and logins of 7, 30, 90 and 365 days in eight buckets each; the last 16 complaints
    rhythm     the last 8 purchase days, usual and longest gap, sums of the gaps, decayed purchases and spend
    policy     tier, breaches in a row, when the last alert began and ended
    repeats    the ids of the last 8 events: one of them that comes again changes nothing

and after each event the risk, the tier by that policy, and at a change of tier a message with the facts.

Left to the worker, who so does more: looks at customers who are silent, and scores against all others (R, F and M quintiles) with
the segments and the holdout that go with them, for which neither of the programs has a natural place; which days and months of
half a year had a purchase; purchase days that come late; the split of a risk into its reasons. The events have no refunds.

Purchases of one customer must come in order, as one topic keyed by customer brings them. Logins and complaints may come in any
order among them: of what is kept only risk on the way and policy depend on it, for windows and risk are those of the newest time.
"""

from __future__ import annotations

from datetime import datetime
from math import exp, log1p
from typing import Any

from benchmarks.peers.message import message
from benchmarks.peers.policy import decide, new_policy
from benchmarks.peers.rhythm import bought_on, fade, new_rhythm
from benchmarks.peers.windows import add, new_windows, remember, roll

State = dict[str, Any]

KINDS = {"purchases": "purchase", "complaints": "complaint", "logins": "login"}
"""Topic -> what its events are."""

IDS_KEPT = 8
HORIZON_DAYS = 90.0

R, ALPHA_DAYS, A, B = 0.525, 43.281, 0.891, 1.614
"""MBG/NBD parameters, those that the worker is shipped with."""


def new_state() -> State:
    """A customer of whom nothing is known: counts, minor units, UTC day numbers, ms."""
    return {
        "purchases": 0, "spent_minor": 0, "complaints": 0, "severity_sum": 0, "logins": 0,
        "last_purchase_ms": 0, "last_complaint_ms": 0, "last_login_ms": 0, "seen_ms": 0, "risk": 0.0,
        "windows": new_windows(), "last_complaints": [], "recent_ids": [], "policy": new_policy(), **new_rhythm(),
    }  # fmt: skip


def fold(state: State, kind: str, event: dict[str, Any]) -> dict[str, Any] | None:
    """Change `state` by an event of a kind in KINDS; the message to send where the tier changed, else None."""
    if _repeated(state["recent_ids"], event["event_id"]):
        return None
    time_ms = round(datetime.fromisoformat(event["occurred_at"]).timestamp() * 1000)
    if time_ms > state["seen_ms"]:
        roll(state["windows"], state["seen_ms"] // 1000, time_ms // 1000)
        state["seen_ms"] = time_ms
    if kind == "purchase":
        _purchase(state, time_ms, round(event["amount"] * 100))
    elif kind == "complaint":
        _complaint(state, time_ms, event.get("severity", 3))
    else:
        _login(state, time_ms)
    return _judged(state, event["customer_id"], kind == "purchase") if state["purchases"] else None


def _repeated(recent_ids: list[str], event_id: str) -> bool:
    if event_id in recent_ids:
        return True
    recent_ids.insert(0, event_id)
    del recent_ids[IDS_KEPT:]
    return False


def _purchase(state: State, time_ms: int, amount_minor: int) -> None:
    windows, time_s, newest_s = state["windows"], time_ms // 1000, state["seen_ms"] // 1000
    occasion = not state["purchases"] or time_ms != state["last_purchase_ms"]
    state["spent_minor"] += amount_minor
    add(windows, "spent", amount_minor, time_s, newest_s)
    fade(state, time_ms - state["last_purchase_ms"], amount_minor, int(occasion))
    if occasion:
        state["purchases"] += 1
        add(windows, "purchases", 1, time_s, newest_s)
        bought_on(state, time_ms // 86_400_000)
        state["last_purchase_ms"] = time_ms


def _complaint(state: State, time_ms: int, severity: int) -> None:
    state["complaints"] += 1
    state["severity_sum"] += severity
    remember(state["last_complaints"], time_ms // 1000, severity)
    state["last_complaint_ms"] = max(state["last_complaint_ms"], time_ms)


def _login(state: State, time_ms: int) -> None:
    state["logins"] += 1
    add(state["windows"], "logins", 1, time_ms // 1000, state["seen_ms"] // 1000)
    state["last_login_ms"] = max(state["last_login_ms"], time_ms)


def _judged(state: State, customer: str, by_purchase: bool) -> dict[str, Any] | None:
    policy, at_ms = state["policy"], state["seen_ms"]
    state["risk"] = risk(state["purchase_days"], state["first_day"], state["recent_days"][0], at_ms)
    before = policy["tier"]
    decision = decide(policy, state["risk"], at_ms // 1000, state["purchases"], by_purchase)
    return None if decision is None else message(customer, state, decision, before)


def risk(purchase_days: int, first_day: int, last_day: int, at_ms: int) -> float:
    """P(no purchase in the next 90 days) as at a time, of a customer who has bought.

    q = ((alpha + t_x) / (alpha + T))^(r + x), s = ((alpha + T) / (alpha + T + h))^(r + x), c = a / (b + x): (c + q s) / (q + c)

    >>> round(risk(3, 0, 213, 272 * 86_400_000), 4)
    0.6684
    """
    x = purchase_days - 1
    between = last_day - first_day
    observed = max(at_ms // 86_400_000 - first_day, between)
    silent = exp(-(R + x) * log1p((observed - between) / (ALPHA_DAYS + between)))
    silent_ahead = exp(-(R + x) * log1p(HORIZON_DAYS / (ALPHA_DAYS + observed)))
    left = A / (B + x)
    return min((left + silent * silent_ahead) / (left + silent), 1.0)
