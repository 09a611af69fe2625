"""The cause that a complaint speaks of, how sure that is, and what says so; or "unknown".

    score(cause)   = prior + T / √m · Σ over m sentences of max(0, evidence(cause) - evidence("unknown"))
    score(unknown) = silence

So a sentence that says nothing (praise, a greeting, a story) neither speaks for a cause nor against the one that another
sentence names. The evidence is that of `cause_tally`; the prior is ln of the cause's share of the examples, less its mean.
Confidence is the softmax of the scores. T, the temperature, and the silence were chosen so that confidence comes true as
often as it says (Guo et al. 2017, On calibration of modern neural networks), and the threshold below which no cause is named
so that few of those named are wrong: all on complaints that were not learnt from (see `cause_fit`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.cause_snapshot import Calibration, CauseSnapshot
from detectors.cause_tally import STEPS, evidence
from detectors.cause_text import BUCKETS, buckets, sentences
from detectors.causes import CAUSE_CLASSES, CauseClass

UNKNOWN = CAUSE_CLASSES.index("unknown")
"""The last one: those before it are causes."""

_DIGITS = 6
"""Confidence is rounded to so many digits before it is compared."""

Floats = NDArray[np.float64]


class Said(NamedTuple):
    """A feature of a complaint and how much it spoke for the cause: its part of the score."""

    feature: str
    weight: float


class Found(NamedTuple):
    """A complaint's cause and how sure that is.

    closest   the cause that came closest, which is `cause` unless that is unknown
    said      what spoke most for it, strongest first
    """

    cause: CauseClass
    confidence: float
    closest: CauseClass
    said: list[Said]


def probabilities(odds: Floats, prior: Floats, calibration: Calibration) -> Floats:
    """(complaints, classes), "unknown" last, rounded.

    odds    (complaints, causes) of `sentence_odds`
    prior   ln of each class's share of the examples
    """
    causes = prior[..., :UNKNOWN]
    score = np.full((len(odds), UNKNOWN + 1), calibration.silence)
    score[:, :UNKNOWN] = calibration.temperature * odds + causes - causes.mean(axis=-1, keepdims=True)
    grown = np.exp(score - score.max(axis=1, keepdims=True))
    p: Floats = (grown / grown.sum(axis=1, keepdims=True)).round(_DIGITS)
    return p


def sentence_odds(spoken: Floats, sentences_of: Sequence[int]) -> Floats:
    """(complaints, causes): how much more each cause was spoken of than nothing, over √m.

    spoken         (sentences, classes) of `cause_tally.evidence`, one complaint's after another's
    sentences_of   m of each complaint, >= 0
    """
    m = np.array(sentences_of, np.int64)
    odds = np.zeros((len(m), UNKNOWN))
    np.add.at(odds, np.repeat(np.arange(len(m)), m), np.maximum(spoken[:, :UNKNOWN] - spoken[:, UNKNOWN:], 0.0))
    return odds / np.sqrt(np.maximum(m, 1))[:, None]


class CauseModel:
    """A snapshot at work."""

    def __init__(self, snapshot: CauseSnapshot) -> None:
        self.version = snapshot.version
        self._calibration = snapshot.calibration
        tally = snapshot.tally()
        known = tally.known()
        self._row = np.zeros(BUCKETS, np.int32)  # row 0 is of what was never seen
        self._row[known] = np.arange(1, len(known) + 1)
        self._weights = np.concatenate([np.zeros((1, len(CAUSE_CLASSES)), np.int64), tally.weights(known)])
        self._prior = tally.prior()

    def classify(self, complaints: Sequence[tuple[str, str]]) -> tuple[NDArray[np.intp], Floats]:
        """Of each complaint (text, category; "" where absent) the place of its cause in CAUSE_CLASSES, and the confidence.

        A cause that is less sure than the threshold is "unknown", with the confidence that it had.
        """
        p = self._probabilities([sentences(text, category) for text, category in complaints])
        best = p.argmax(axis=1)
        confidence = p[np.arange(len(p)), best]
        return np.where(confidence < self._calibration.threshold, UNKNOWN, best), confidence

    def explain(self, text: str, category: str = "", most: int = 8) -> Found:
        """One complaint, with what decided."""
        (place,), (confidence,) = self.classify([(text, category)])
        told = sentences(text, category)
        closest = int(self._probabilities([told])[0, :UNKNOWN].argmax()) if place == UNKNOWN else int(place)
        said: dict[str, float] = {}
        for one in told:
            weights = self._weights[self._row[buckets(one)]]
            spoken = weights[:, closest] - weights[:, UNKNOWN]
            if spoken.sum() > 0:
                scale = self._calibration.temperature / STEPS / (len(one) * len(told)) ** 0.5
                for feature, weight in zip(one, spoken.tolist(), strict=True):
                    said[feature] = said.get(feature, 0.0) + weight * scale
        strongest = sorted((Said(name, round(weight, 3)) for name, weight in said.items()), key=lambda one: -one.weight)[:most]
        return Found(
            CAUSE_CLASSES[place], float(confidence), CAUSE_CLASSES[closest], [one for one in strongest if one.weight > 0]
        )

    def _probabilities(self, told: Sequence[Sequence[Sequence[str]]]) -> Floats:
        found = [buckets(sentence) for one in told for sentence in one]
        flat = np.array([bucket for sentence in found for bucket in sentence], np.intp)
        spoken = evidence(self._weights[self._row[flat]], [len(sentence) for sentence in found])
        return probabilities(sentence_odds(spoken, [len(one) for one in told]), self._prior, self._calibration)
