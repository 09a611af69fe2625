"""The rows that a commit folded, found again by the offsets in the journal.

A commit folds the good records between two offsets of each topic, smallest head first by (time, topic rank, offset). That is
also the order within one commit of several that one take of the merge became: whoever has taken the first k rows goes on with
the same heads. In history a row behind the place that a tick names counts as later than that tick (see streams/merge.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np

from streams.columns import TOPIC_RANKS, Columns
from streams.contract import EventRules
from streams.events import decode_chunk
from streams.runtime.topics import CLOCK, INPUTS
from streams.ticks import decode_ticks, tick_columns
from tests.oracle.journal_chain import NotRepeated
from tests.oracle.merge_twin import MergeTwin, Row

STAMPED = 1
"""LogAppendTime."""
CLOCK_RANK = TOPIC_RANKS["clock"]


class JournalRows:
    """The inputs of one partition.

    records   topic -> its records in order of offset; of the clock too
    rules     of live events
    """

    def __init__(self, records: Mapping[str, Sequence[Any]], rules: EventRules) -> None:
        self._records, self._rules = records, rules

    def between(self, before: Mapping[str, int], after: Mapping[str, int], *, history: bool) -> Columns:
        """Rows beyond the offsets `before` and up to those `after`, topic -> offset, in the order in which they were folded."""
        topics = self._history if history else self._live
        parts = [_between(topics[name], before.get(name, -1), after.get(name, -1)) for name in topics]
        rows = Columns.concat(parts)
        place = {(int(rank), int(at)): k for k, (rank, at) in enumerate(zip(rows.rank, rows.offset, strict=True))}
        twin = MergeTwin({TOPIC_RANKS[name]: deque() for name in topics})
        for rank, offset, time_ms in zip(rows.rank.tolist(), rows.offset.tolist(), rows.time_ms.tolist(), strict=True):
            floor_ms = self._floor_ms(rank, offset) if history else 0
            twin.push(Row(max(time_ms, floor_ms), rank, offset))
        order = [place[row.rank, row.offset] for row in twin.take(len(rows), lambda _: True)] if len(rows) else []
        return rows.take(np.array(order, np.intp))

    @cached_property
    def _live(self) -> dict[str, Columns]:
        if self._rules.skew_ms is not None:
            unstamped = next((r for name in INPUTS for r in self._records.get(name, ()) if r.timestamp_type != STAMPED), None)
            if unstamped is not None:
                raise NotRepeated(f"{unstamped.topic}: the worker's clock judged what is too far ahead; use LogAppendTime")
        return {name: self._decoded(name, self._rules) for name in INPUTS}

    @cached_property
    def _history(self) -> dict[str, Columns]:
        ticks, _ = decode_ticks(self._records.get(CLOCK, ()))
        found = {name: self._decoded(name, self._rules.of_history()) for name in INPUTS}
        return found | {"clock": tick_columns([tick for tick in ticks if tick.kind == "tick"])}

    @cached_property
    def _floors(self) -> list[tuple[Mapping[str, int], int]]:
        ticks, _ = decode_ticks(self._records.get(CLOCK, ()))
        return [(tick.offsets, tick.at_ms + 1) for tick in ticks if tick.kind == "tick"]

    def _floor_ms(self, rank: int, offset: int) -> int:
        name = next(name for name, known in TOPIC_RANKS.items() if known == rank)
        return max((at_ms for offsets, at_ms in self._floors if name in offsets and offsets[name] <= offset), default=0)

    def _decoded(self, name: str, rules: EventRules) -> Columns:
        topic = cast(Literal["purchases", "complaints", "logins"], name)
        return decode_chunk(topic, self._records.get(name, ()), rules, 0).columns


def _between(columns: Columns, before: int, after: int) -> Columns:
    return columns.take((columns.offset > before) & (columns.offset <= after))
