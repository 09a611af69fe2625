"""A model of causes from examples alone: counted, calibrated, and silent where it would be wrong too often.

Every example is asked about by a model that has not seen it (cross-validation in `FOLDS` parts, every FOLDS-th example in
one), twice: alone, and among `BESIDE` examples of "unknown" that the model has not seen either, as in a letter that also says
other things. Temperature and silence are those with the least log loss on these answers, and the threshold the lowest at
which at most `MAX_ERROR` of the causes named are wrong. All come from coarse grids, so that machines agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from detectors.cause_model import UNKNOWN, probabilities, sentence_odds
from detectors.cause_snapshot import Calibration, CauseMeasured, CauseSnapshot, snapshot_of
from detectors.cause_tally import Tally, evidence
from detectors.cause_text import buckets, sentences
from detectors.causes import CAUSE_CLASSES, Example

FOLDS = 10
BESIDE = 2
MAX_ERROR = 0.15
TEMPERATURES = tuple(k / 10 for k in range(3, 31))
SILENCES = tuple(k / 4 for k in range(17))
THRESHOLDS = tuple(k / 100 for k in range(20, 96))

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Sentences = list[list[int]]


def fit(examples: Sequence[Example], source: str) -> CauseSnapshot:
    """The model of these examples.

    examples   at least FOLDS of each cause, "unknown" among them; their order decides which are asked about together
    source     where they are from, for people
    Raises ValueError for too few examples.
    """
    truth = np.array([CAUSE_CLASSES.index(example.cause) for example in examples], np.intp)
    for place, cause in enumerate(CAUSE_CLASSES):
        if (have := int((truth == place).sum())) < FOLDS:
            raise ValueError(f"{have} examples of {cause!r}: at least {FOLDS} of each cause are needed")
    told = [[buckets(one) for one in sentences(example.text, example.category)] for example in examples]
    tally = Tally()
    for one, place in zip(told, truth.tolist(), strict=True):
        tally.add(_together(one), place)
    return snapshot_of(tally, _calibrated(*_unseen(tally, told, truth)), source)


def measure_causes(p: Floats, truth: Places, threshold: float) -> CauseMeasured:
    """How good these answers are; `truth` is the place of each one's cause in CAUSE_CLASSES."""
    named, right = _named(p, threshold), p.argmax(axis=1) == truth
    answered = np.where(named, p.argmax(axis=1), UNKNOWN)
    return CauseMeasured(
        complaints=len(truth),
        accuracy=round(float((answered == truth).mean()), 4),
        named=round(float(named.mean()), 4),
        right=round(float(right[named].mean()), 4) if named.any() else 0.0,
    )


def _together(told: Sentences) -> list[int]:
    return list(dict.fromkeys(bucket for one in told for bucket in one))


def _unseen(tally: Tally, told: Sequence[Sentences], truth: Places) -> tuple[Floats, Floats, Places]:
    """(odds, prior, truth) of each question, by a tally that has seen none of its sentences."""
    odds, priors, asked = [], [], []
    for fold in range(FOLDS):
        rows = range(fold, len(truth), FOLDS)
        for row in rows:
            tally.add(_together(told[row]), int(truth[row]), by=-1)
        questions = [told[row] for row in rows]
        questions += _among([told[row] for row in rows], [told[row] for row in rows if truth[row] == UNKNOWN])
        flat = [sentence for question in questions for sentence in question]
        spoken = evidence(tally.weights([bucket for sentence in flat for bucket in sentence]), [len(one) for one in flat])
        odds.append(sentence_odds(spoken, [len(question) for question in questions]))
        priors.append(np.tile(tally.prior(), (len(questions), 1)))
        asked.append(np.tile(truth[fold::FOLDS], 2))
        for row in rows:
            tally.add(_together(told[row]), int(truth[row]))
    return np.concatenate(odds), np.concatenate(priors), np.concatenate(asked)


def _among(told: Sequence[Sentences], nothing: Sequence[Sentences]) -> list[Sentences]:
    """Each complaint with sentences that say nothing beside it."""
    others = [[nothing[(BESIDE * k + j) % len(nothing)] for j in range(BESIDE)] for k in range(len(told))]
    return [one + [sentence for other in beside for sentence in other] for one, beside in zip(told, others, strict=True)]


def _calibrated(odds: Floats, priors: Floats, truth: Places) -> Calibration:
    unmeasured = CauseMeasured(0, 0.0, 0.0, 0.0)
    choices = [Calibration(*choice, 0.0, unmeasured) for choice in product(TEMPERATURES, SILENCES)]
    chosen = min(choices, key=lambda choice: round(_log_loss(probabilities(odds, priors, choice), truth), 6))
    p = probabilities(odds, priors, chosen)
    threshold = next((t for t in THRESHOLDS if _few_wrong(p, truth, t)), THRESHOLDS[-1])
    return Calibration(chosen.temperature, chosen.silence, threshold, measure_causes(p, truth, threshold))


def _named(p: Floats, threshold: float) -> NDArray[np.bool_]:
    named: NDArray[np.bool_] = (p.argmax(axis=1) != UNKNOWN) & (p.max(axis=1) >= threshold)
    return named


def _few_wrong(p: Floats, truth: Places, threshold: float) -> bool:
    named = _named(p, threshold)
    return bool((p.argmax(axis=1) != truth)[named].sum() <= MAX_ERROR * named.sum())


def _log_loss(p: Floats, truth: Places) -> float:
    return float(-np.log(np.maximum(p[np.arange(len(p)), truth], 1e-6)).mean())
