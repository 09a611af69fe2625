"""Challengers: models of River as it ships them, on the champion's snapshots and labels. They measure it, and never serve.

    adagrad   logistic regression by gradient steps (AdaGrad), on the columns of the champion's design
    forest    an adaptive random forest of a few trees, on the features without hinges and products

Each says what it thinks of a snapshot when it is taken, as it then stands; what it said waits for the label, is measured by it,
and the label is learnt. All are shifted like the champion (see `shift`), by what they said of the newest snapshots, so that the
comparison is about knowledge and not about the base rate. Chance comes from a seed: equal labels in equal order, equal measures.

Features are scaled by the design's constants. A scaler that learns would drift in a pipeline's first weeks (see `design`).
River's models have no stable form as bytes, so challengers live as long as the process: in a backtest, or from a topic's start.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from river.base import Classifier
from river.forest import ARFClassifier
from river.linear_model import LogisticRegression
from river.optim import AdaGrad

from detectors.as_served import DAY_MS
from detectors.column import Column
from detectors.customer_features import FEATURES
from detectors.design import COLUMNS, design
from detectors.labels import Labels
from detectors.learner_rules import LATEST_DAYS, LearnerRules
from detectors.prequential import Prequential
from detectors.scored import Scored, scored
from detectors.served import ServedModel
from detectors.shift import shift
from detectors.watched import watched

NAMES: Final = ("champion", "closed_form", "adagrad", "forest")
"""The first two are there to be compared with."""
LEARNING_RATE: Final = 0.05
TREES: Final = 5
SURE: Final = 1e-4
"""A share in a leaf may be 0 or 1; a risk is not."""

Row = dict[Hashable, float]


class Challengers:
    """rules   of the learner of which they are the challengers
    seed    of all chance
    """

    def __init__(self, rules: LearnerRules, seed: int = 1) -> None:
        self.rules = rules
        self.models: dict[str, Classifier] = {
            "adagrad": LogisticRegression(AdaGrad(LEARNING_RATE)),
            "forest": ARFClassifier(n_models=TREES, seed=seed),
        }
        self.prequential = Prequential(NAMES, rules.window)
        self._waiting: dict[int, tuple[int, Column]] = {}  # by label: since when, and what was said; oldest first
        self._newest: dict[str, list[Scored]] = {name: [] for name in self.models}

    def taken(self, ids: NDArray[np.uint64], inputs: NDArray[np.float32], model: ServedModel, tick_ms: int) -> None:
        """Customers were taken down since the last tick: each model says what it thinks of them.

        ids       of the labels that will follow
        inputs    what is known of them
        model     what they were scored with
        tick_ms   now, ms since 1970; what still waits when no label can come any more is let go
        """
        oldest_ms = tick_ms - (self.rules.horizon_days + LATEST_DAYS) * DAY_MS
        while self._waiting and next(iter(self._waiting.values()))[0] < oldest_ms:
            del self._waiting[next(iter(self._waiting))]
        if not len(ids) or model.linear is None:  # nothing was learnt yet, by anybody
            return
        closed_form, _ = model.logits(inputs)
        champion = ServedModel(model.closed_form, model.horizon_days, model.linear).risk(inputs)
        rows = _rows(design(inputs, model.closed_form, model.horizon_days))
        seen = watched(inputs, model.horizon_days)
        said = [champion, closed_form]
        for name in self.models:
            logit = np.array([self._logit(name, row) for row in rows])
            moved = 0.0 if model.closed_form.fitted_at_ms is None else shift(self._newest[name])
            said.append(1.0 / (1.0 + np.exp(-(logit + moved))))
            self._keep(name, scored(closed_form[seen], logit[seen], name))
        self._waiting |= {label: (tick_ms, p) for label, p in zip(ids.tolist(), np.stack(said, axis=1), strict=True)}

    def learn(self, labels: Labels, model: ServedModel) -> None:
        """Measure what was said of them, and learn them, in the order given; `model` has the closed form as it now is."""
        there = np.array([label in self._waiting for label in labels.id.tolist()], np.bool_)
        if there.any():
            p = np.stack([self._waiting.pop(label)[1] for label in labels.id[there].tolist()])
            self.prequential.add(p, labels.left[there], labels.inputs[there, 0] >= 1.0)
        rows = _rows(design(labels.inputs, model.closed_form, model.horizon_days))
        for row, left in zip(rows, labels.left.tolist(), strict=True):
            for name, challenger in self.models.items():
                challenger.learn_one(_seen_by(name, row), bool(left))

    def _logit(self, name: str, row: Row) -> float:
        p = self.models[name].predict_proba_one(_seen_by(name, row)).get(True, 0.5)
        p = min(max(p, SURE), 1.0 - SURE)
        return float(np.log(p / (1.0 - p)))

    def _keep(self, name: str, part: Scored) -> None:
        """Among the newest snapshots, as few as hold enough customers for a shift."""
        newest = [part, *self._newest[name]]
        enough = np.flatnonzero(np.cumsum([one.customers for one in newest]) >= self.rules.shift_customers)
        self._newest[name] = newest[: int(enough[0]) + 1] if len(enough) else newest[: self.rules.grid_days]


def _rows(columns: NDArray[np.float64]) -> list[Row]:
    """The design by name, as River takes it."""
    return [dict(zip(COLUMNS, row, strict=True)) for row in columns.tolist()]


def _seen_by(name: str, row: Row) -> Row:
    return {feature: row[feature] for feature in _FEATURES} if name == "forest" else row


_FEATURES = tuple(feature.name for feature in FEATURES)
