"""Bayesian logistic regression that learns one outcome at a time; a classifier of River.

The weights have a Gaussian posterior. Each outcome moves it by one step of an extended Kalman filter (an online Newton step):

    p = 1 / (1 + exp(-m x))       r = max(p (1 - p), `floor`) * `label_weight`       g = P x / (1 + r x P x)
    m += g (y - p) label_weight   P -= r g (P x)'                                    P += `drift` I

The prior is the closed form (`design.prior_mean`): before any label the model is the closed form, and it leaves it as far as
the labels tell. A label counts `label_weight` < 1 because the snapshots of one customer overlap. The drift keeps the posterior
from closing for ever, and opens it no further than the prior; the floor keeps a label that was expected from being taken for
no news at all.

Nothing is summed by BLAS and labels are learnt one after another, so equal labels in equal order give the same bytes.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from river import base

from detectors.column import Column
from detectors.design import COLUMNS, prior_mean, prior_variance

MAX_LOGIT = 30.0
LABEL_WEIGHT: Final = 0.2
DRIFT: Final = 1e-7
FLOOR: Final = 0.02

_State = tuple[float, float, float, int, bytes, bytes]


class BayesianLogit(base.Classifier):
    """label_weight   how much a label counts, (0, 1]
    drift          variance that each weight gains a label, >= 0
    floor          least curvature of a label, [0, 0.25]
    """

    def __init__(self, label_weight: float = LABEL_WEIGHT, drift: float = DRIFT, floor: float = FLOOR) -> None:
        self.label_weight, self.drift, self.floor = label_weight, drift, floor
        self.mean: NDArray[np.float64] = prior_mean()
        self.covariance: NDArray[np.float64] = np.diag(prior_variance())
        self.labels = 0
        self._prior_variance = prior_variance()

    def learn(self, x: NDArray[np.float64], left: float) -> None:
        """One outcome: `x` a row of the design, `left` 1 or 0."""
        covariance = self.covariance
        step = (covariance * x).sum(axis=1)
        logit = min(max(float((self.mean * x).sum()), -MAX_LOGIT), MAX_LOGIT)
        p = 1.0 / (1.0 + float(np.exp(-logit)))
        curvature = max(p * (1.0 - p), self.floor) * self.label_weight
        shrink = 1.0 + curvature * float((step * x).sum())
        self.mean += step * ((left - p) * self.label_weight / shrink)
        step *= np.sqrt(curvature / shrink)
        covariance -= step[:, None] * step  # one factor on both sides: the matrix stays symmetric to the bit
        variance = np.einsum("ii->i", covariance)  # a view of the diagonal
        np.maximum(variance, np.minimum(variance + self.drift, self._prior_variance), out=variance)
        self.labels += 1

    def logit(self, x: NDArray[np.float64]) -> float:
        """Log odds of having left, for one row of the design."""
        return float((self.mean * x).sum())

    def learn_one(self, x: dict[Hashable, Any], y: bool | str | int) -> None:
        """River's way: `x` holds the design's columns by name; what it lacks is 0, what is none is passed over."""
        self.learn(_row(x), float(y))

    def predict_proba_one(self, x: dict[Hashable, Any], **_: Any) -> dict[bool | str | int, float]:
        """{True: probability of having left, False: of having stayed}."""
        p = 1.0 / (1.0 + float(np.exp(-min(max(self.logit(_row(x)), -700.0), 700.0))))
        return {False: 1.0 - p, True: p}

    def to_bytes(self) -> bytes:
        """The state, exactly: what `from_bytes` makes, told the same, goes on as this one would have."""
        return msgspec.msgpack.encode(
            (self.label_weight, self.drift, self.floor, self.labels, self.mean.tobytes(), self.covariance.tobytes())
        )

    @classmethod
    def from_bytes(
        cls, data: bytes, label_weight: float = LABEL_WEIGHT, drift: float = DRIFT, floor: float = FLOOR
    ) -> BayesianLogit:
        """What was learnt, to learn on from as is told here: with what it was learnt the bytes say, for whoever reads them.

        Raises ValueError where the state is of another release, or where numbers in it are none.
        """
        try:
            _, _, _, labels, mean, covariance = msgspec.msgpack.decode(data, type=_State)
        except msgspec.MsgspecError as error:
            raise ValueError(f"no state of this learner ({error}); learn again from the labels") from None
        size = len(COLUMNS)
        if (len(mean), len(covariance)) != (8 * size, 8 * size * size):
            raise ValueError(f"state of {len(mean) // 8} weights: this release has {size}; learn again from the labels")
        made = cls(label_weight, drift, floor)
        made.mean = np.frombuffer(mean).copy()
        made.covariance = np.frombuffer(covariance).reshape(size, size).copy()
        made.labels = labels
        if not (np.isfinite(made.mean).all() and np.isfinite(made.covariance).all()):
            raise ValueError("state with weights that are not finite: it is spoilt; learn again from the labels")
        return made


_PLACE: Mapping[Hashable, int] = {name: place for place, name in enumerate(COLUMNS)}


def _row(x: Mapping[Hashable, Any]) -> Column:
    row = np.zeros(len(COLUMNS))
    for name, value in x.items():
        place = _PLACE.get(name)
        if place is not None:
            row[place] = value
    return row
