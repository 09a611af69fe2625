"""Risk in closed form: how likely is no purchase in the next h days, given a customer's purchase days (MBG/NBD).

A customer buys at an own rate (Gamma across customers) and after each purchase, the first included, leaves for good with an
own chance (Beta across customers). With x repeat purchase days, the last at t_x and T observed, both counted from the first:

    q       = ((alpha + t_x) / (alpha + T))^(r + x)        silence since t_x, if still here
    s       = ((alpha + T) / (alpha + T + h))^(r + x)      silence in the next h, if still here
    c       = a / (b + x)                                  odds of having left at t_x, before any silence
    p_alive = q / (q + c)
    p_no_purchase = 1 - p_alive (1 - s) = (c + q s) / (q + c)

Alert on p_no_purchase, never on p_alive: a lively customer who orders twice a year is alive and silent.

Sums and products go one row at a time and exp and log see contiguous memory, so a row has the same value alone and in a batch
of any size. Another processor may differ in the last bit; what is compared is rounded to basis points.

Source: Batislam, Denizel & Filiztekin 2007; Wagner & Hoppe 2008; notation of Fader, Hardie & Lee 2005.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln  # type: ignore[import-untyped]  # scipy ships no types

from detectors.column import Column, Numbers, non_negative, positive_number, same_length
from detectors.parameters import BtydParameters

BASIS_POINTS = 10_000


def p_alive(params: BtydParameters, x: Numbers, t_x_days: Numbers, T_days: Numbers) -> Column:
    """Probability that a customer has not left for good, one value a row, in [0, 1].

    x          repeat purchase days (the first one not counted), >= 0; fractions are allowed
    t_x_days   days from the first purchase to the last, 0 <= t_x_days <= T_days
    T_days     days from the first purchase to now
    Raises ValueError naming the column outside these ranges. Empty columns give an empty column.

    >>> from detectors.parameters import SHIPPED
    >>> p_alive(SHIPPED, [0, 2], [0, 213], [60, 272]).round(4)
    array([0.5343, 0.7062])
    """
    x, t_x_days, T_days = history(x, t_x_days, T_days)
    silent = _silent_if_here(params, x, t_x_days, T_days)
    return silent / (silent + params.a / (params.b + x))


def p_no_purchase(params: BtydParameters, x: Numbers, t_x_days: Numbers, T_days: Numbers, horizon_days: float) -> Column:
    """Probability of no purchase in the next `horizon_days`, one value a row, in [0, 1]: the risk.

    x, t_x_days, T_days   as in `p_alive`
    horizon_days          > 0
    Raises ValueError naming the column or number outside these ranges.

    >>> from detectors.parameters import SHIPPED
    >>> p_no_purchase(SHIPPED, [0, 2], [0, 213], [60, 272], 90.0).round(4)
    array([0.8502, 0.6684])
    """
    x, t_x_days, T_days = history(x, t_x_days, T_days)
    silent = _silent_if_here(params, x, t_x_days, T_days)
    silent_ahead = np.exp(_log_silent_ahead(params, x, T_days, horizon_days))
    left = params.a / (params.b + x)
    return np.minimum((left + silent * silent_ahead) / (left + silent), 1.0)


def logit_no_purchase(params: BtydParameters, x: Numbers, t_x_days: Numbers, T_days: Numbers, horizon_days: float) -> Column:
    """log(p / (1 - p)) of `p_no_purchase`, finite also where p is 1 in float64.

    Arguments and errors as `p_no_purchase`.
    """
    return unchecked_logit(params, *history(x, t_x_days, T_days), positive_number("horizon_days", horizon_days))


def unchecked_logit(params: BtydParameters, x: Column, t_x_days: Column, T_days: Column, horizon_days: float) -> Column:
    """The same of columns that are known to be in range: checking costs as much as the formula where rows are few."""
    log_silent = _log_silent_if_here(params, x, t_x_days, T_days)
    log_silent_ahead = _log_silent_ahead(params, x, T_days, horizon_days)
    left = params.a / (params.b + x)
    return np.log(left + np.exp(log_silent + log_silent_ahead)) - log_silent - np.log(-np.expm1(log_silent_ahead))


def to_basis_points(p: Numbers) -> NDArray[np.uint16]:
    """Probabilities as whole basis points of 1e-4, 0..10000, ties to even. Raises ValueError outside [0, 1].

    >>> to_basis_points([0.0, 0.61054, 1.0])
    array([    0,  6105, 10000], dtype=uint16)
    """
    column = non_negative("p", p)
    if (column > 1.0).any():
        raise ValueError(f"p = {column.max():g}: must be a probability, 0 to 1")
    return np.rint(column * BASIS_POINTS).astype(np.uint16)


def log_likelihood(params: BtydParameters, x: Numbers, t_x_days: Numbers, T_days: Numbers) -> Column:
    """Log likelihood of each customer's purchase times, time in days, one value a row.

    Gamma(r+x) alpha^r / Gamma(r) { B(a,b+x+1)/B(a,b) (alpha+T)^-(r+x) + B(a+1,b+x)/B(a,b) (alpha+t_x)^-(r+x) }
    Arguments and errors as `p_alive`.
    """
    x, t_x_days, T_days = history(x, t_x_days, T_days)
    r, alpha, a, b = params.r, params.alpha_days, params.a, params.b
    here = betaln(a, b + x + 1.0) - (r + x) * np.log(alpha + T_days)
    gone = betaln(a + 1.0, b + x) - (r + x) * np.log(alpha + t_x_days)
    rate = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - betaln(a, b)
    result: Column = rate + np.logaddexp(here, gone)
    return result


def history(x: Numbers, t_x_days: Numbers, T_days: Numbers) -> tuple[Column, Column, Column]:
    """The three columns of a purchase history, checked: equal lengths, x >= 0, 0 <= t_x_days <= T_days."""
    x, t_x_days, T_days = non_negative("x", x), non_negative("t_x_days", t_x_days), non_negative("T_days", T_days)
    same_length(x=x, t_x_days=t_x_days, T_days=T_days)
    late = t_x_days > T_days
    if late.any():
        row = int(np.argmax(late))
        raise ValueError(
            f"t_x_days = {t_x_days[row]:g} in row {row}: must not be above T_days = {T_days[row]:g}; "
            "evaluate at or after the last purchase"
        )
    return x, t_x_days, T_days


def _log_silent_if_here(params: BtydParameters, x: Column, t_x_days: Column, T_days: Column) -> Column:
    """log q: one log1p of a ratio keeps short silences exact and cannot overflow."""
    silence: Column = np.log1p((T_days - t_x_days) / (params.alpha_days + t_x_days))
    return -(params.r + x) * silence


def _silent_if_here(params: BtydParameters, x: Column, t_x_days: Column, T_days: Column) -> Column:
    result: Column = np.exp(_log_silent_if_here(params, x, t_x_days, T_days))
    return result


def _log_silent_ahead(params: BtydParameters, x: Column, T_days: Column, horizon_days: float) -> Column:
    """log s."""
    horizon_days = positive_number("horizon_days", horizon_days)
    ahead: Column = np.log1p(horizon_days / (params.alpha_days + T_days))
    return -(params.r + x) * ahead
