"""Silence that is long for *this* customer.

score = 1 - exp(-idle_days / (patience * usual_gap_days)); 0 just after an order, 0.95 at 3 * patience usual gaps.
The baseline that needs no parameters of a population: it stands beside the closed form and catches what that one misses.
"""

from __future__ import annotations

import numpy as np

from detectors.column import Column, Numbers, non_negative, positive, positive_number, same_length


def score(idle_days: Numbers, usual_gap_days: Numbers, patience: float = 1.0) -> Column:
    """Risk from inactivity alone, one value a row, in [0, 1] (1 only by rounding, past 37 patience * gaps).

    idle_days        days since the last order, >= 0
    usual_gap_days   the customer's own usual gap, days, > 0
    patience         how many usual gaps count as one, > 0, dimensionless
    Raises ValueError naming column, value and row outside the ranges.

    >>> score(np.array([30.0]), np.array([10.0])).round(2)
    array([0.95])
    """
    patience = positive_number("patience", patience)
    idle_days, usual_gap_days = non_negative("idle_days", idle_days), positive("usual_gap_days", usual_gap_days)
    same_length(idle_days=idle_days, usual_gap_days=usual_gap_days)
    result: Column = -np.expm1(-idle_days / (patience * usual_gap_days))
    return result
