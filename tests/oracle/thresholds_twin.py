"""Thresholds by walking through every spell of silence, score after score: the oracle for streams/backtest/thresholds.py."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import NamedTuple

DAY_MS = 86_400_000


class Score(NamedTuple):
    customer: int
    at_ms: int
    last_purchase_ms: int
    risk: float
    left: bool


class Counted(NamedTuple):
    fired: int
    caught: int
    leaving: int
    lead_days_p50: float | None


def count(scores: list[Score], threshold: float, horizon_days: float) -> Counted:
    """What `threshold` would have done."""
    spells = defaultdict(list)
    for score in sorted(scores, key=lambda score: score.at_ms):
        spells[score.customer, score.last_purchase_ms].append(score)
    fired, leads, leaving = 0, [], 0
    for spell in spells.values():
        leaving += any(score.left for score in spell)
        contact = next((score for score in spell if score.risk >= threshold), None)
        if contact is not None:
            fired += 1
            if contact.left:
                leads.append(horizon_days - (contact.at_ms - contact.last_purchase_ms) / DAY_MS)
    return Counted(fired, len(leads), leaving, median(leads) if leads else None)


def lives_scored(purchases: list[list[int]], cutoffs: list[int], risks: list[float], horizon_days: int) -> list[Score]:
    """Scores at `cutoffs` (days) of customers with these purchase days; `risks` are dealt out in turn."""
    scores: list[Score] = []
    for customer, days in enumerate(purchases):
        for cutoff in cutoffs:
            past = [day for day in days if day <= cutoff]
            if past:
                left = not any(cutoff < day <= cutoff + horizon_days for day in days)
                risk = risks[len(scores) % len(risks)]
                scores.append(Score(customer, cutoff * DAY_MS, max(past) * DAY_MS, risk, left))
    return scores
