"""Customers taken down for learning, day by day: labels as the system would make them, without the system.

The fold, the grid and the inputs are the product's; what became of a customer is read from the list of events.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams import rfm
from streams.backtest.simulation import SimulatedEvent
from streams.columns import DAY_MS, PURCHASE
from streams.customer import gather, new_records, scatter
from streams.model_inputs import model_inputs
from streams.outcomes import customer_hashes, phases
from streams.working_rows import rounds

Index = NDArray[np.intp]
Ints = NDArray[np.int64]

_MS_BITS = 44  # a time of the contract fits


class TakenDown(NamedTuple):
    """customer   place of the customer among all, in order of name
    day        of the snapshot, days since 1970; ascending
    inputs     float32 (n, len(INPUTS))
    left       no purchase in the horizon from that day on; of no meaning where the events end before
    """

    customer: Index
    day: Ints
    inputs: NDArray[np.float32]
    left: NDArray[np.bool_]


class Shop:
    """A shop's customers as time goes by.

    events   in order of time
    """

    def __init__(self, events: Sequence[SimulatedEvent]) -> None:
        names, self._who = np.unique([event.customer for event in events], return_inverse=True)
        self.time_ms = np.array([event.time_ms for event in events])
        self._kind = np.array([event.kind for event in events], np.uint8)
        self._amount = np.array([round(event.amount * 100) for event in events])
        self._severity = np.array([event.severity for event in events], np.uint8)
        self._event_ids = np.arange(1, len(events) + 1, dtype=np.uint64) * np.uint64(0x9E37_79B9)
        self.table, self.hashes = new_records(len(names)), customer_hashes(names.tolist())
        bought = self._kind == PURCHASE
        self._occasions = np.unique((self._who[bought] << _MS_BITS) + self.time_ms[bought])
        self._folded = 0

    def go_to(self, at_ms: int, *, through: bool = False) -> None:
        """Fold all events before `at_ms`, and those at that instant too if `through`."""
        until = int(np.searchsorted(self.time_ms, at_ms, "right" if through else "left"))
        here = np.arange(self._folded, until)
        for k in rounds(self._who[here], self._kind[here]):
            these = here[k]
            rows = gather(self.table, self._who[these])
            columns = (self._kind, self.time_ms, self._amount, self._severity, np.zeros_like(self._kind), self._event_ids)
            rfm.fold(rows, *(column[these] for column in columns))
            scatter(self.table, self._who[these], rows)
        self._folded = max(self._folded, until)

    def occasions(self, customer: Index, from_ms: Ints | int, to_ms: Ints | int) -> Ints:
        """How many purchases at different instants each of these has in [from_ms, to_ms)."""
        base = customer.astype(np.int64) << _MS_BITS
        found: Ints = np.searchsorted(self._occasions, base + to_ms) - np.searchsorted(self._occasions, base + from_ms)
        return found

    def take_down(self, customer: Index, day: int, horizon_days: int) -> TakenDown:
        """These as they are at the beginning of a day; the shop must have gone there."""
        days = np.full(len(customer), day)
        left = self.occasions(customer, days * DAY_MS, (days + horizon_days) * DAY_MS) == 0
        return TakenDown(customer, days, model_inputs(gather(self.table, customer), days * DAY_MS), left)


def taken_down(
    events: Sequence[SimulatedEvent], *, horizon_days: int = 90, grid_days: int = 30, active_days: int = 365
) -> TakenDown:
    """Every snapshot whose horizon lies within the events."""
    shop = Shop(events)
    phase = phases(shop.hashes, grid_days)
    parts: list[TakenDown] = []
    first, last = (int(shop.time_ms[k]) // DAY_MS for k in (0, -1))
    for today in range(first, last - horizon_days + 1):
        shop.go_to(today * DAY_MS)
        active = today * DAY_MS - shop.table["last_purchase_ms"] <= active_days * DAY_MS
        due = (shop.table["purchases"] > 0) & active & (phase == today % grid_days)
        parts.append(shop.take_down(np.flatnonzero(due), today, horizon_days))
    return TakenDown(*(np.concatenate(column) for column in zip(*parts, strict=True)))
