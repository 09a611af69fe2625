"""How often each customer bought in a window, and whether since: exact, in memory that does not grow with the events.

Counted are occasions (purchases of one customer at one instant are one) by cells of time as long as the greatest common divisor
of the window and the step between cut-offs: cell k holds (start + (k-1) cell, start + k cell], so every window is whole cells.
"""

from __future__ import annotations

from math import gcd

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Numbers = NDArray[np.uint32]

NEVER_MS = -1


class Occasions:
    """Purchases as they come, in order of time.

    customers   how many there are
    start_ms    time of the log's first event
    window_ms   length of the window, > 0
    every_ms    windows end at start + window + a multiple of it, > 0
    last_ms     time of each customer's latest purchase; NEVER_MS before the first
    """

    def __init__(self, customers: int, start_ms: int, window_ms: int, every_ms: int) -> None:
        self._start_ms, self._cell_ms = start_ms, gcd(window_ms, every_ms)
        self._counts = np.zeros((window_ms // self._cell_ms, customers), np.uint16)  # cell k in row k mod rows
        self._cell = 0
        self.last_ms = np.full(customers, NEVER_MS, np.int64)

    def add(self, customer: Numbers, time_ms: Ints) -> None:
        """Take in purchases, ascending by time, none earlier than those before nor after the end of a window to be asked for."""
        new = self._occasions(customer, time_ms)
        customer, cell = customer[new], -((self._start_ms - time_ms[new]) // self._cell_ms)
        cuts = np.flatnonzero(np.diff(cell)) + 1
        for start, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(cell)], strict=True):
            if start < end:
                self._count(int(cell[start]), customer[start:end])

    def in_window(self, end_ms: int) -> Ints:
        """Occasions of each customer in the window that ends at `end_ms`; no purchase after it may have been added."""
        self._enter(-((self._start_ms - end_ms) // self._cell_ms))
        found: Ints = self._counts.sum(axis=0, dtype=np.int64)
        return found

    def _occasions(self, customer: Numbers, time_ms: Ints) -> NDArray[np.intp]:
        """Positions of the purchases that are not at the instant of the customer's one before; notes the latest."""
        order = np.argsort(customer, kind="stable")
        who, when = customer[order], time_ms[order]
        first = np.r_[True, who[1:] != who[:-1]][: len(who)]
        before = np.r_[0, when[:-1]][: len(when)]
        before[first] = self.last_ms[who[first]]
        last = np.r_[first[1:], True][: len(who)]
        self.last_ms[who[last]] = when[last]
        return np.sort(order[when != before])

    def _count(self, cell: int, customer: Numbers) -> None:
        self._enter(cell)
        who, times = np.unique(customer, return_counts=True)
        row = self._counts[cell % len(self._counts)]
        row[who] = np.minimum(row[who] + times, np.iinfo(np.uint16).max)

    def _enter(self, cell: int) -> None:
        """Forget what the window that ends with `cell` no longer reaches."""
        for passed in range(self._cell + 1, min(cell, self._cell + len(self._counts)) + 1):
            self._counts[passed % len(self._counts)] = 0
        self._cell = max(self._cell, cell)
