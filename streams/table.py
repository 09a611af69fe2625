"""A partition's customers in memory: rows, who stands where, and when each is due.

The table is bounded. Its rows equal those in Redis, since only the owner of the partition writes, so the least recently
used may be dropped at any time after a commit and are read again on a miss.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streams.customer import NEVER_S, Records, new_records, scatter
from streams.outcomes import customer_hashes
from streams.state import PartitionState
from streams.timers import DueIndex

if TYPE_CHECKING:
    from streams.step import Step

_START = 1_024


class CustomerTable:
    """Rows of dtype CUSTOMER by customer id, with the partition's state.

    capacity   rows kept after `forget_unused`, at least 1; None = all

    records, ids, hashes   by row: the record, whose it is ("" = nobody's) and the 64 bits of that id (`customer_hashes`)
    end        rows from here on were never anybody's
    """

    def __init__(self, state: PartitionState | None = None, capacity: int | None = None) -> None:
        if capacity is not None and capacity < 1:
            raise ValueError(f"capacity {capacity}: a table keeps at least one row")
        self.state = state if state is not None else PartitionState()
        self.capacity = capacity
        self.records: Records = new_records(_START)
        self.ids: NDArray[np.object_] = _nobody(_START)
        self.hashes = np.zeros(_START, np.uint64)
        self.end = 0
        self.row_of: dict[str, int] = {}
        self.due = DueIndex(_START)
        self._used = np.zeros(_START, np.uint32)
        self._clock = 0
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self.row_of)

    def rows(self, ids: Sequence[str]) -> NDArray[np.intp]:
        """Row number of each id, -1 where the table does not hold it."""
        return np.fromiter(map(self.row_of.get, ids, repeat(-1)), np.intp, len(ids))

    def ids_at(self, rows: NDArray[np.intp]) -> list[str]:
        """Whose these rows are."""
        ids: list[str] = self.ids[rows].tolist()
        return ids

    def first_due(self, until_s: int, limit: int) -> list[str]:
        """Of the customers held, those whose look is due at or before `until_s`: earliest first, ties by the id's bytes."""
        rows = self.due.due(until_s)
        if len(rows) > limit:  # those that are due with the last one stay, for their order is not settled yet
            times = self.records["due_s"][rows]
            rows = rows[times <= np.partition(times, limit - 1)[limit - 1]]
        order = sorted(zip(self.records["due_s"][rows].tolist(), map(str.encode, self.ids_at(rows)), strict=True))
        return [customer.decode() for _, customer in order[:limit]]

    def put(self, ids: Sequence[str], records: Records) -> None:
        """Hold `records` (one an id, ids different) as these customers' rows."""
        self._put(ids, records, self.rows(ids))

    def _put(self, ids: Sequence[str], records: Records, rows: NDArray[np.intp]) -> None:
        new = np.flatnonzero(rows < 0)
        if len(new):
            rows = rows.copy()
            rows[new] = self._places([ids[k] for k in new.tolist()])
        self._clock += 1
        scatter(self.records, rows, records)
        self.due.put(rows, records["due_s"])
        self._used[rows] = self._clock

    def apply(self, step: Step) -> None:
        """Take over what a committed step computed; the table must not have changed since the step was computed."""
        self._put(step.ids, step.records, step.rows)
        self._drop(self.rows(step.gone))
        self.state = step.state

    def forget_unused(self) -> int:
        """Drop the least recently used rows beyond the capacity; returns how many. Call only when every row is committed."""
        if self.capacity is None or len(self.row_of) <= self.capacity * 5 // 4:
            return 0
        held = np.fromiter(self.row_of.values(), np.intp, len(self.row_of))
        surplus = len(held) - self.capacity
        gone = held[np.argpartition(self._used[held], surplus)[:surplus]]
        self._drop(gone)
        return surplus

    def _drop(self, rows: NDArray[np.intp]) -> None:
        """These rows hold nobody any more; -1 among them is nobody."""
        gone = rows[rows >= 0]
        for customer in self.ids_at(gone):
            del self.row_of[customer]
        self.ids[gone] = ""
        scatter(self.records, gone, new_records(len(gone)))
        self.due.put(gone, np.full(len(gone), NEVER_S, np.uint32))
        self._free.extend(gone.tolist())

    def _places(self, ids: list[str]) -> list[int]:
        reused = [self._free.pop() for _ in range(min(len(self._free), len(ids)))]
        fresh = list(range(self.end, self.end + len(ids) - len(reused)))
        self.end += len(fresh)
        if self.end > len(self.records):
            self._grow(self.end)
        places = reused + fresh
        self.row_of.update(zip(ids, places, strict=True))
        self.ids[places] = ids
        self.hashes[places] = customer_hashes(ids)
        return places

    def _grow(self, rows: int) -> None:
        capacity = max(rows, 2 * len(self.records))
        grown = new_records(capacity)
        grown[: len(self.records)] = self.records
        more = capacity - len(self.records)
        self.records = grown
        self.ids = np.concatenate([self.ids, _nobody(more)])
        self.hashes = np.concatenate([self.hashes, np.zeros(more, np.uint64)])
        self._used = np.concatenate([self._used, np.zeros(more, np.uint32)])
        self.due.grow(capacity)


def _nobody(rows: int) -> NDArray[np.object_]:
    return np.full(rows, "", np.object_)
