"""How often each customer bought in a window of time: exact, in memory that does not grow with the events.

Occasions are counted by cells of time as long as the greatest common divisor of the window and the step from one window to the
next: cell k holds (start + (k-1) cell, start + k cell], so every window is whole cells.
"""

from __future__ import annotations

from math import gcd

import numpy as np
from numpy.typing import NDArray

from streams.backtest.occasions import NewOccasions, Numbers

Ints = NDArray[np.int64]


class WindowCounts:
    """customers   how many there are
    start_ms    time of the log's first event
    window_ms   length of the window, > 0
    every_ms    windows end at start + window + a multiple of it, > 0
    """

    def __init__(self, customers: int, start_ms: int, window_ms: int, every_ms: int) -> None:
        self._start_ms, self._cell_ms = start_ms, gcd(window_ms, every_ms)
        self._counts = np.zeros((window_ms // self._cell_ms, customers), np.uint16)  # cell k in row k mod rows
        self._cell = 0

    def add(self, new: NewOccasions) -> None:
        """Take in occasions; none before what was asked for already, none after what is still to be asked for."""
        cell = -((self._start_ms - new.time_ms) // self._cell_ms)
        for this in np.unique(cell).tolist():
            self._count(this, new.customer[cell == this])

    def until(self, end_ms: int) -> Ints:
        """Occasions of each customer in (end - window, end]; nothing after `end_ms` may have been added."""
        self._enter(-((self._start_ms - end_ms) // self._cell_ms))
        found: Ints = self._counts.sum(axis=0, dtype=np.int64)
        return found

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
