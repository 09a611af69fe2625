"""When the champion is no longer what it was, and how it learns faster then.

ADWIN (River) watches, label by label, what the champion cost more than the closed form did:

    d = loss of the champion - loss of the closed form, each as served when the snapshot was taken; cut off at +-1 nat

The difference and not the loss itself, because a loss rises whenever more customers leave than the season before, and
that says nothing about the champion: its mean risk is shifted onto the closed form's, so both miss a moving base rate alike
and d does not move. What moves d is that the champion's own knowledge (which customers, among equals for the closed form)
holds no longer, and that is what learning can mend. A change for the better is no alarm.

On drift the posterior is widened, once: each weight's variance times `WIDER`, at most up to its prior variance, correlations
kept. New labels then count for more until they have narrowed it again. Where the champion is now worse than the closed form,
the gate's evidence starts anew.

ADWIN says that there was a change and drops its oldest values little by little; where it lay is told by `change_point`, and
the watch goes on from there. ADWIN's window has no bound of its own; here it starts again from its last `KEPT` values whenever
it has seen twice as many. Its inner state is River's and private, so what is stored is the values that it has seen: repeated,
they give it again.

Source: Bifet & Gavaldà 2007.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river.drift import ADWIN

from detectors.design import prior_variance

KEPT: Final = 8192
BOUND: Final = 1.0
WIDER: Final = 4.0


class Drift(NamedTuple):
    """Mean loss above the closed form's before and since the change, nats, and how many labels lie since."""

    before: float
    since: float
    labels: int


class DriftWatch:
    """delta   chance of a false alarm at each look of ADWIN, (0, 1)"""

    def __init__(self, delta: float) -> None:
        if not 0.0 < delta < 1.0:
            raise ValueError(f"delta = {delta!r}: must lie between 0 and 1")
        self.delta = delta
        self._seen: list[float] = []
        self._adwin = ADWIN(delta=delta)  # type: ignore[no-untyped-call]  # River's is not annotated

    def update(self, above: float) -> Drift | None:
        """One label: the champion's loss less the closed form's, nats. Gives the drift for the worse that it shows, if any."""
        value = (min(max(above, -BOUND), BOUND) + BOUND) / (2.0 * BOUND)
        self._adwin.update(value)  # type: ignore[no-untyped-call]
        self._seen.append(value)
        if self._adwin.drift_detected:
            return self._alarm()
        if len(self._seen) >= 2 * KEPT:
            self._begin(self._seen[-KEPT:])
        return None

    def to_bytes(self) -> bytes:
        """The values seen since the last alarm or beginning: `from_bytes` goes on as this one would have."""
        return np.array(self._seen, "<f8").tobytes()

    @staticmethod
    def from_bytes(data: bytes, delta: float) -> DriftWatch:
        """Inverse of `to_bytes`."""
        found = DriftWatch(delta)
        found._begin(np.frombuffer(data, "<f8").tolist())
        return found

    def _alarm(self) -> Drift | None:
        above = np.array(self._seen) * 2.0 * BOUND - BOUND
        cut = change_point(above)
        before, since = float(above[:cut].mean()), float(above[cut:].mean())
        labels = len(above) - cut
        self._begin(self._seen[cut:])
        return Drift(before, since, labels) if since > before else None

    def _begin(self, values: list[float]) -> None:
        """As after these values: what ADWIN might call a change among them has been told, or was none."""
        self._adwin = ADWIN(delta=self.delta)  # type: ignore[no-untyped-call]
        for value in values:
            self._adwin.update(value)  # type: ignore[no-untyped-call]
        self._seen = values


def change_point(values: NDArray[np.float64]) -> int:
    """Where two or more values change their mean: the cut k at which the means of values[:k] and values[k:] differ most,

    each difference weighed by sqrt(k (n - k)), the standard error that it has by chance.

    >>> change_point(np.array([1.0, 1.0, 0.0, 1.0, 5.0, 4.0]))
    4
    """
    n = len(values)
    k = np.arange(1, n)
    sums = np.cumsum(values)
    differ = sums[:-1] / k - (sums[-1] - sums[:-1]) / (n - k)
    return 1 + int(np.argmax(np.abs(differ) * np.sqrt(k * (n - k))))


def widened(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The posterior covariance after drift: variances times `WIDER` but not above the prior's, correlations as they were."""
    variance = np.diagonal(covariance)
    scale = np.sqrt(np.maximum(np.minimum(WIDER, prior_variance() / variance), 1.0))
    result: NDArray[np.float64] = covariance * (scale[:, None] * scale)
    return result
