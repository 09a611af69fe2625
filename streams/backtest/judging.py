"""Cut-offs from scoring to judgement: the scores wait until the horizon has passed, then truth is compared with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from detectors.measures import Measured, auc, lift_at_10, measure, pr_auc
from streams.backtest.scores import RANKING, SCORES, Curve, fit_curve
from streams.backtest.weak_spots import KindBits

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ScoredCutOff:
    """The customers of one cut-off.

    at_ms              when
    customer           number of each
    last_purchase_ms   the latest purchase by then
    scores             by name, one entry a customer
    kinds              what each customer was like
    curves             for scores that only rank: how they were probabilities then
    """

    at_ms: int
    customer: NDArray[np.int64]
    last_purchase_ms: NDArray[np.int64]
    scores: Mapping[str, Floats]
    kinds: KindBits
    curves: Mapping[str, Curve | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """The same, once it is known who of them left; measured by score."""

    scored: ScoredCutOff
    left: Marks
    measured: Mapping[str, Measured]


class CutOffs:
    """horizon_ms   how long truth takes"""

    def __init__(self, horizon_ms: int) -> None:
        self._horizon_ms = horizon_ms
        self._waiting: dict[int, ScoredCutOff] = {}
        self.judged: list[Judged] = []

    def score(self, scored: ScoredCutOff) -> None:
        """Take down a cut-off. Whose outcome is known by then must be judged already."""
        known = self.judged[-1] if self.judged else None
        curves = {name: fit_curve(name, known.scored.scores[name], known.left) if known else None for name in RANKING}
        self._waiting[scored.at_ms + self._horizon_ms] = replace(scored, curves=curves)

    def judge(self, at_ms: int, last_purchase_ms: NDArray[np.int64]) -> None:
        """At the end of a cut-off's horizon: who bought nothing since has left.

        last_purchase_ms   latest purchase by then, by customer's number
        """
        scored = self._waiting.pop(at_ms)
        left = last_purchase_ms[scored.customer] <= scored.at_ms
        self.judged.append(Judged(scored, left, {name: _measured(scored, name, left) for name in SCORES}))


def _measured(scored: ScoredCutOff, name: str, left: Marks) -> Measured:
    score, marks = scored.scores[name], left.astype(np.float64)
    if name not in RANKING:
        return measure(score, marks)
    curve = scored.curves[name]
    found = measure(np.full(len(score), 0.5) if curve is None else curve.p(score), marks)
    lift, cap = lift_at_10(score, marks)
    found = replace(found, auc=auc(score, marks), pr_auc=pr_auc(score, marks), lift_at_10=lift, lift_cap=cap)
    return found if curve is not None else replace(found, log_loss=np.nan, brier=np.nan, ece=np.nan)
