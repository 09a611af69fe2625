"""What customers who are watched were scored when they were taken down, one row each: from these the learner finds the shift.

A row names its snapshot as the label will that comes of it, so it counts once however often it comes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detectors.scored import BASIS_POINTS, LOGIT_BINS, LOGIT_BOUND, Scored, basis_points, counted, logit_bins
from detectors.watched import watched
from streams.columns import DAY_MS
from streams.contract import END_TIME_MS
from streams.outcomes import Snapshots, label_ids

SCORE: Final = np.dtype([("id", "<u8"), ("day", "<u4"), ("closed_form_bp", "<u2"), ("logit", "<i2")])
"""id: of the label; day: of the snapshot, days since 1970; the risk by the closed form, 1e-4; the log odds by the linear model,
unshifted, as a bin of detectors/scored.py, 0 where there is none."""

Scores = NDArray[np.void]


def scores(taken: Snapshots, horizon_days: float) -> Scores:
    """The rows of those among these snapshots who are watched."""
    at = watched(taken.inputs, horizon_days)
    rows: NDArray[Any] = np.zeros(np.count_nonzero(at), SCORE)
    rows["id"] = label_ids(taken.hashes[at], taken.day[at])
    rows["day"] = taken.day[at]
    rows["closed_form_bp"] = basis_points(taken.closed_form[at])
    if taken.logit is not None:
        rows["logit"] = logit_bins(taken.logit[at])
    return rows


def at_ms(rows: Scores) -> NDArray[np.int64]:
    """When each snapshot was taken, ms since 1970."""
    return rows["day"].astype(np.int64) * DAY_MS


def check_scores(rows: Scores) -> None:
    """Raise ValueError, naming field, value and row, for rows that no customer has."""
    most = round(LOGIT_BOUND * LOGIT_BINS)
    for name, least, largest in (
        ("day", 0, END_TIME_MS // DAY_MS - 1),
        ("closed_form_bp", 0, BASIS_POINTS),
        ("logit", -most, most),
    ):
        wrong = (rows[name] < least) | (rows[name] > largest)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"scored: {name} = {rows[name][row]} in row {row}: must lie within {least} to {largest}")


def as_counts(rows: Scores, model: str) -> Scored:
    """The rows added up. model: version of the linear model that was tried on them; "": none."""
    return counted(rows["closed_form_bp"].astype(np.int64), rows["logit"].astype(np.int64) if model else None, model)
