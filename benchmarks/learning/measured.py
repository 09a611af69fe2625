"""Everybody's measures at every cut-off, their means, and what they should be.

The scores of a backtest come as its report has them. LightGBM is its best try, see `batch`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning.batch import TRIES, Risks
from benchmarks.learning.frozen import Frozen
from detectors.measures import Measured, measure
from streams.backtest.scores import SCORES

MEASURES = ("auc", "log_loss", "brier", "ece")
NAMES = (*SCORES, "lightgbm")

Means = Mapping[str, float | None]
"""Measure -> mean over the cut-offs that have it; None where none has."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One base.

    labels, left_share   all that became known, and the share of them who had left
    cut_offs, customers, base_rate   how many; customers at one of them and the share who left, in the mean
    means                by name of `NAMES`, without LightGBM where it was not asked
    tries                of LightGBM, by their names
    best                 the name of that which is told
    """

    labels: int
    left_share: float
    cut_offs: int
    customers: float
    base_rate: float
    means: Mapping[str, Means]
    tries: Mapping[str, Means]
    best: str | None


def compared(frozen: Frozen, risks: Risks | None) -> Compared:
    """The measures of a base with a cut-off at least.

    risks   of LightGBM's tries; None: it was not asked
    """
    measured = [cut_off.judged.measured for cut_off in frozen.cut_offs]
    means: dict[str, Means] = {name: mean([one[name] for one in measured]) for name in SCORES}
    tries = {name: _tried(frozen, of_cut_offs) for name, of_cut_offs in (risks or {}).items()}
    best = best_of(tries) if tries else None
    if best is not None:
        means["lightgbm"] = tries[best]
    return Compared(
        labels=len(frozen.labels),
        left_share=float(frozen.labels.left.mean()),
        cut_offs=len(measured),
        customers=fmean(one["risk"].n for one in measured),
        base_rate=fmean(one["risk"].base_rate for one in measured),
        means=means,
        tries=tries,
        best=best,
    )


def mean(measured: Sequence[Measured]) -> Means:
    """Mean of each measure over the cut-offs at which it is defined."""
    found: dict[str, float | None] = {}
    for name in MEASURES:
        known = [value for one in map(asdict, measured) if not math.isnan(value := one[name])]
        found[name] = fmean(known) if known else None
    return found


def best_of(tries: Mapping[str, Means]) -> str:
    """The try with the highest mean AUC, and of it the better way to shift, by log loss."""
    plain = max((one.name for one in TRIES), key=lambda name: tries[name]["auc"] or 0.0)
    return min((plain, f"{plain} shifted"), key=lambda name: tries[name]["log_loss"] or math.inf)


def _tried(frozen: Frozen, risks: Sequence[NDArray[np.float64]]) -> Means:
    return mean([measure(risk, cut_off.judged.left) for risk, cut_off in zip(risks, frozen.cut_offs, strict=True)])


@dataclass(frozen=True, slots=True)
class Target:
    """The AUC of `risk` is to be that of another plus `least` (which may be below 0), at least, on a base."""

    base: str
    other: str
    least: float

    def found(self, bases: Mapping[str, Compared]) -> float | None:
        """By how much it is higher; None where that was not measured."""
        means = bases[self.base].means if self.base in bases else {}
        ours, others = (means.get(name, {}).get("auc") for name in ("risk", self.other))
        return None if ours is None or others is None else ours - others


TARGETS = (
    Target("online-retail-ii", "btyd", 0.010),
    Target("cdnow", "btyd", 0.005),
    Target("online-retail-ii", "lightgbm", -0.002),
    Target("cdnow", "lightgbm", -0.002),
)
