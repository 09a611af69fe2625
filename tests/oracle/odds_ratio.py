"""The odds ratio of a common sign for leaving, others being equal: Mantel and Haenszel 1959.

In strata of alike customers, with the sign a left and b stayed, without it c left and d stayed, of n:

    odds ratio = sum(a d / n) / sum(b c / n)

Variance of its log by Robins, Breslow and Greenland 1986. Shares may stand for counts: `left` may be a risk between 0 and 1,
and the odds ratio is then the one that a model holds to be true.
"""

from __future__ import annotations

from math import log, sqrt

import numpy as np
from numpy.typing import NDArray


def log_odds_ratio(sign: NDArray[np.bool_], left: NDArray[np.float64], stratum: NDArray[np.int64]) -> tuple[float, float]:
    """ln of the odds ratio and its standard error; strata in which all or none have the sign say nothing.

    >>> sign = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)
    >>> left = np.array([1, 1, 1, 0, 1, 0, 0, 0], float)
    >>> round(log_odds_ratio(sign, left, np.zeros(8, np.int64))[0], 4) == round(float(np.log(9)), 4)
    True
    """
    r = s = v_r = v_rs = v_s = 0.0
    for one in np.unique(stratum):
        here = stratum == one
        a, b = float(left[here & sign].sum()), float((1 - left)[here & sign].sum())
        c, d = float(left[here & ~sign].sum()), float((1 - left)[here & ~sign].sum())
        n = a + b + c + d
        if a + b == 0 or c + d == 0:
            continue
        r_here, s_here, p, q = a * d / n, b * c / n, (a + d) / n, (b + c) / n
        r, s = r + r_here, s + s_here
        v_r, v_rs, v_s = v_r + p * r_here, v_rs + p * s_here + q * r_here, v_s + q * s_here
    return log(r / s), sqrt(v_r / (2 * r * r) + v_rs / (2 * r * s) + v_s / (2 * s * s))
