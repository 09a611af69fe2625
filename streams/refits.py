"""The closed form's parameters anew, from time to time, from what is known by then.

Due at the first tick that comes `every_days` after the first day, at the first that comes twice as many after it, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.fit import fit_mbg_nbd
from detectors.parameters import SHIPPED, BtydParameters
from streams.columns import DAY_MS
from streams.customer import Records
from streams.features import closed_form_inputs

Ints = NDArray[np.int64]
Histories = tuple[Ints, Ints, Ints]


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


def histories(rows: Records, at_ms: int) -> Histories:
    """x, t_x and T, in days, of those of these who have bought, as at `at_ms`."""
    bought = np.flatnonzero(rows["purchases"])
    x, t_x, big_t = closed_form_inputs(rows, np.maximum(rows["last_purchase_ms"], at_ms))
    return x[bought], t_x[bought], big_t[bought]


def together(parts: Sequence[Histories]) -> Histories:
    """The customers of all parts, of which there is at least one."""
    x, t_x, big_t = (np.concatenate(column) for column in zip(*parts, strict=True))
    return x, t_x, big_t


def refit(known: Histories, at_ms: int) -> BtydParameters:
    """The parameters fitted to these, as at a tick, with the shipped ones for what a short history cannot tell.

    Raises ValueError where there is too little to fit to.
    """
    source = f"all customers, as of {np.datetime64(at_ms // DAY_MS, 'D')}"
    return fit_mbg_nbd(*known, version=refit_version(at_ms), source=source, fitted_at_ms=at_ms, prior=SHIPPED)


def _periods(first_ms: int, at_ms: int, every_days: int) -> int:
    """Whole periods from the day before the first to a tick."""
    return (at_ms // DAY_MS - (first_ms // DAY_MS - 1)) // every_days
