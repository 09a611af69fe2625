"""When one customer buys: purchase days, the gaps between them, and sums in which old purchases fade.

Purchases must come in order. Days are UTC day numbers; a second purchase on a day is no gap.
"""

from __future__ import annotations

from itertools import pairwise
from math import log
from typing import Any

RECENT_DAYS = 8
HALF_LIVES_MS = tuple(days * 86_400_000.0 for days in (15, 45, 120))


def new_rhythm() -> dict[str, Any]:
    """The part of a new customer's state that is kept here. Gaps are days, decayed sums as at the last purchase."""
    return {
        "purchase_days": 0, "first_day": 0, "recent_days": [], "usual_gap_days": 0.0, "longest_gap_days": 0,
        "gap_sq_sum": 0, "log_gap_sum": 0.0, "log_gap_sq_sum": 0.0,
        "decayed_purchases": [0.0] * len(HALF_LIVES_MS), "decayed_spent": [0.0] * len(HALF_LIVES_MS),
    }  # fmt: skip


def bought_on(state: dict[str, Any], day: int) -> None:
    """Take a purchase's day; of gaps their number and sum are known from the days."""
    recent = state["recent_days"]
    if not recent:
        state["first_day"] = day
    elif day <= recent[0]:
        return
    else:
        _add_gap(state, day - recent[0])
    state["purchase_days"] += 1
    recent.insert(0, day)
    del recent[RECENT_DAYS:]
    if len(recent) > 1:
        state["usual_gap_days"] = usual_gap(recent)


def _add_gap(state: dict[str, Any], gap_days: int) -> None:
    log_gap = log(gap_days)
    state["gap_sq_sum"] += gap_days * gap_days
    state["log_gap_sum"] += log_gap
    state["log_gap_sq_sum"] += log_gap * log_gap
    state["longest_gap_days"] = max(state["longest_gap_days"], gap_days)


def usual_gap(days: list[int]) -> float:
    """Median of the gaps between at least two days, newest first.

    >>> usual_gap([40, 33, 30, 25])
    5.0
    """
    gaps = sorted(later - earlier for later, earlier in pairwise(days))
    return (gaps[(len(gaps) - 1) // 2] + gaps[len(gaps) // 2]) / 2


def fade(state: dict[str, Any], since_ms: int, amount_minor: int, occasions: int) -> None:
    """Let the decayed sums fade by the time since the last purchase, and add this one."""
    counts, money = state["decayed_purchases"], state["decayed_spent"]
    for i, half_life_ms in enumerate(HALF_LIVES_MS):
        faded = 0.5 ** (since_ms / half_life_ms)
        counts[i] = counts[i] * faded + occasions
        money[i] = money[i] * faded + amount_minor
