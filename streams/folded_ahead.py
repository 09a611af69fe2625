"""The events of one step folded ahead of what is decided at them, and assessed all at once.

What an event makes of its customer's history hangs on no decision, and assessing costs the same for one row as for a hundred:
the twentieth event of the one busy customer would cost as much as the first events of all. So events are folded round by round,
each one's record is kept, all are assessed together, and only the decisions are taken one after another.

Three kinds of customers are folded only when their turn comes, on what was decided before: those whose relationship ends or has
ended (the record tells its end where the policy tells that of the last alert), those whom a look of this step has forgotten, and
those with a repeat (it is not folded, yet looks fire up to its time, and no evaluation may lie before a look that was).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.policy import copied
from detectors.served import ServedModel
from streams import rfm
from streams.columns import CANCELLATION, Columns
from streams.customer import Records, gather, new_records, scatter
from streams.record_marks import ended
from streams.scoring import Assessment, assess

Ints = NDArray[np.int64]
Index = NDArray[np.intp]


class Folded(NamedTuple):
    """Different customers just after an event each.

    rows         as the event leaves them, all else as it was before
    as_of_ms     when they are evaluated
    assessment   as of then
    """

    rows: Records
    as_of_ms: Ints
    assessment: Assessment


class FoldedAhead:
    """batch     the step's events
    slots     each event's place in `work`
    rounds    positions in the batch: a customer's k-th event is in round k
    floor_ms  the earliest time as of which each event is evaluated
    work      the step's customers before it; read, not kept
    """

    def __init__(
        self, batch: Columns, slots: Index, rounds: list[Index], floor_ms: Ints, work: Records, model: ServedModel
    ) -> None:
        self._batch, self._floor_ms, self._model = batch, floor_ms, model
        self._rows = new_records(len(batch))
        self._as_of_ms = np.zeros(len(batch), np.int64)
        self._repeat = np.zeros(len(batch), bool)
        self._assessed = Assessment.nothing(len(batch))
        self._in_turn = ended(work)
        self._in_turn[slots[batch.kind == CANCELLATION]] = True
        newest = np.full(len(work), -1, np.intp)
        for events in rounds:
            before = newest[slots[events]]
            self._fold(events, gather(work, slots[events]) if before[0] < 0 else gather(self._rows, before))
            newest[slots[events]] = events
        self._in_turn[slots[self._repeat]] = True
        self._assess(np.concatenate([np.empty(0, np.intp), *rounds]))

    def forget(self, slots: Index) -> None:
        """These customers begin anew: what was folded ahead of them is void."""
        self._in_turn[slots] = True

    def at(self, events: Index, slots: Index, rows: Records) -> tuple[NDArray[np.bool_], Folded]:
        """Events of different customers: which are repeats, and what the others leave.

        slots, rows   each event's customer, as it is before the event
        """
        in_turn = np.flatnonzero(self._in_turn[slots])
        if len(in_turn):
            self._fold(events[in_turn], gather(rows, in_turn))
            self._assess(events[in_turn])
        repeat = self._repeat[events]
        if repeat.any():
            fresh = np.flatnonzero(~repeat)
            events, rows = events[fresh], gather(rows, fresh)
            in_turn = np.flatnonzero(self._in_turn[slots[fresh]])
        found = gather(self._rows, events)
        decided = copied(rows["policy"])
        decided[in_turn] = found["policy"][in_turn]
        copied(decided, into=found["policy"])
        for name in ("frequency_bin", "monetary_bin", "rfm"):
            found[name] = rows[name]
        return repeat, Folded(found, self._as_of_ms[events], self._assessed.of(events))

    def _fold(self, events: Index, rows: Records) -> None:
        """Fold events into their customers' rows, which are the caller's to lose, and keep what comes of it."""
        batch = self._batch
        self._repeat[events] = repeat = rfm.is_repeat(rows, batch.id_hash[events])
        if repeat.any():
            scatter(self._rows, events[repeat], gather(rows, np.flatnonzero(repeat)))
            events, rows = events[~repeat], gather(rows, np.flatnonzero(~repeat))
        rfm.fold(
            rows, batch.kind[events], batch.time_ms[events], batch.amount_minor[events], batch.severity[events],
            batch.cause[events], batch.id_hash[events],
        )  # fmt: skip
        self._as_of_ms[events] = rows["seen_ms"] = np.maximum(self._floor_ms[events], rows["seen_ms"])
        scatter(self._rows, events, rows)

    def _assess(self, events: Index) -> None:
        events = events[~self._repeat[events]]
        self._assessed.put(events, assess(self._model, self._rows, self._as_of_ms, events))
