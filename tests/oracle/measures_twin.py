"""The measures as their definitions say, pair by pair and row by row; slow."""

from __future__ import annotations

import math
from itertools import product


def auc(score, left):
    """Share of the pairs of a leaver and a stayer in which the leaver has the higher score, ties half."""
    gone = [s for s, y in zip(score, left, strict=True) if y]
    here = [s for s, y in zip(score, left, strict=True) if not y]
    if not gone or not here:
        return math.nan
    return sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in product(gone, here)) / (len(gone) * len(here))


def pr_auc(score, left):
    """Walk the thresholds from the highest: precision there, times the recall that it adds."""
    if not sum(left):
        return math.nan
    area = recall = 0.0
    for threshold in sorted(set(score), reverse=True):
        chosen = [y for s, y in zip(score, left, strict=True) if s >= threshold]
        reached = sum(chosen) / sum(left)
        area += sum(chosen) / len(chosen) * (reached - recall)
        recall = reached
    return area


def log_loss(p, left):
    if not p:
        return math.nan
    kept = [min(max(value, 1e-6), 1.0 - 1e-6) for value in p]
    return -sum(math.log(value if y else 1.0 - value) for value, y in zip(kept, left, strict=True)) / len(p)


def brier(p, left):
    return sum((value - y) ** 2 for value, y in zip(p, left, strict=True)) / len(p) if p else math.nan


def ece(p, left):
    if not p:
        return math.nan
    error = 0.0
    for k in range(10):
        rows = [i for i, value in enumerate(p) if min(int(value * 10), 9) == k]
        if rows:
            mean_p, share = sum(p[i] for i in rows) / len(rows), sum(left[i] for i in rows) / len(rows)
            error += len(rows) / len(p) * abs(mean_p - share)
    return error


def lift_at_10(score, left):
    """Leavers in the highest tenth, one customer at a time; at the edge every order of equal scores is as likely."""
    n, gone = len(score), sum(left)
    if not gone:
        return math.nan, math.nan
    places, caught = math.ceil(n / 10), 0.0
    for threshold in sorted(set(score), reverse=True):
        same = [y for s, y in zip(score, left, strict=True) if s == threshold]
        seats = min(places, len(same))
        caught += seats * sum(same) / len(same)
        places -= seats
    tenth = math.ceil(n / 10)
    return caught / tenth / (gone / n), min(gone, tenth) / tenth / (gone / n)
