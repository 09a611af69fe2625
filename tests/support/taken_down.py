"""Simulated customers taken down for learning, day by day: labels as the system would make them, without the system.

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


class TakenDown(NamedTuple):
    """customer   place of the customer among all, in order of name
    day        of the snapshot, days since 1970; ascending
    inputs     float32 (n, len(INPUTS))
    left       no purchase in the horizon from that day on
    """

    customer: NDArray[np.intp]
    day: NDArray[np.int64]
    inputs: NDArray[np.float32]
    left: NDArray[np.bool_]


def taken_down(events: Sequence[SimulatedEvent], *, horizon_days: int = 90, grid_days: int = 30) -> TakenDown:
    """Every snapshot whose horizon lies within the events, which are in order of time."""
    names, who = np.unique([event.customer for event in events], return_inverse=True)
    time_ms = np.array([event.time_ms for event in events])
    kind = np.array([event.kind for event in events], np.uint8)
    amount = np.array([round(event.amount * 100) for event in events])
    severity = np.array([event.severity for event in events], np.uint8)
    event_ids = np.arange(1, len(events) + 1, dtype=np.uint64) * np.uint64(0x9E37_79B9)
    bought = np.unique(who[kind == PURCHASE] * 100_000 + time_ms[kind == PURCHASE] // DAY_MS)
    table, phase = new_records(len(names)), phases(customer_hashes(names.tolist()), grid_days)
    day = time_ms // DAY_MS
    parts: list[tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]] = []
    for today in range(int(day[0]), int(day[-1]) - horizon_days + 1):
        due = np.flatnonzero((table["purchases"] > 0) & (phase == today % grid_days))
        at = due * 100_000 + today
        left = np.searchsorted(bought, at) == np.searchsorted(bought, at + horizon_days)
        days = np.full(len(due), today)
        parts.append((due, days, model_inputs(gather(table, due), days * DAY_MS), left))
        here = np.flatnonzero(day == today)
        for k in rounds(who[here], kind[here]):
            these = here[k]
            rows = gather(table, who[these])
            rfm.fold(rows, kind[these], time_ms[these], amount[these], severity[these], event_ids[these])
            scatter(table, who[these], rows)
    customer, days, inputs, left = (np.concatenate(column) for column in zip(*parts, strict=True))
    return TakenDown(customer, days, inputs, left)
