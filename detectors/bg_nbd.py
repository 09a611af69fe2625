"""BG/NBD: MBG/NBD's elder sister, in which nobody leaves before a first repeat purchase. For comparison and golden values.

Nothing scores with it: a one-time buyer is alive for ever. Its published numbers check the machinery that both share.
Time is in the unit of alpha. Source: Fader, Hardie & Lee 2005, Marketing Science 24(2):275-284.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import betaln, gammaln, hyp2f1  # type: ignore[import-untyped]  # scipy ships no types

from detectors.btyd import history
from detectors.column import Column, Numbers, positive_number


class BgNbd(NamedTuple):
    """Rates Gamma(shape r, rate alpha), chances to leave after a repeat purchase Beta(a, b); all > 0."""

    r: float
    alpha: float
    a: float
    b: float


CDNOW_WEEKS = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
"""Fitted on CDNOW's 1/10 sample, 39 weeks; time in weeks."""


def bg_nbd_p_alive(params: BgNbd, x: Numbers, t_x: Numbers, T: Numbers) -> Column:
    """Probability that a customer has not left for good, in [0, 1]; 1 wherever x = 0.

    x repeat purchases (whole, >= 0), the last at t_x, observed for T; 0 <= t_x <= T. Raises ValueError outside.
    """
    x, t_x, T = history(x, t_x, T)
    return 1.0 / (1.0 + _odds_left(params, x, t_x, T))


def bg_nbd_p_zero(params: BgNbd, x: Numbers, t_x: Numbers, T: Numbers, horizon: float) -> Column:
    """Probability of no purchase in the next `horizon` (> 0). Other arguments and errors as `bg_nbd_p_alive`.

    >>> bg_nbd_p_zero(CDNOW_WEEKS, [0], [0], [0], 39.0).round(7)
    array([0.5737864])
    """
    horizon = positive_number("horizon", horizon)
    x, t_x, T = history(x, t_x, T)
    silent_ahead = np.exp(-(params.r + x) * np.log1p(horizon / (params.alpha + T)))
    odds_left = _odds_left(params, x, t_x, T)
    result: Column = (odds_left + silent_ahead) / (odds_left + 1.0)
    return result


def bg_nbd_expected_purchases(params: BgNbd, x: Numbers, t_x: Numbers, T: Numbers, horizon: float) -> Column:
    """Expected number of purchases in the next `horizon` (> 0); x = t_x = T = 0 asks for a new customer.

    (a+b+x-1)/(a-1) [1 - ((alpha+T)/(alpha+T+h))^(r+x) 2F1(r+x, b+x; a+b+x-1; h/(alpha+T+h))] / (1 + odds of having left)
    Other arguments and errors as `bg_nbd_p_alive`; also ValueError for a = 1, where the formula has a gap.

    >>> bg_nbd_expected_purchases(CDNOW_WEEKS, [2], [30.43], [38.86], 39.0).round(3)
    array([1.226])
    """
    if params.a == 1.0:
        raise ValueError("a = 1: the formula divides by a - 1; use a value a little beside it, e.g. 1.000001")
    horizon = positive_number("horizon", horizon)
    x, t_x, T = history(x, t_x, T)
    r, alpha, a, b = params
    until = alpha + T + horizon
    reach = hyp2f1(r + x, b + x, a + b + x - 1.0, horizon / until)
    if_here = (a + b + x - 1.0) / (a - 1.0) * (1.0 - np.exp((r + x) * np.log((alpha + T) / until)) * reach)
    result: Column = if_here / (1.0 + _odds_left(params, x, t_x, T))
    return result


def bg_nbd_log_likelihood(params: BgNbd, x: Numbers, t_x: Numbers, T: Numbers) -> Column:
    """Log likelihood of each customer's purchase times. Arguments and errors as `bg_nbd_p_alive`."""
    x, t_x, T = history(x, t_x, T)
    r, alpha, a, b = params
    rate = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - betaln(a, b)
    here = betaln(a, b + x) - (r + x) * np.log(alpha + T)
    result: Column = rate + here + np.log1p(_odds_left(params, x, t_x, T))
    return result


def _odds_left(params: BgNbd, x: Column, t_x: Column, T: Column) -> Column:
    """Odds that the customer has left: a/(b+x-1) ((alpha+T)/(alpha+t_x))^(r+x), and 0 for x = 0."""
    repeats = np.maximum(x, 1.0)
    odds = params.a / (params.b + repeats - 1.0) * np.exp((params.r + x) * np.log1p((T - t_x) / (params.alpha + t_x)))
    return np.where(x > 0.0, odds, 0.0)
