"""How good a risk was, once it is known who left: ranking, probability, and what the first tenth of a list is worth.

    auc         P(a leaver has the higher score than a stayer), ties count half: Mann-Whitney by ranks
    pr_auc      average precision: sum over distinct scores, from the highest, of precision x gain in recall
    log_loss    mean of -ln(what was given to what happened), nats; p clipped to [1e-6, 1 - 1e-6]
    brier       mean of (p - left)^2
    ece         expected calibration error, 10 bins of equal width: sum over bins of share x |mean p - share of leavers|
    lift_at_10  share of leavers among the highest tenth over that among all; of equal scores at the edge, their mean
    lift_cap    the best lift that can be had, 1 / base rate once a tenth or more leave: a lift is read against it

All are functions of how many stayed and left at each distinct score, so the order of the rows does not matter, and AUC is
a quotient of whole numbers. What is not defined (nobody, nobody who left, nobody who stayed) is NaN, never an error: a
quiet month must not stop a report. Source: Fawcett 2006; Davis & Goadrich 2006; Brier 1950; Naeini et al. 2015.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.column import Column, Numbers, same_length

Counts = NDArray[np.int64]

CLIP = 1e-6
"""A certainty that was wrong costs 13.8 nats and not infinity. Served risk has steps of 1e-4."""

BINS = 10
NANO = 10**9
_LEAST, _MOST = -math.log1p(-CLIP), -math.log(CLIP)


@dataclass(frozen=True, slots=True)
class Measured:
    """The measures of n customers, as above; `base_rate` is the share who left. NaN where not defined."""

    n: int
    base_rate: float
    auc: float
    pr_auc: float
    log_loss: float
    brier: float
    ece: float
    lift_at_10: float
    lift_cap: float


@dataclass(frozen=True, slots=True)
class Tally:
    """How many stayed and how many left at each distinct score; scores ascend."""

    score: Column
    stayed: Counts
    left: Counts


def measure(p: Numbers, left: Numbers) -> Measured:
    """All measures of probabilities `p` of leaving against who left (0 or 1), one value a customer.

    Raises ValueError for p outside [0, 1], `left` other than 0 and 1, or columns of different lengths.

    >>> measured = measure([0.9, 0.6, 0.4, 0.1], [1, 0, 1, 0])
    >>> measured.auc, round(measured.log_loss, 4), measured.lift_at_10, measured.lift_cap
    (0.75, 0.5108, 2.0, 2.0)
    """
    return measure_tally(tally(p, left))


def measure_tally(counts: Tally) -> Measured:
    """All measures of a tally whose scores are probabilities. Raises ValueError for a score outside [0, 1]."""
    if len(counts.score) and not (counts.score[0] >= 0.0 and counts.score[-1] <= 1.0):
        raise ValueError(f"p from {counts.score[0]:g} to {counts.score[-1]:g}: must be probabilities, 0 to 1")
    n, left = _totals(counts)
    return Measured(
        n, _share(left, n), _auc(counts), _pr_auc(counts), _log_loss(counts), _brier(counts), _ece(counts), *_lift(counts)
    )


def auc(score: Numbers, left: Numbers) -> float:
    """Area under the ROC curve of any finite score, high for leavers; NaN unless some left and some stayed.

    >>> auc([30.0, 10.0, 10.0], [1, 1, 0])
    0.75
    """
    return _auc(tally(score, left))


def pr_auc(score: Numbers, left: Numbers) -> float:
    """Average precision of any finite score; NaN where nobody left."""
    return _pr_auc(tally(score, left))


def lift_at_10(score: Numbers, left: Numbers) -> tuple[float, float]:
    """Lift of the highest tenth (rounded up) by any finite score, and its cap; NaN where nobody left."""
    return _lift(tally(score, left))


def log_loss(p: Numbers, left: Numbers) -> float:
    """Mean log loss, nats, with p clipped by 1e-6 at both ends; NaN for no rows. Errors as `measure`."""
    return measure(p, left).log_loss


def losses(p: Column, left: NDArray[np.uint8]) -> Column:
    """Log loss of each row, nats, clipped as in `log_loss`. Nothing is checked."""
    given = np.where(left != 0, p, 1.0 - p)
    result: Column = -np.log(np.clip(given, CLIP, 1.0 - CLIP))
    return result


def nano(values: Column) -> Counts:
    """`values` in whole 1e-9: their sum is the same in any order."""
    return np.rint(values * NANO).astype(np.int64)


def loss_nano(logit: float, left: int) -> int:
    """Log loss of one row by its log odds, clipped as in `log_loss`, in whole 1e-9 nats.

    >>> loss_nano(0.0, 1), loss_nano(1000.0, 0)
    (693147181, 13815510558)
    """
    against = -logit if left else logit
    loss = max(against, 0.0) + math.log1p(math.exp(-abs(against)))
    return round(min(max(loss, _LEAST), _MOST) * NANO)


def brier(p: Numbers, left: Numbers) -> float:
    """Mean squared error of probabilities; NaN for no rows. Errors as `measure`."""
    return measure(p, left).brier


def ece(p: Numbers, left: Numbers) -> float:
    """Expected calibration error of probabilities; NaN for no rows. Errors as `measure`."""
    return measure(p, left).ece


def tally(score: Numbers, left: Numbers) -> Tally:
    """Stayers and leavers at each distinct score. Raises ValueError for a score that is not finite or `left` not 0 or 1."""
    scores, marks = np.asarray(score, np.float64), np.asarray(left, np.float64)
    same_length(score=scores, left=marks)
    for name, ok, rule in (
        ("score", np.isfinite(scores), "finite"),
        ("left", (marks == 0.0) | (marks == 1.0), "0 or 1"),
    ):
        if not ok.all():
            row = int(np.argmin(ok))
            raise ValueError(f"{name} = {(scores if name == 'score' else marks)[row]:g} in row {row}: must be {rule}")
    distinct, place = np.unique(scores, return_inverse=True)
    gone = marks != 0.0
    return Tally(distinct, *(np.bincount(place[rows], minlength=len(distinct)) for rows in (~gone, gone)))


def _totals(counts: Tally) -> tuple[int, int]:
    """How many there are, and how many of them left."""
    left = int(counts.left.sum())
    return int(counts.stayed.sum()) + left, left


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _auc(counts: Tally) -> float:
    n, left = _totals(counts)
    below = np.cumsum(counts.stayed) - counts.stayed
    twice_won = int((counts.left * (2 * below + counts.stayed)).sum())
    return _share(twice_won, 2 * left * (n - left))


def _pr_auc(counts: Tally) -> float:
    found = counts.left[::-1]
    asked = np.cumsum((counts.stayed + counts.left)[::-1])
    _, left = _totals(counts)
    return _share(float((found * (np.cumsum(found) / np.maximum(asked, 1))).sum()), left)


def _log_loss(counts: Tally) -> float:
    p = np.clip(counts.score, CLIP, 1.0 - CLIP)
    n, _ = _totals(counts)
    return _share(float(-(counts.left * np.log(p) + counts.stayed * np.log1p(-p)).sum()), n)


def _brier(counts: Tally) -> float:
    n, _ = _totals(counts)
    return _share(float((counts.left * (1.0 - counts.score) ** 2 + counts.stayed * counts.score**2).sum()), n)


def _ece(counts: Tally) -> float:
    n, _ = _totals(counts)
    bins = np.minimum((counts.score * BINS).astype(np.int64), BINS - 1)
    too_high = counts.score * (counts.stayed + counts.left) - counts.left
    return _share(float(np.abs(np.bincount(bins, too_high, BINS)).sum()), n)


def _lift(counts: Tally) -> tuple[float, float]:
    n, left = _totals(counts)
    tenth = (n + 9) // 10
    size = (counts.stayed + counts.left)[::-1]
    taken = np.clip(tenth - (np.cumsum(size) - size), 0, size)  # of each score, from the highest
    caught = float((taken * (counts.left[::-1] / np.maximum(size, 1))).sum())
    return _share(caught * n, tenth * left), _share(min(left, tenth) * n, tenth * left)
