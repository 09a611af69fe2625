"""The four scores of a backtest: what each knew of a customer at a cut-off.

    risk        what the product serves then
    btyd        the closed form alone, with the parameters of then
    idle        days since the last purchase
    frequency   -(occasions / (days since the first purchase day + 30)): who buys rarely is at risk

Risk and btyd are probabilities. The other two only rank; for log loss, Brier and ECE they are made probabilities by a logistic
curve in log(1 + idle days), or in the log of the frequency, fitted on the latest cut-off whose outcome was known by then. While
none was, they have no such measure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.btyd import p_no_purchase
from detectors.served import ServedModel
from streams.columns import DAY_MS
from streams.customer import Records
from streams.features import closed_form_inputs
from streams.model_inputs import model_inputs

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]

SCORES = ("risk", "btyd", "idle", "frequency")
RANKING = ("idle", "frequency")
"""Those that are no probabilities."""

PRIOR_DAYS = 30.0
_NEWTON_STEPS = 50
_RIDGE = 1e-6


def scored(rows: Records, at_ms: int, model: ServedModel) -> dict[str, Floats]:
    """The scores of customers who bought before, as at `at_ms`; one entry a row, higher where leaving is likelier."""
    as_of_ms = np.full(len(rows), at_ms, np.int64)
    closed_form = p_no_purchase(model.closed_form, *closed_form_inputs(rows, as_of_ms), model.horizon_days)
    tenure_days = at_ms // DAY_MS - rows["first_day"].astype(np.float64)
    return {
        "risk": closed_form if model.serving is None else model.risk(model_inputs(rows, as_of_ms)),
        "btyd": closed_form,
        "idle": (at_ms - rows["last_purchase_ms"]) / DAY_MS,
        "frequency": -(rows["purchases"] / (tenure_days + PRIOR_DAYS)),
    }


@dataclass(frozen=True, slots=True)
class Curve:
    """A score as a probability: 1 / (1 + exp(-(intercept + slope z))), z as below."""

    name: str
    intercept: float
    slope: float

    def p(self, score: Floats) -> Floats:
        """Probabilities of leaving, one a score."""
        found: Floats = 1.0 / (1.0 + np.exp(-(self.intercept + self.slope * _spread(self.name, score))))
        return found


def fit_curve(name: str, score: Floats, left: Marks) -> Curve | None:
    """The likeliest curve for a score of `RANKING`; None where nobody, or everybody, left.

    Newton's method from the base rate; a ridge of 1e-6 keeps a score that separates the two finite.
    """
    if not left.any() or left.all():
        return None
    z = _spread(name, score)
    base = float(left.mean())
    intercept, slope = float(np.log(base / (1.0 - base))), 0.0
    for _ in range(_NEWTON_STEPS):
        p = 1.0 / (1.0 + np.exp(-(intercept + slope * z)))
        weight, off = p * (1.0 - p), p - left
        curvature = float(weight.mean()) + _RIDGE, float((weight * z).mean()), float((weight * z * z).mean()) + _RIDGE
        down = float(off.mean()), float((off * z).mean()) + _RIDGE * slope
        size = curvature[0] * curvature[2] - curvature[1] ** 2
        step = (curvature[2] * down[0] - curvature[1] * down[1]) / size, (curvature[0] * down[1] - curvature[1] * down[0]) / size
        intercept, slope = intercept - step[0], slope - step[1]
        if max(map(abs, step)) < 1e-9:
            break
    return Curve(name, intercept, slope)


def _spread(name: str, score: Floats) -> Floats:
    found: Floats = np.log1p(np.maximum(score, 0.0)) if name == "idle" else -np.log(-score)
    return found
