"""What scores and truth say together: the parts of report.json that need nothing else.

calibration, gain, weak_spots, thresholds, budgets, profit_assumptions       one rule each, in the module of its name
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.backtest.budgets import Budgets
from streams.backtest.calibration_table import calibration_rows
from streams.backtest.gain import gain_rows
from streams.backtest.profit import ProfitAssumptions
from streams.backtest.thresholds import GRID, Scored, threshold_rows
from streams.backtest.weak_spots import KindBits, weak_spots

PROBABILITIES = ("risk", "btyd")
"""The scores whose calibration is shown."""


def judged(
    scored: Scored,
    others: Mapping[str, NDArray[np.float64]],
    kinds: KindBits,
    *,
    horizon_days: float,
    period_days: float,
    lines: Sequence[float] = (),
    given: ProfitAssumptions | None = None,
) -> dict[str, Any]:
    """The parts named above, as JSON's types.

    scored         all customers at all cut-offs; `scored.risk` is the score "risk"
    others         name -> the baseline's score of each entry, higher for leavers: btyd, idle, frequency
    kinds          of each entry's customer, `weak_spots.kinds_of`
    period_days    how long the lists of contacts last, > 0: a list from each cut-off to the next, also one with nobody on it
    lines          thresholds to be shown besides the grid: the policy's; the most profitable of all is too
    Raises ValueError for columns of different lengths and values out of range.
    """
    scores = {"risk": scored.risk} | dict(others)
    _, cutoff = np.unique(scored.at_ms, return_inverse=True)
    budgets = Budgets(scored, period_days, given)
    best = None if given is None else budgets.row(math.inf).risk
    shown = [*GRID, *lines] if best is None else [*GRID, *lines, best]
    rows = threshold_rows(scored, shown, horizon_days=horizon_days, period_days=period_days, given=given)
    return {
        "calibration": {
            name: [asdict(row) for row in calibration_rows(scores[name], scored.left)] for name in PROBABILITIES if name in scores
        },
        "gain": gain_rows(scores, scored.left, cutoff),
        "weak_spots": [asdict(row) for row in weak_spots(kinds, scored.risk, scored.left, horizon_days)],
        "thresholds": [asdict(row) for row in rows],
        "budgets": [asdict(budgets.row(per_day)) for per_day in budgets.usual()],
        "profit_assumptions": None if given is None else asdict(given),
    }
