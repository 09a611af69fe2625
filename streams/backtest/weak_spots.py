"""Where a risk is weak: the same measures for customers of one kind at a time.

Kinds overlap, and a customer counts once at each cut-off at which it was of a kind. `everybody` comes first, to compare with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.measures import measure

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Marks = NDArray[np.bool_]

SMALLEST = 30
"""Customers of a kind below which its numbers say more about chance."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """What a customer's kind is told by, one entry for each customer and cut-off.

    idle_days        since the last purchase, >= 0
    tenure_days      since the first purchase, >= 0
    purchase_days    days with a purchase so far, >= 1
    spent            in the last 365 days, any unit, refunds taken off
    """

    idle_days: Floats
    tenure_days: Floats
    purchase_days: Ints
    spent: Floats

    def __len__(self) -> int:
        return len(self.idle_days)

    def of_each(self, horizon_days: float) -> dict[str, Marks]:
        """Which customers are of which kind; the names are for people."""
        horizon = f"{horizon_days:g} days"
        return {
            "everybody": np.ones(len(self), bool),
            f"new: first purchase less than {horizon} ago": self.tenure_days < horizon_days,
            "known for a year or more": self.tenure_days >= 365,
            "few purchases: on 2 days at most": self.purchase_days <= 2,
            "some purchases: on 3 to 9 days": (self.purchase_days >= 3) & (self.purchase_days <= 9),
            "many purchases: on 10 days or more": self.purchase_days >= 10,
            f"bought in the last {horizon_days / 3:g} days": self.idle_days < horizon_days / 3,
            f"silent for {horizon} or more": self.idle_days >= horizon_days,
            "key accounts: the tenth that spent most": self._biggest(),
        }

    def _biggest(self) -> Marks:
        if not len(self):
            return np.zeros(0, bool)
        return self.spent >= np.quantile(self.spent, 0.9, method="higher")


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


def weak_spots(kinds: Kinds, risk: Floats, left: Marks, horizon_days: float) -> list[WeakSpot]:
    """A row for each kind that at least `SMALLEST` customers are of.

    risk   0..1;   left   whether each then left
    Raises ValueError for columns of different lengths and what `measure` refuses.
    """
    if not len(kinds) == len(risk) == len(left):
        raise ValueError(f"{len(kinds)} customers, {len(risk)} risks, {len(left)} outcomes: differ in length")
    masks = kinds.of_each(horizon_days)
    return [_spot(name, risk[mask], left[mask]) for name, mask in masks.items() if mask.sum() >= SMALLEST]


def _spot(name: str, risk: Floats, left: Marks) -> WeakSpot:
    found = measure(risk, left)
    auc = found.auc if math.isfinite(found.auc) else None
    guess = _entropy(found.base_rate)
    return WeakSpot(name, found.n, found.base_rate, float(risk.mean()), auc, found.log_loss, guess, found.ece)


def _entropy(p: float) -> float:
    """Of leaving with chance p, nats."""
    return -sum(q * math.log(q) for q in (p, 1.0 - p) if q > 0)
