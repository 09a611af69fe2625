"""How often each feature was seen with each cause, and what that says: the state of naive Bayes over hashed features.

    weight(feature, cause)    = ln((seen + a) / (all seen of the cause + a · V)), less its mean over the classes
    evidence(sentence, cause) = Σ weight / √n

a = `SMOOTHING`, V the number of different features ever seen, n the sentence's number of features: what was never seen says
nothing but counts in n, and a long sentence is not as sure as it is long, since its features repeat each other. Weights are
whole multiples of 1 / `STEPS`, so a sentence's sum is exact whatever was classified beside it.

Source: McCallum & Nigam 1998, A comparison of event models for naive Bayes text classification; each feature of a complaint
counts once (binary naive Bayes, Jurafsky & Martin, Speech and Language Processing, chapter on naive Bayes).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.cause_text import BUCKETS
from detectors.causes import CAUSE_CLASSES

SMOOTHING = 0.1
STEPS = 1024

Counts = NDArray[np.int32]
"""(BUCKETS, classes), classes in the order of CAUSE_CLASSES."""
Weights = NDArray[np.int64]
"""(features, classes), in 1 / STEPS."""


class Tally:
    """Counts that grow. Adding is all there is to learning, so the order of examples does not matter.

    counts     how often each bucket was seen with each cause
    examples   how many of each cause
    """

    def __init__(self, counts: Counts | None = None, examples: Sequence[int] | None = None) -> None:
        classes = len(CAUSE_CLASSES)
        self.counts = np.zeros((BUCKETS, classes), np.int32) if counts is None else counts.copy()
        self.examples = np.zeros(classes, np.int64) if examples is None else np.array(examples, np.int64)
        self._totals = self.counts.sum(axis=0, dtype=np.int64)
        self._features = len(self.known())

    def add(self, found: Sequence[int], place: int, by: int = 1) -> None:
        """Count a complaint's features (each once) for a cause; `by` = -1 takes one back that was counted.

        place   of the cause in CAUSE_CLASSES
        """
        before = np.count_nonzero(self.counts[found].any(axis=1))
        self.counts[found, place] += by
        self._features += int(np.count_nonzero(self.counts[found].any(axis=1)) - before)
        self._totals[place] += by * len(found)
        self.examples[place] += by

    def weights(self, found: Sequence[int] | NDArray[np.intp]) -> Weights:
        """What each of these features says for each cause; 0 where it was never seen."""
        seen = self.counts[np.asarray(found, np.intp)]
        weights = np.log(seen + SMOOTHING) - np.log(self._totals + SMOOTHING * max(self._features, 1))
        weights -= weights.mean(axis=1, keepdims=True)
        weights[~(seen > 0).any(axis=1)] = 0.0
        whole: Weights = np.rint(weights * STEPS).astype(np.int64)
        return whole

    def prior(self) -> NDArray[np.float64]:
        """ln of each cause's share of the examples, one added to each cause."""
        prior: NDArray[np.float64] = np.log((self.examples + 1) / (self.examples.sum() + len(CAUSE_CLASSES)))
        return prior

    def known(self) -> NDArray[np.intp]:
        """Buckets that were ever seen, ascending."""
        return np.flatnonzero(self.counts.any(axis=1))


def evidence(weights: Weights, lengths: Sequence[int]) -> NDArray[np.float64]:
    """(sentences, classes); `weights` has the features of one sentence after another, as many as `lengths` says."""
    n = np.array(lengths, np.int64)
    ends = np.cumsum(n)
    sums = np.zeros((len(weights) + 1, weights.shape[1]), np.int64)
    np.cumsum(weights, axis=0, out=sums[1:])
    spoken: NDArray[np.float64] = (sums[ends] - sums[ends - n]) / (STEPS * np.sqrt(np.maximum(n, 1)))[:, None]
    return spoken
