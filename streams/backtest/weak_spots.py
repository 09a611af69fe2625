"""Where a risk is weak: the same measures for customers of one kind at a time.

Kinds overlap, and a customer counts once at each cut-off at which it was of a kind. `everybody` comes first, to compare with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.measures import measure
from streams.columns import DAY_MS
from streams.customer import Records
from streams.windows import window_sum

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]
KindBits = NDArray[np.uint16]
"""Of which kinds a customer is: bit k for the k-th of `kind_names`."""

SMALLEST = 30
"""Customers of a kind below which its numbers say more about chance."""


@dataclass(frozen=True, slots=True)
class WeakSpot:
    """The measures of one kind (see `detectors.measures`); None where there is nothing to measure by.

    name         of the kind
    n            customers, counted at each cut-off
    base_rate    share of them who left;  mean_risk   what they were given on average
    guess_loss   log loss of telling each of them the kind's base rate: a risk that does no better knows nothing more
    """

    name: str
    n: int
    base_rate: float
    mean_risk: float
    auc: float | None
    log_loss: float
    guess_loss: float
    ece: float


def kind_names(horizon_days: float) -> tuple[str, ...]:
    """What the kinds are called."""
    horizon = f"{horizon_days:g} days"
    return (
        "everybody",
        f"new: first purchase less than {horizon} ago",
        "known for a year or more",
        "few purchases: on 2 days at most",
        "some purchases: on 3 to 9 days",
        "many purchases: on 10 days or more",
        f"bought in the last {horizon_days / 3:g} days",
        f"silent for {horizon} or more",
        "key accounts: the tenth that spent most in a year",
        "has returned goods",
        "has complained",
        "has logged in",
    )


def kinds_of(rows: Records, at_ms: int, horizon_days: float) -> KindBits:
    """Of which kinds the customers of one cut-off at `at_ms` are, one entry a row; all must have bought before."""
    tenure_days = at_ms // DAY_MS - rows["first_day"].astype(np.int64)
    idle_days = (at_ms - rows["last_purchase_ms"]) / DAY_MS
    purchase_days = rows["purchase_days"]
    masks = (
        np.ones(len(rows), bool),
        tenure_days < horizon_days,
        tenure_days >= 365,
        purchase_days <= 2,
        (purchase_days >= 3) & (purchase_days <= 9),
        purchase_days >= 10,
        idle_days < horizon_days / 3,
        idle_days >= horizon_days,
        _spent_most(rows, at_ms),
        rows["refunds"] > 0,
        rows["complaints"] > 0,
        rows["logins"] > 0,
    )
    bits = np.zeros(len(rows), np.uint16)
    for bit, mask in enumerate(masks):
        bits |= mask.astype(np.uint16) << np.uint16(bit)
    return bits


def weak_spots(kinds: KindBits, risk: Floats, left: Marks, horizon_days: float) -> list[WeakSpot]:
    """A row for each kind that at least `SMALLEST` customers are of.

    kinds   `kinds_of` the customers of all cut-offs;   risk   0..1;   left   whether each then left
    Raises ValueError for columns of different lengths and what `measure` refuses.
    """
    if not len(kinds) == len(risk) == len(left):
        raise ValueError(f"{len(kinds)} customers, {len(risk)} risks, {len(left)} outcomes: differ in length")
    found = []
    for bit, name in enumerate(kind_names(horizon_days)):
        mask = (kinds & np.uint16(1 << bit)) != 0
        if mask.sum() >= SMALLEST:
            found.append(_spot(name, risk[mask], left[mask]))
    return found


def _spent_most(rows: Records, at_ms: int) -> Marks:
    """The tenth of the cut-off's customers that spent most in the last 365 days; with equals of the last of them, more."""
    if not len(rows):
        return np.zeros(0, bool)
    spent = window_sum(rows, "spent_365d", 365, np.full(len(rows), at_ms // 1000, np.int64))
    return spent >= np.quantile(spent, 0.9, method="higher")


def _spot(name: str, risk: Floats, left: Marks) -> WeakSpot:
    found = measure(risk, left)
    auc = found.auc if math.isfinite(found.auc) else None
    guess = _entropy(found.base_rate)
    return WeakSpot(name, found.n, found.base_rate, float(risk.mean()), auc, found.log_loss, guess, found.ece)


def _entropy(p: float) -> float:
    """Of leaving with chance p, nats."""
    return -sum(q * math.log(q) for q in (p, 1.0 - p) if q > 0)
