"""The constant that moves the linear model's mean risk onto the closed form's.

What is learnt is H days old, while the base rate moves (Christmas): the closed form sees it at once in everybody's idle
days, the learner does not. So the linear model ranks, and the closed form says how high the risks are as a whole. Ranking
is untouched; measured on Online Retail II it takes .021 off the log loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from detectors.scored import BASIS_POINTS, LOGIT_BINS, Scored, together

LEAST_CUSTOMERS = 100
"""Fewer say more about chance than about the base: no shift."""
BOUND = 5.0
STEPS = 60
"""Halvings of the interval: to the last bit of what a float of that size holds."""


def shift(parts: Iterable[Scored]) -> float:
    """s such that mean(1 / (1 + exp(-(logit + s)))) is the mean risk by the closed form, within +-BOUND.

    parts   those on which a linear model was tried count; 0.0 where they hold fewer than LEAST_CUSTOMERS customers
    """
    tried = together(part for part in parts if part.logits)
    if tried.customers < LEAST_CUSTOMERS:
        return 0.0
    logit = np.array(list(tried.logits)) / LOGIT_BINS
    weight = np.array(list(tried.logits.values())) / tried.customers
    wanted = tried.closed_form_bp / BASIS_POINTS / tried.customers
    low, high = -BOUND, BOUND
    for _ in range(STEPS):  # bisection: the mean rises with the shift, and nothing is left to a tolerance
        middle = (low + high) / 2
        if (weight / (1.0 + np.exp(-(logit + middle)))).sum() < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def newest(parts: Sequence[tuple[int, Scored]], customers: int) -> list[Scored]:
    """Of parts by time the newest that hold `customers`, newest first: enough for their mean, and no more, since weights and base
    rate move on.

    >>> newest([(1, Scored(customers=5, closed_form_bp=1)), (2, Scored(customers=4, closed_form_bp=2))], 4)
    [Scored(customers=4, closed_form_bp=2, model='', logits={})]
    """
    found: list[Scored] = []
    for _, part in reversed(parts):
        found.append(part)
        if sum(one.customers for one in found) >= customers:
            break
    return found
