"""Challengers: models of River as it ships them, on the champion's labels. They measure it, and never serve.

    adagrad   logistic regression by gradient steps (AdaGrad), on the columns of the champion's design
    forest    an adaptive random forest of a few shallow trees, on the features without hinges and products

A label is known a horizon after its snapshot, and brings the snapshot's inputs only then. Asked at that time, a model would have
learnt what was known of the same weeks meanwhile, even of the same customer. So each is copied every few days before it learns
on, and a label is judged by the newest copy from before its snapshot: what it says depends on nothing that was known later.

    champion, closed_form   what they said when the snapshot was taken, as it was told then; they are there to be compared with

All are compared unshifted (see `shift`): for a shift the newest snapshots' inputs would be needed, which come later as well.
Ranking at one time does not change by it; log loss, Brier and calibration error of champion and challengers are worse by what it
brings. They are compared on the same labels: those of which all have said something, of watched customers (see `watched`) then.
Challengers alone are measured by all labels, and by those of repeat buyers.

Equal labels in equal order give equal measures, wherever they were cut; chance comes from a seed. Features are scaled by the
design's constants: a scaler that learns would drift in a pipeline's first weeks (see `design`). River's models have no stable
form as bytes, so challengers live as long as their process: in a backtest, or from a topic's start.
"""

from __future__ import annotations

from collections.abc import Hashable
from copy import deepcopy
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river.base import Classifier
from river.forest import ARFClassifier
from river.linear_model import LogisticRegression
from river.optim import AdaGrad

from detectors.customer_features import FEATURES
from detectors.design import COLUMNS, design
from detectors.labels import DAY_MS, Labels
from detectors.learner_rules import LATEST_DAYS, LearnerRules
from detectors.measures import Measured
from detectors.parameters import BtydParameters
from detectors.prequential import Prequential, View, Who

CHALLENGERS: Final = ("adagrad", "forest")
COPIES_A_GRID: Final = 3
"""Copies are made so often between two snapshots of a customer: with H of 90 days every 10, of which 10 are kept. A copy is then
a few days older than the champion of the snapshot, of a horizon and more that all of them have no labels from anyway."""
LEARNING_RATE: Final = 0.05
TREES: Final = 5
DEPTH: Final = 6
"""Of a tree. Without a limit a forest takes 80 MB after 20,000 labels, and as much each copy, and learns 1,400 a second; so it
takes some 3 MB. On Online Retail II a depth of 8 ranked no better, had a worse log loss, and took four times as much."""
SURE: Final = 1e-4
"""A share in a leaf may be 0 or 1; a risk is not."""

Among = Literal["all", "repeat_buyers", "watched"]
"""Whose labels measure: everybody's, of who had bought on more than one day, of who was watched; by these all are compared."""

Row = dict[Hashable, float]
Models = dict[str, Classifier]


class Said(NamedTuple):
    """Of n labels, what was said when the snapshot was taken: p (n, models), by the models' order; whether it is known."""

    p: NDArray[np.float64]
    known: NDArray[np.bool_]


class Copy(NamedTuple):
    """The challengers as they were. until_ms: when the newest of the labels was known that they had learnt, ms since 1970."""

    until_ms: int
    models: Models


class Challengers:
    """rules         of the learner of which they are the challengers
    closed_form   parameters whose log odds are among the columns, always: the topic brings no newer ones
    others        whom they are compared with, in the order of what is `Said`
    share         of the labels that are learnt and judged, 0 to 1, chosen by their ids; for where the forest is too slow
    seed          of all chance

    alone         challengers, by all labels of whose snapshot there is a copy from before
    compared      others and challengers, by those of them of which the others' word is known
    labels        how many were learnt
    newest_ms     when the newest of them was known, ms since 1970; 0 before the first
    """

    def __init__(
        self,
        rules: LearnerRules,
        closed_form: BtydParameters,
        others: tuple[str, ...] = ("champion", "closed_form"),
        share: float = 1.0,
        seed: int = 1,
    ) -> None:
        self.rules, self.share, self._closed_form = rules, share, closed_form
        self.models: Models = {
            "adagrad": LogisticRegression(AdaGrad(LEARNING_RATE)),
            "forest": ARFClassifier(n_models=TREES, max_depth=DEPTH, seed=seed),
        }
        self.alone = Prequential(CHALLENGERS, rules.window)
        self.compared = Prequential((*others, *CHALLENGERS), rules.window)
        self.labels = self.newest_ms = 0
        self.copies: list[Copy] = []  # oldest first
        self._every_ms = max(rules.grid_days // COPIES_A_GRID, 1) * DAY_MS

    def learn(self, labels: Labels, said: Said) -> None:
        """Judge by each label what was said of its snapshot, and learn it, in the order given."""
        mine = sampled(labels.id, self.share)
        labels, said = labels.take(mine), Said(said.p[mine], said.known[mine])
        columns = design(labels.inputs, self._closed_form, float(self.rules.horizon_days))
        asked, ours = np.zeros(len(labels), np.bool_), np.zeros((len(labels), len(CHALLENGERS)))
        for k, values in enumerate(columns.tolist()):
            row: Row = dict(zip(COLUMNS, values, strict=True))
            self._copy(int(labels.known_ms[k]))
            then = self._before(int(labels.at_ms[k]))
            if then is not None:
                asked[k], ours[k] = True, [_risk(then[name], name, row) for name in CHALLENGERS]
            for name, model in self.models.items():
                model.learn_one(_seen_by(name, row), bool(labels.left[k]))
            self.newest_ms = max(self.newest_ms, int(labels.known_ms[k]))
        self.labels += len(labels)
        p, repeat = np.concatenate([said.p, ours], axis=1), labels.inputs[:, 0] >= 1.0
        self.alone.add(ours[asked], labels.left[asked], repeat[asked])
        both = asked & said.known
        self.compared.add(p[both], labels.left[both], repeat[both])

    def measured(self, view: View) -> dict[Among, dict[str, Measured]]:
        """The measures by whose labels they are of, and by model."""
        by: dict[Among, tuple[Prequential, Who]] = {
            "all": (self.alone, "all"),
            "repeat_buyers": (self.alone, "repeat_buyers"),
            "watched": (self.compared, "all"),
        }
        return {among: {name: of.measured(name, view, who) for name in of.names} for among, (of, who) in by.items()}

    def _copy(self, known_ms: int) -> None:
        """Before the first label of some days is learnt, keep what is learnt; let go of what no label can ask for any more."""
        if not self.newest_ms or known_ms // self._every_ms <= self.newest_ms // self._every_ms:
            return
        self.copies.append(Copy(self.newest_ms, deepcopy(self.models)))
        oldest_ms = known_ms - (self.rules.horizon_days + LATEST_DAYS) * DAY_MS
        while len(self.copies) > 1 and self.copies[1].until_ms < oldest_ms:
            del self.copies[0]

    def _before(self, at_ms: int) -> Models | None:
        """The challengers as they were before a snapshot; None: there were none yet."""
        return next((copy.models for copy in reversed(self.copies) if copy.until_ms < at_ms), None)


def sampled(ids: NDArray[np.uint64], share: float) -> NDArray[np.bool_]:
    """Which labels are of a share: ids are evenly spread, so chance decides, and always alike.

    >>> sampled(np.array([0, 2**63, 2**64 - 1], np.uint64), 0.5).tolist()
    [True, False, False]
    """
    chosen: NDArray[np.bool_] = (ids >> np.uint64(11)) * 2.0**-53 < share
    return chosen


def _risk(model: Classifier, name: str, row: Row) -> float:
    p: float = model.predict_proba_one(_seen_by(name, row)).get(True, 0.5)
    return min(max(p, SURE), 1.0 - SURE)


def _seen_by(name: str, row: Row) -> Row:
    return {feature: row[feature] for feature in _FEATURES} if name == "forest" else row


_FEATURES = tuple(feature.name for feature in FEATURES)
