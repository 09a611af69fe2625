"""Causes learnt from complaints that people have labelled, one after another: a River classifier."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river.base import Classifier
from river.base.typing import ClfTarget

from detectors.cause_model import UNKNOWN, probabilities, sentence_odds
from detectors.cause_snapshot import CauseSnapshot, snapshot_of
from detectors.cause_tally import Tally, evidence
from detectors.cause_text import buckets, sentences
from detectors.causes import CAUSE_CLASSES

KNOWN = 0.8
"""A text whose cause is given this much already teaches nothing: counting it again would only drown what is rare."""


class CauseLearner(Classifier):
    """Naive Bayes (see `cause_tally`) that learns on from a snapshot.

    Of a complaint of several sentences only the one is counted that speaks most for the cause: the others are greetings, stories
    and praise. Its category is counted always. As any River classifier it takes a dict: `text` and `category`, each optional.
    """

    def __init__(self, start: CauseSnapshot) -> None:
        self.start = start
        self.tally: Tally = start.tally()

    def learn_one(self, x: dict[Hashable, Any], y: ClfTarget) -> None:
        """Count a complaint. Raises ValueError for what is no cause class."""
        if y not in CAUSE_CLASSES:
            raise ValueError(f"cause = {y!r}: must be one of {', '.join(CAUSE_CLASSES)}")
        place = CAUSE_CLASSES.index(y)
        found = [buckets(one) for one in sentences("", x.get("category", ""))]
        told = [buckets(one) for one in sentences(x.get("text", ""))]
        if told and self._probabilities(told)[place] < KNOWN:
            odds = self._spoken(told)[:, place] - self._spoken(told)[:, UNKNOWN]
            found += [told[int(odds.argmax())]] if place != UNKNOWN else told
        self.tally.add(list({bucket for one in found for bucket in one}), place)

    def predict_proba_one(self, x: dict[Hashable, Any], **_kwargs: Any) -> dict[ClfTarget, float]:
        """The probability of each cause, "unknown" among them."""
        p = self._probabilities([buckets(one) for one in sentences(x.get("text", ""), x.get("category", ""))])
        return dict(zip(CAUSE_CLASSES, p.tolist(), strict=True))

    def snapshot(self, source: str) -> CauseSnapshot:
        """What is learnt now, with the start's calibration."""
        return snapshot_of(self.tally, self.start.calibration, source)

    def _spoken(self, told: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        return evidence(self.tally.weights([bucket for one in told for bucket in one]), [len(one) for one in told])

    def _probabilities(self, told: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        odds = sentence_odds(self._spoken(told), [len(told)])
        p: NDArray[np.float64] = probabilities(odds, self.tally.prior(), self.start.calibration)[0]
        return p
