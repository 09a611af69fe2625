"""Who left, and when: each purchase after which there was none for a horizon.

There are at most so many of a customer as horizons fit into the history, so memory grows with customers and years.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.backtest.occasions import NEVER_MS, NewOccasions, Occasions

Ints = NDArray[np.int64]

OPEN_MS = np.iinfo(np.int64).max
"""End of a silence that nobody has seen end."""


@dataclass(frozen=True, slots=True)
class Silences:
    """Silences longer than the horizon, one entry each, by customer and then by time.

    customer   number of the customer
    since_ms   the last purchase before
    until_ms   the first one after; OPEN_MS where the history has none
    number     occasions in the customer's life by then
    """

    customer: Ints
    since_ms: Ints
    until_ms: Ints
    number: Ints


class LongSilences:
    """horizon_ms   silences longer than this count"""

    def __init__(self, horizon_ms: int) -> None:
        self._horizon_ms = horizon_ms
        self._parts: list[tuple[Ints, Ints, Ints, Ints]] = []

    def add(self, new: NewOccasions) -> None:
        """Take in occasions, which end silences."""
        ended = (new.before_ms != NEVER_MS) & (new.time_ms - new.before_ms > self._horizon_ms)
        who = new.customer[ended].astype(np.int64)
        self._parts.append((who, new.before_ms[ended], new.time_ms[ended], new.number[ended].astype(np.int64) - 1))

    def all(self, occasions: Occasions, end_ms: int) -> Silences:
        """Those that ended, and those that are open when the history ends at `end_ms`, a whole horizon long by then."""
        bought = np.flatnonzero(occasions.last_ms != NEVER_MS)
        still = bought[occasions.last_ms[bought] + self._horizon_ms <= end_ms]
        open_ones = still, occasions.last_ms[still], np.full(len(still), OPEN_MS), occasions.count[still].astype(np.int64)
        columns = [np.concatenate(parts) for parts in zip(*self._parts, open_ones, strict=True)]
        order = np.lexsort((columns[1], columns[0]))
        return Silences(*(column[order] for column in columns))
