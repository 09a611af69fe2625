"""The closed form's parameters anew, from time to time, from what is known by then.

Due at the first tick that comes `every_days` after the first day, at the first that comes twice as many after it, and so on.
"""

from __future__ import annotations

import numpy as np

from detectors.fit import fit_mbg_nbd
from detectors.parameters import BtydParameters
from streams.columns import DAY_MS
from streams.customer import Records
from streams.features import closed_form_inputs


def refit_due(first_ms: int, done_ms: int, at_ms: int, every_days: int) -> bool:
    """Whether a tick is one at which to refit.

    first_ms   the first tick, or any time of its day
    done_ms    the last tick at which this was asked and the answer obeyed, whether or not there was enough to fit to

    >>> day = 86_400_000
    >>> [at for at in range(1, 70) if refit_due(1 * day, (at - 1) * day, at * day, 30)]
    [30, 60]
    """
    return _periods(first_ms, at_ms, every_days) > _periods(first_ms, done_ms, every_days)


def refit_version(at_ms: int) -> str:
    """The name of parameters fitted at a tick: equal histories have equal versions.

    >>> refit_version(1_306_800_000_000)
    'refitted-2011-05-31'
    """
    return f"refitted-{np.datetime64(at_ms // DAY_MS, 'D')}"


def refit(rows: Records, at_ms: int, source: str) -> BtydParameters:
    """The parameters fitted to all of these who have bought, as at `at_ms`. Raises ValueError where there is too little to.

    source   where the customers came from, in words
    """
    rows = rows[rows["purchases"] > 0]
    as_of_ms = np.maximum(rows["last_purchase_ms"], at_ms)
    return fit_mbg_nbd(*closed_form_inputs(rows, as_of_ms), version=refit_version(at_ms), source=source, fitted_at_ms=at_ms)


def _periods(first_ms: int, at_ms: int, every_days: int) -> int:
    """Whole periods from the day before the first to a tick."""
    return (at_ms // DAY_MS - (first_ms // DAY_MS - 1)) // every_days
