"""The closed form's parameters as they would have been then: refitted, from time to time, to what was known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.parameters import BtydParameters
from streams.columns import DAY_MS
from streams.customer import Records
from streams.refits import histories, refit, refit_due, together


def refit_times(ticks_ms: NDArray[np.int64], every_days: int) -> list[int]:
    """The ticks at which to refit: those that `refit_due` says, told of one after the other."""
    ticks: list[int] = ticks_ms.tolist()
    before = [ticks[0] - DAY_MS, *ticks]
    return [at_ms for done_ms, at_ms in zip(before, ticks, strict=False) if refit_due(ticks[0], done_ms, at_ms, every_days)]


def refitted(parts: Sequence[Records], at_ms: int, model: BtydParameters) -> BtydParameters:
    """The parameters fitted to all who have bought, as at a tick; those before where there is too little to fit to.

    parts   rows of customers, empty ones among them
    """
    try:
        return refit(together([histories(rows, at_ms) for rows in parts]), at_ms)
    except ValueError:  # too few customers, no second purchase, no silence yet, or a likelihood without a peak
        return model
