"""MBG/NBD parameters from purchase histories, by maximum likelihood.

Four parameters are moved on a log scale along the exact gradient, from a few starts; the best end counts. Equal histories
are weighed, not repeated, so a million customers with whole days cost little more than a hundred thousand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]  # scipy ships no types
from scipy.special import betaln, gammaln, psi  # type: ignore[import-untyped]  # scipy ships no types

from detectors.btyd import history
from detectors.column import Column, Numbers
from detectors.parameters import BtydParameters

MIN_CUSTOMERS = 50
"""Below this four parameters say more about chance than about customers."""

LOG_BOUND = np.log(1e4)
"""r, a, b stay within 1e±4 and alpha within 1e±4 of the mean time observed. An end at a bound is an answer: customers who are
all alike (large values) or who hardly ever leave (a near 0)."""

PRIOR_SD = 0.5
"""Of log a and log b around those of a prior: twice that is a factor of e. A short history cannot tell "nobody ever leaves" from
"some do, seldom", and without a prior it may well say the former; thousands of customers over years outvote it."""

GRADIENT_TOLERANCE = 1e-4
"""Steepest slope at rest: mean log likelihood a customer, per unit of a log parameter. A search that settles ends below 1e-6."""

STARTS = ((0.5, 0.2, 1.0, 2.0), (1.5, 0.5, 0.3, 3.0), (0.2, 0.05, 2.0, 2.0))
"""r, alpha over mean T, a, b: mixed, steady and fickle customers."""


@dataclass(frozen=True, slots=True)
class Histories:
    """Distinct purchase histories and how many customers have each; times in units of the mean T of all.

    x_values, x_place   the few different x, and each history's place among them: what depends on x alone is dear
    """

    x: Column
    t_x: Column
    T: Column
    weight: Column
    customers: int
    unit_days: float
    x_values: Column
    x_place: NDArray[np.intp]


def fit_mbg_nbd(
    x: Numbers,
    t_x_days: Numbers,
    T_days: Numbers,
    *,
    version: str,
    source: str,
    fitted_at_ms: int | None = None,
    prior: BtydParameters | None = None,
) -> BtydParameters:
    """The parameters under which these histories are likeliest.

    x, t_x_days, T_days   one value a customer, as in `btyd.p_alive`
    version, source       go into the snapshot
    fitted_at_ms          event time up to which the histories reach
    prior                 what was thought of leaving before: log a and log b are normal around its, see PRIOR_SD. None: nothing
    Raises ValueError, with the remedy, for columns out of range, fewer than 50 customers, no repeat purchase at all, or a
    search that does not settle.
    """
    histories = group(*history(x, t_x_days, T_days))
    about = None if prior is None else np.log([prior.a, prior.b])
    best = min((_search(histories, np.log(start), about) for start in STARTS), key=lambda end: end.loss)
    if not best.settled:
        raise ValueError(
            f"the likelihood has no clear top (slope {best.slope:.1e} at r, alpha, a, b = {np.exp(best.log_parameters)}): "
            "give more customers or a longer history, or keep the parameters in use"
        )
    r, alpha, a, b = (float(v) for v in np.exp(best.log_parameters))
    loss, _ = loss_and_slope(best.log_parameters, histories)
    repeats = float(np.sum(histories.x * histories.weight))
    return BtydParameters(
        model="mbg_nbd",
        version=version,
        r=r,
        alpha_days=alpha * histories.unit_days,
        a=a,
        b=b,
        customers=histories.customers,
        log_likelihood=-loss * histories.customers - repeats * float(np.log(histories.unit_days)),
        fitted_at_ms=fitted_at_ms,
        source=source,
    )


def group(x: Column, t_x_days: Column, T_days: Column) -> Histories:
    """Checks that there is enough to fit on, and puts equal histories together. Raises ValueError as `fit_mbg_nbd`."""
    customers = len(x)
    if customers < MIN_CUSTOMERS:
        raise ValueError(f"{customers} customers: a fit needs at least {MIN_CUSTOMERS}; use a longer history or the shipped ones")
    if not (x > 0).any():
        raise ValueError("no customer has a second purchase day: nothing tells rates from leaving; use a longer history")
    if not (T_days > t_x_days).any():
        raise ValueError("every history ends on its last purchase day: no silence was observed; set T_days to the end of the log")
    order = np.lexsort((T_days, t_x_days, x))
    rows = np.stack([x, t_x_days, T_days])[:, order]
    first = np.r_[True, (rows[:, 1:] != rows[:, :-1]).any(axis=0)]
    starts = np.flatnonzero(first)
    weight = np.diff(np.r_[starts, customers]).astype(np.float64)
    unit_days = float(T_days.mean())
    distinct = rows[:, starts]
    values, place = np.unique(distinct[0], return_inverse=True)
    times = distinct[1] / unit_days, distinct[2] / unit_days
    return Histories(distinct[0], *times, weight, customers, unit_days, values, place)


def loss_and_slope(log_parameters: NDArray[np.float64], histories: Histories) -> tuple[float, NDArray[np.float64]]:
    """Minus the mean log likelihood a customer (see `btyd.log_likelihood`), and its gradient by the log parameters."""
    r, alpha, a, b = np.exp(log_parameters)
    x, weight, values = histories.x, histories.weight / histories.customers, histories.x_values

    def each(by_value: Column) -> Column:
        return by_value[histories.x_place]

    log_to_now, log_to_last = np.log(alpha + histories.T), np.log(alpha + histories.t_x)
    here = each(betaln(a, b + values + 1.0)) - (r + x) * log_to_now
    gone = each(betaln(a + 1.0, b + values)) - (r + x) * log_to_last
    either = np.logaddexp(here, gone)
    likelihood = each(gammaln(r + values)) - gammaln(r) + r * np.log(alpha) - betaln(a, b) + either
    w_here = np.exp(here - either)
    w_gone = np.exp(gone - either)
    psi_all = each(psi(a + b + values + 1.0))
    by_parameter = (
        each(psi(r + values)) - psi(r) + np.log(alpha) - w_here * log_to_now - w_gone * log_to_last,
        r / alpha - (r + x) * (w_here / (alpha + histories.T) + w_gone / (alpha + histories.t_x)),
        w_here * psi(a) + w_gone * psi(a + 1.0) - psi_all - psi(a) + psi(a + b),
        w_here * each(psi(b + values + 1.0)) + w_gone * each(psi(b + values)) - psi_all - psi(b) + psi(a + b),
    )
    slope = np.array([float(np.sum(weight * part)) for part in by_parameter])
    return -float(np.sum(weight * likelihood)), -slope * np.exp(log_parameters)


@dataclass(frozen=True, slots=True)
class _End:
    log_parameters: NDArray[np.float64]
    loss: float
    slope: float

    @property
    def settled(self) -> bool:
        return self.slope <= GRADIENT_TOLERANCE


def _search(histories: Histories, start: NDArray[np.float64], about: NDArray[np.float64] | None) -> _End:
    bounds = [(-LOG_BOUND, LOG_BOUND)] * 4
    found = minimize(
        loss_and_slope if about is None else _with_prior,
        start,
        args=(histories,) if about is None else (histories, about),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-8},
    )
    inward = np.clip(found.x - found.jac, -LOG_BOUND, LOG_BOUND) - found.x  # a slope that pushes at a bound is at rest
    return _End(found.x, float(found.fun), float(np.abs(inward).max()))


def _with_prior(
    log_parameters: NDArray[np.float64], histories: Histories, about: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """`loss_and_slope` with minus the log density of a prior whose log a and log b are `about`, a customer's share of it."""
    loss, slope = loss_and_slope(log_parameters, histories)
    off = (log_parameters[2:] - about) / PRIOR_SD
    slope[2:] += off / PRIOR_SD / histories.customers
    return loss + float(np.sum(off * off)) / 2.0 / histories.customers, slope
