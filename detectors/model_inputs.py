"""What a model may know of a customer: the raw inputs that a snapshot freezes, by name.

Raw, so that a label can be learnt from by a design that did not exist when it was taken down. All are finite and >= 0, and
between_days <= observed_days <= MAX_DAYS.
Where a customer has nothing of a kind (no gap, no login) its inputs are 0; what few have stands last, so that a snapshot
without the zeros at its end is short.

    repeat_days, between_days, observed_days   x, t_x, T of the closed form: purchase days after the first one; whole days
                                               from the first to the last of them and to now
    idle_days             since the last purchase, with fractions
    purchases             occasions in life
    days_Nd               UTC days with a purchase among the last N
    months_N              calendar months with a purchase among the last N, this one included
    decayed_purchases_N   sum over purchases of 2^(-age / N days); decayed_spent_N: of money, weighted so
    spent_*, refunded_*   money in life and in the last N days, minor units of the base currency
    gap_sq_sum, log_gap_sum, log_gap_sq_sum   sums over gaps between purchase days: days^2, ln(days), ln(days)^2
    longest_gap_days, usual_gap_days, last_gap_days   the longest gap ever, the median of the last seven, the newest
    logins[_Nd], login_idle_days              in life and in the last N days; days since the last one
    refunds               in life
    complaints[_Nd], severity_sum, severity_Nd, complaint_idle_days   likewise; severities are summed
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

INPUTS: Final = (
    "repeat_days",
    "between_days",
    "observed_days",
    "idle_days",
    "purchases",
    "days_30d",
    "days_90d",
    "days_180d",
    "months_6",
    "months_12",
    "decayed_purchases_15",
    "decayed_purchases_45",
    "decayed_purchases_120",
    "decayed_spent_15",
    "spent_minor",
    "spent_90d",
    "gap_sq_sum",
    "log_gap_sum",
    "log_gap_sq_sum",
    "longest_gap_days",
    "usual_gap_days",
    "last_gap_days",
    "logins",
    "login_idle_days",
    "logins_365d",
    "logins_90d",
    "logins_30d",
    "logins_7d",
    "refunds",
    "refunded_minor",
    "refunded_90d",
    "complaints",
    "severity_sum",
    "complaint_idle_days",
    "complaints_365d",
    "severity_365d",
    "complaints_90d",
    "severity_90d",
    "complaints_30d",
    "severity_30d",
)
"""The first three are what the closed form runs on."""

INPUTS_VERSION: Final = 2
"""Grows when an input of the same name comes to mean something else."""

INPUTS_HASH: Final = hashlib.sha256("/".join((str(INPUTS_VERSION), *INPUTS)).encode()).hexdigest()[:16]
"""Names them all: snapshots, labels and models with another one do not fit this release."""

MAX_DAYS: Final = 43_830
"""From 1980 to 2099: no customer has been observed for longer, nor on more days."""

_DAYS: Final = ("repeat_days", "between_days", "observed_days", "idle_days")


def check_inputs(inputs: NDArray[np.float32]) -> None:
    """Raise ValueError naming input, value and row where rows are not as promised above: one would spoil what is learnt for good.

    >>> check_inputs(np.ones((2, len(INPUTS)), np.float32))
    """
    fits = (inputs >= 0.0) & (inputs < np.inf)
    if not fits.all():
        row, place = np.argwhere(~fits)[0].tolist()
        raise ValueError(f"{INPUTS[place]} = {inputs[row, place]:g} in row {row}: must be 0 or more and finite")
    for name in _DAYS:
        days = inputs[:, INPUTS.index(name)]
        if (days > MAX_DAYS).any():
            row = int(np.argmax(days))
            raise ValueError(f"{name} = {days[row]:g} in row {row}: must be {MAX_DAYS} at most")
    between, observed = inputs[:, INPUTS.index("between_days")], inputs[:, INPUTS.index("observed_days")]
    if (between > observed).any():
        row = int(np.argmax(between > observed))
        raise ValueError(f"between_days = {between[row]:g} in row {row}: must not be above observed_days = {observed[row]:g}")
