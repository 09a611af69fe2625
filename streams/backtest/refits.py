"""The closed form's parameters as they would have been then: refitted, from time to time, to what was known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.fit import fit_mbg_nbd
from detectors.parameters import BtydParameters
from streams.columns import DAY_MS
from streams.customer import Records
from streams.features import closed_form_inputs

REFIT_DAYS = 30


def refit_times(ticks_ms: NDArray[np.int64], every_days: int = REFIT_DAYS) -> list[int]:
    """The ticks at which to refit: the first that comes `every_days` after the log's first day, and so on."""
    days = ticks_ms // DAY_MS
    due = (days - (days[0] - 1)) // every_days
    new = np.diff(due, prepend=0) > 0
    found: list[int] = ticks_ms[new].tolist()
    return found


def refitted(parts: Sequence[Records], at_ms: int, model: BtydParameters) -> BtydParameters:
    """The parameters fitted to all who have bought, as at a tick; those before where there is too little to fit to.

    parts   rows of customers, empty ones among them
    The version names the day, so that equal histories have equal versions.
    """
    day = np.datetime64(at_ms // DAY_MS, "D")
    try:
        return fit_mbg_nbd(
            *(np.concatenate(columns) for columns in zip(*(_histories(rows, at_ms) for rows in parts), strict=True)),
            version=f"refitted-{day}",
            source=f"this history up to {day}",
            fitted_at_ms=at_ms,
        )
    except ValueError:  # too few customers, no second purchase, no silence yet, or a likelihood without a peak
        return model


def _histories(rows: Records, at_ms: int) -> tuple[NDArray[np.int64], ...]:
    """What the closed form knows of those who have bought."""
    bought = np.flatnonzero(rows["purchases"])
    return tuple(column[bought] for column in closed_form_inputs(rows, np.full(len(rows), at_ms, np.int64)))
