"""The customers of a history in as many tables as the live system has partitions, each with its own quintiles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from detectors.served import ServedModel
from streams.backtest.event_ids import EventIds
from streams.backtest.stretches import Stretch, columns_of
from streams.columns import TICK
from streams.customer import Records, gather, new_records, scatter
from streams.engine import EngineRules, advance
from streams.step import Step
from streams.table import CustomerTable


class Tables:
    """ids, partition   of the customers, by number
    partitions        how many there are
    event_ids         of the events, where alerts are to name them
    """

    def __init__(
        self,
        ids: NDArray[np.object_],
        partition: NDArray[np.uint16],
        partitions: int,
        event_ids: EventIds | None = None,
    ) -> None:
        self._ids, self._partition, self._event_ids = ids, partition, event_ids
        self._tables = [CustomerTable() for _ in range(partitions)]

    def advance(
        self, stretch: Stretch, rules: EngineRules, model: ServedModel, *, told: bool
    ) -> Iterator[tuple[NDArray[np.intp], Step]]:
        """Fold a stretch, one partition after another: each step, already applied, with the positions of the events left out."""
        where = self._partition[stretch.rows["customer"]]
        for number, table in enumerate(self._tables):
            mine = np.flatnonzero(where == number)
            if not len(mine) and not len(stretch.ticks_ms):
                continue
            batch = columns_of(stretch.rows[mine], stretch.ticks_ms, self._ids)
            events = np.flatnonzero(batch.kind != TICK)
            if told and self._event_ids is not None:
                batch.event_id[events] = self._event_ids.of(stretch.rows["order"][mine])
            step = advance(table, batch, 0, rules, model, told=told)
            table.apply(step)
            yield mine[np.searchsorted(events, step.repeats)], step

    def records(self, customers: NDArray[np.int64]) -> Records:
        """The rows of customers by number; empty ones of those of whom nothing is kept."""
        found, where = new_records(len(customers)), self._partition[customers]
        for number, table in enumerate(self._tables):
            mine = np.flatnonzero(where == number)
            rows = table.rows(self._ids[customers[mine]].tolist())
            held = rows >= 0
            scatter(found, mine[held], gather(table.records, rows[held]))
        return found

    def everyone(self) -> list[Records]:
        """The rows of all who are kept, by partition, to be read; empty ones stand among them."""
        return [table.records[: table.end] for table in self._tables]
