"""The rows one step works on: whose they are, where the table holds them, and in which round each event is folded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.columns import TICK, Columns
from streams.customer import Records, gather, new_records, scatter
from streams.outcomes import customer_hashes
from streams.table import CustomerTable

NO_EVENT = -1
"""In place of an event's position: a look. In place of a customer's: a tick."""


def customers(table: CustomerTable, batch: Columns) -> tuple[list[str], NDArray[np.intp], NDArray[np.intp]]:
    """(ids, rows, slots): the batch's customers, each once; where the table holds them, else -1; each event's place among them.

    Those that the table holds come first, as they stand there; a tick's place is NO_EVENT. One look-up an event: the
    table's own ids are met one after another, and a new customer's text is compared only with that of other new ones.
    """
    row_of_event = table.rows(batch.customer.tolist())
    held = row_of_event >= 0
    slots = np.full(len(batch), NO_EVENT, np.intp)
    rows, slots[held] = np.unique(row_of_event[held], return_inverse=True)
    ids = table.ids_at(rows)
    fresh = np.flatnonzero(~held & (batch.kind != TICK))
    place: dict[str, int] = {}
    slots[fresh] = [len(ids) + place.setdefault(customer, len(place)) for customer in batch.customer[fresh].tolist()]
    return [*ids, *place], np.concatenate([rows, np.full(len(place), -1, np.intp)]), slots


def hashes(table: CustomerTable, ids: Sequence[str], rows: NDArray[np.intp]) -> NDArray[np.uint64]:
    """`customer_hashes(ids)`: the table's where it holds them, for they cost more than most of what a look does."""
    found = table.hashes[np.maximum(rows, 0)]
    new = np.flatnonzero(rows < 0)
    found[new] = customer_hashes([ids[k] for k in new.tolist()])
    return found


def loaded(table: CustomerTable, rows: NDArray[np.intp]) -> Records:
    """Copies of the table's rows; empty ones for -1."""
    work = gather(table.records, np.maximum(rows, 0))
    new = np.flatnonzero(rows < 0)
    scatter(work, new, new_records(len(new)))
    return work


def rounds(slots: NDArray[np.intp], kind: NDArray[np.uint8]) -> list[NDArray[np.intp]]:
    """Positions in the batch by round: round k holds every customer's k-th event, in the batch's order.

    slots   each event's customer;  kind   of each event: ticks are in no round
    """
    events = np.flatnonzero(kind != TICK)
    if not len(events):
        return []
    mine = slots[events]
    order = np.argsort(mine, kind="stable")
    ordered = mine[order]
    position = np.arange(len(order))
    starts = np.r_[True, ordered[1:] != ordered[:-1]]
    rank = np.empty(len(order), np.intp)
    rank[order] = position - np.maximum.accumulate(np.where(starts, position, 0))
    by_rank = np.argsort(rank, kind="stable")
    return np.split(events[by_rank], np.cumsum(np.bincount(rank))[:-1])
