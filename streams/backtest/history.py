"""History files in: checked, sorted and ready to be replayed, backtested or fitted.

Read `mapping` for how foreign columns become ours, `rows` for what a row must hold, `payloads` for the way on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from streams.backtest.files import Row, read_rows
from streams.backtest.mapping import PLAIN, HistoryError, Mapping, Source, find_source
from streams.backtest.rows import BadRow, Event, RowError, RowParser
from streams.columns import CANCELLATION, COMPLAINT, EVENT_KINDS, LOGIN, PURCHASE, REFUND, TOPIC_RANKS

__all__ = ["BadRow", "History", "HistoryError", "find_source", "merge_histories", "read_histories", "read_history"]

PROBLEMS_SHOWN = 20
REQUIRED = ("customer_id", "occurred_at")

_RANK = np.zeros(EVENT_KINDS, np.uint8)
_RANK[[PURCHASE, REFUND]] = TOPIC_RANKS["purchases"]
_RANK[COMPLAINT] = TOPIC_RANKS["complaints"]
_RANK[LOGIN] = TOPIC_RANKS["logins"]
_RANK[CANCELLATION] = TOPIC_RANKS["cancellations"]


@dataclass(frozen=True, slots=True)
class History:
    """n events column by column, sorted by (time, topic rank, file, row). Fields as in `rows.Event`.

    skipped  rows left out because they were bad and the reader was told to go on
    """

    customer: NDArray[np.object_]
    kind: NDArray[np.uint8]
    time_ms: NDArray[np.int64]
    amount: NDArray[np.float64]
    currency: NDArray[np.object_]
    severity: NDArray[np.uint8]
    category: NDArray[np.object_]
    text: NDArray[np.object_]
    event_id: NDArray[np.object_]
    row: NDArray[np.int64]
    skipped: tuple[BadRow, ...] = ()

    def __len__(self) -> int:
        return len(self.time_ms)

    @property
    def rank(self) -> NDArray[np.uint8]:
        """Topic rank of each event: purchases (and refunds) 0, complaints 1, logins 2, cancellations 3."""
        return _RANK[self.kind]

    def fingerprint(self) -> str:
        """32 hex digits that two histories share only if they hold the same events in the same order."""
        digest = xxhash.xxh3_128()
        for name in _COLUMN_TYPES:
            column = getattr(self, name)
            if column.dtype == object:
                digest.update("\x1f".join(column).encode())
            else:
                digest.update(column.tobytes())
            digest.update(b"\x1e")
        return digest.hexdigest()


_COLUMN_TYPES: dict[str, Any] = {
    "customer": object,
    "kind": np.uint8,
    "time_ms": np.int64,
    "amount": np.float64,
    "currency": object,
    "severity": np.uint8,
    "category": object,
    "text": object,
    "event_id": object,
    "row": np.int64,
}


def read_history(path: Path, mapping: Mapping | None = None, *, skip_bad: bool = False) -> History:
    """Every event of a CSV, JSON lines (both also gzipped) or Parquet file, sorted.

    path      the file
    mapping   how its columns and values become ours; None for a file that has ours already
    skip_bad  leave bad rows out and keep them in `skipped`, where otherwise one bad row refuses the file

    Raises HistoryError: the file cannot be read, lacks a column, holds no event, or has bad rows (the first 20 are named).
    """
    bad: list[BadRow] = []
    events = list(each_event(path, mapping or PLAIN, bad.append))
    if bad and not skip_bad:
        raise HistoryError(refusal(path, bad, len(bad)))
    if not events:
        raise HistoryError(f"file {path.name}: holds no usable event")
    return _sorted(_history(events, tuple(bad)))


def each_event(path: Path, mapping: Mapping, on_bad: Callable[[BadRow], None]) -> Iterator[Event]:
    """Every event of a file in its order; what is none goes to `on_bad`. Raises HistoryError where the file cannot be read."""
    return parsed(read_rows(path, mapping), 1, RowParser(mapping), path, on_bad)


def parsed(
    rows: Iterable[Row], first_row: int, parser: RowParser, path: Path, on_bad: Callable[[BadRow], None]
) -> Iterator[Event]:
    """The events among some rows of a file, the first of which is its `first_row`-th. Otherwise as `each_event`."""
    for number, row in enumerate(rows, start=first_row):
        try:
            if isinstance(row, RowError):
                raise row
            if number == 1:
                _check_columns(path, parser, row)
            yield parser.event(row, number)
        except RowError as problem:
            on_bad(problem.at(number))


def read_histories(sources: Sequence[Source], *, skip_bad: bool = False) -> History:
    """The events of several files in one order of time. Raises HistoryError as `read_history` and `merge_histories` do."""
    return merge_histories([read_history(source.path, source.mapping, skip_bad=skip_bad) for source in sources])


def merge_histories(histories: Sequence[History]) -> History:
    """All events of `histories`, sorted by (time, topic rank, place in `histories`, row).

    Raises HistoryError where two of them use one event id: consumers would drop the second event as a repeat.
    """
    if len(histories) == 1:
        return histories[0]
    merged = _built(lambda name: np.concatenate([getattr(h, name) for h in histories]))
    _check_ids_apart(histories)
    return replace(_sorted(merged), skipped=tuple(bad for h in histories for bad in h.skipped))


def _check_ids_apart(histories: Sequence[History]) -> None:
    seen: set[str] = set()
    for number, history in enumerate(histories, start=1):
        ids = set(history.event_id)
        if both := seen & ids:
            raise HistoryError(
                f"file {number}: event_id {min(both)} and {len(both) - 1} more stand in an earlier file too; "
                "give each file once, or give it an id prefix of its own"
            )
        seen |= ids


def _check_columns(path: Path, parser: RowParser, row: dict[str, Any]) -> None:
    if missing := [parser.column(name) for name in REQUIRED if parser.column(name) not in row]:
        found = ", ".join(map(str, row))
        raise HistoryError(f"file {path.name}: no column {', '.join(missing)} among {found}; rename with columns in a mapping")


def refusal(path: Path, bad: Sequence[BadRow], count: int) -> str:
    """Why a file with `count` bad rows, of which `bad` are the first, is refused."""
    lines = [f"file {path.name}: {count} bad row{'s' if count > 1 else ''}; mend the file, or leave bad rows out (--skip-bad)"]
    lines += [f"  {problem}" for problem in bad[:PROBLEMS_SHOWN]]
    if count > PROBLEMS_SHOWN:
        lines.append(f"  and {count - PROBLEMS_SHOWN} more")
    return "\n".join(lines)


def _history(events: Sequence[Event], bad: tuple[BadRow, ...]) -> History:
    columns = dict(zip(Event._fields, zip(*events, strict=True), strict=True))
    return replace(_built(lambda name: np.array(columns[name], dtype=_COLUMN_TYPES[name])), skipped=bad)


def _sorted(history: History) -> History:
    order = np.lexsort((history.rank, history.time_ms))  # stable: the file's order stands within one instant and topic
    return replace(_built(lambda name: getattr(history, name)[order]), skipped=history.skipped)


def _built(column: Callable[[str], NDArray[Any]]) -> History:
    arrays: dict[str, Any] = {name: column(name) for name in _COLUMN_TYPES}
    return History(**arrays)
