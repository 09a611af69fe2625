"""Customers who live as MBG/NBD says, drawn one purchase at a time: the truth that closed forms and fits are held against."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Lives(NamedTuple):
    """x repeat purchases, the last at t_x_days, T_days observed; and whether the horizon after T_days was silent."""

    x: NDArray[np.int64]
    t_x_days: NDArray[np.float64]
    T_days: NDArray[np.float64]
    silent_ahead: NDArray[np.bool_]


def simulate(
    n: int, *, r: float, alpha_days: float, a: float, b: float, T_days: NDArray[np.float64], horizon_days: float, seed: int
) -> Lives:
    """n customers; customer i is observed for T_days[i]."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(r, 1.0 / alpha_days, n)
    leaves = rng.beta(a, b, n)
    x, t_x, silent = np.zeros(n, np.int64), np.zeros(n), np.ones(n, np.bool_)
    for i in range(n):
        at = 0.0
        while rng.random() >= leaves[i]:
            at += rng.exponential(1.0 / rate[i]) if rate[i] > 0 else np.inf
            if at > T_days[i]:
                silent[i] = at > T_days[i] + horizon_days
                break
            x[i] += 1
            t_x[i] = at
    return Lives(x, t_x, T_days, silent)
