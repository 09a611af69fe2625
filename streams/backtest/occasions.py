"""Purchases as occasions: of one customer's at one instant only the first counts.

Memory is per customer: the time of the latest purchase and how many occasions there were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Numbers = NDArray[np.uint32]

NEVER_MS = -1


@dataclass(frozen=True, slots=True)
class NewOccasions:
    """Occasions, one entry each, by customer and then by time.

    customer    number of the customer
    time_ms     when
    before_ms   the customer's occasion before; NEVER_MS for the first
    number      in the customer's life, from 1
    """

    customer: Numbers
    time_ms: Ints
    before_ms: Ints
    number: Ints


class Occasions:
    """last_ms   time of each customer's latest purchase; NEVER_MS before the first
    count     occasions of each customer so far
    """

    def __init__(self, customers: int) -> None:
        self.last_ms = np.full(customers, NEVER_MS, np.int64)
        self.count = np.zeros(customers, np.uint32)

    def add(self, customer: Numbers, time_ms: Ints) -> NewOccasions:
        """Take in purchases, ascending by time and none earlier than those before."""
        order = np.argsort(customer, kind="stable")
        who, when = customer[order], time_ms[order]
        before = self._before(who, when)
        new = when != before
        who, when, before = who[new], when[new], before[new]
        first = _firsts(who)
        place = np.arange(len(who))
        rank = place - np.maximum.accumulate(np.where(first, place, 0))
        number = self.count[who] + rank + 1
        last = np.roll(first, -1)  # the one before another customer's first; the very first's neighbour is the very last
        self.last_ms[who[last]], self.count[who[last]] = when[last], number[last]
        return NewOccasions(who, when, before, number)

    def _before(self, who: Numbers, when: Ints) -> Ints:
        """Time of the purchase before each."""
        before, first = np.roll(when, 1), _firsts(who)
        before[first] = self.last_ms[who[first]]
        return before


def _firsts(who: Numbers) -> NDArray[np.bool_]:
    """Whether each is the first entry of its customer."""
    first = np.ones(len(who), bool)
    first[1:] = who[1:] != who[:-1]
    return first
