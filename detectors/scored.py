"""What customers were scored at their snapshots, as counts: from these the learner sets the shift (see `shift.py`).

All sums are of whole numbers, so neither the order nor the cut of what is added up matters.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

BASIS_POINTS: Final = 10_000
LOGIT_BINS: Final = 20
"""Bins per unit of log odds: rounding moves a risk by .00625 at most, and the mean of many by far less."""
LOGIT_BOUND: Final = 15.0


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """Of some customers who were taken down.

    customers        how many
    closed_form_bp   sum of their risks by the closed form, 1e-4
    model            version of the linear model that was tried on them; "": none
    logits           its log odds, unshifted: bin k (the value k / LOGIT_BINS) -> customers there; empty where there is none
    """

    customers: int
    closed_form_bp: int
    model: str = ""
    logits: dict[int, int] = {}


def scored(closed_form: NDArray[np.float64], logit: NDArray[np.float64] | None, model: str) -> Scored:
    """The counts of customers with these risks by the closed form and these log odds by the linear model.

    >>> import numpy as np
    >>> scored(np.array([0.25, 0.5]), np.array([0.0, 0.01]), "m1")
    Scored(customers=2, closed_form_bp=7500, model='m1', logits={0: 2})
    """
    return counted(basis_points(closed_form), None if logit is None else logit_bins(logit), model)


def basis_points(closed_form: NDArray[np.float64]) -> NDArray[np.int64]:
    """Risks, 1e-4."""
    return np.rint(closed_form * BASIS_POINTS).astype(np.int64)


def logit_bins(logit: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bins of log odds."""
    return np.rint(np.clip(logit, -LOGIT_BOUND, LOGIT_BOUND) * LOGIT_BINS).astype(np.int64)


def counted(bp: NDArray[np.int64], bins: NDArray[np.int64] | None, model: str) -> Scored:
    """The counts of customers with these risks, 1e-4, and these bins of log odds; None: no linear model was tried."""
    if bins is None:
        return Scored(customers=len(bp), closed_form_bp=int(bp.sum()))
    at, counts = np.unique(bins, return_counts=True)
    logits = dict(zip(at.tolist(), counts.tolist(), strict=True))
    return Scored(customers=len(bp), closed_form_bp=int(bp.sum()), model=model, logits=logits)


def together(parts: Iterable[Scored]) -> Scored:
    """The counts of all parts; of which model is not told any more.

    >>> one = Scored(customers=1, closed_form_bp=5, logits={3: 1})
    >>> together([one, Scored(customers=2, closed_form_bp=7, logits={-1: 1, 3: 1})])
    Scored(customers=3, closed_form_bp=12, model='', logits={-1: 1, 3: 2})
    """
    customers, bp, bins = 0, 0, dict[int, int]()
    for part in parts:
        customers, bp = customers + part.customers, bp + part.closed_form_bp
        for at, count in part.logits.items():
            bins[at] = bins.get(at, 0) + count
    return Scored(customers=customers, closed_form_bp=bp, logits=dict(sorted(bins.items())))
