"""History files into an event log: row by row, whatever their length.

What is kept in memory are the customers' ids. Same files, same options: same log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from streams.backtest.csv_columns import CsvColumns, EventColumns, Unusual, as_columns
from streams.backtest.event_ids import EventIds
from streams.backtest.event_log import EventLog
from streams.backtest.event_rows import event_rows
from streams.backtest.files import file_format, named, read_csv_parts
from streams.backtest.history import PROBLEMS_SHOWN, BadRow, HistoryError, each_event, parsed, refusal
from streams.backtest.ids_apart import check_ids_apart
from streams.backtest.mapping import Mapping, Source
from streams.backtest.numbered import NumberedCustomers
from streams.backtest.rows import RowParser
from streams.contract import EventRules

ROWS_A_PART = 2_000
"""Rows that are texts at one time: more only give the garbage collector work, a third of all the reading."""

Progress = Callable[[int], None]
"""Called now and then with the number of rows read."""


@dataclass(slots=True)
class BadRows:
    """How many rows were bad, and the first of them."""

    count: int = 0
    first: list[BadRow] = field(default_factory=list)

    def add(self, row: BadRow) -> None:
        self.count += 1
        if len(self.first) < PROBLEMS_SHOWN:
            self.first.append(row)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A history on disk.

    log         its events
    customers   whose they are
    money       how amounts were read
    skipped     rows left out
    event_ids   of the events, where they were asked for
    """

    log: EventLog
    customers: NumberedCustomers
    money: EventRules
    skipped: BadRows
    event_ids: EventIds | None = None


def load(
    sources: Sequence[Source],
    folder: Path,
    rules: EventRules,
    *,
    skip_bad: bool = False,
    any_currency: bool = True,
    keep_ids: bool = False,
    progress: Progress = lambda _rows: None,
) -> Loaded:
    """Read files into a log in `folder`, an empty one.

    rules          what the system accepts; how far an event may be dated ahead is not asked of history
    skip_bad       leave bad rows out, where otherwise one bad row refuses the file
    any_currency   a history in one currency for which `rules` have no rate is taken in that currency
    keep_ids       whether alerts are to name the events
    Raises HistoryError: a file cannot be read, holds no event, has bad rows, or amounts that the system would not accept;
    and where the disk is full.
    """
    event_ids = EventIds(folder) if keep_ids else None
    loader = _Loader(EventLog(folder), event_ids, rules, any_currency, progress)
    for source in sources:
        good, bad = loader.read(source)
        if bad.count and not skip_bad:
            raise HistoryError(refusal(source.path, bad.first, bad.count))
        if not good:
            raise HistoryError(f"file {source.path.name}: holds no usable event")
    check_ids_apart(loader.log, loader.starts, [source.path.name for source in sources])
    return Loaded(loader.log, loader.customers, loader.money, loader.skipped, event_ids)


class _Loader:
    """log, customers, money, skipped   as in Loaded;  starts   number of each file's first row among all of all files"""

    def __init__(
        self, log: EventLog, event_ids: EventIds | None, rules: EventRules, any_currency: bool, progress: Progress
    ) -> None:
        self.log, self.customers, self.money, self.skipped = log, NumberedCustomers(), rules, BadRows()
        self.starts: list[int] = []
        self._event_ids, self._undecided, self._progress, self._rows = event_ids, any_currency, progress, 0

    def read(self, source: Source) -> tuple[int, BadRows]:
        """Take in a file; returns how many events it has, and what else was in it."""
        bad, start, good = BadRows(), self._rows, 0
        self.starts.append(start)
        for events in _parts(source, bad.add):
            try:
                self._add(events, start)
            except HistoryError as problem:
                raise HistoryError(f"file {source.path.name}: {problem}") from None
            good += len(events.row)
            self._progress(start + int(events.row[-1]))
        self._finish()
        self._rows += good + bad.count
        self.skipped.count += bad.count
        self.skipped.first += bad.first[: PROBLEMS_SHOWN - len(self.skipped.first)]
        return good, bad

    def _add(self, events: EventColumns, start: int) -> None:
        if self._undecided and (currency := next(filter(None, events.currency), None)):
            self.money, self._undecided = _knowing(currency, self.money), False
        rows = event_rows(events, start + int(events.row[0]) - 1, self.customers, self.money)
        with _on_disk():
            self.log.add(rows)
            if self._event_ids is not None:
                self._event_ids.add(rows["order"], events.event_id)

    def _finish(self) -> None:
        with _on_disk():
            self.log.finish()


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise HistoryError(
            f"the sorted events do not fit the temporary folder ({problem.strerror or problem}); name a larger one by TMPDIR"
        ) from None


def _parts(source: Source, on_bad: Callable[[BadRow], None]) -> Iterator[EventColumns]:
    """A file's events, some at a time; what is none goes to `on_bad`."""
    path, mapping = source.path, source.mapping
    if (mapping.format or file_format(path)) == "csv":
        yield from _csv_parts(path, mapping, on_bad)
        return
    events = each_event(path, mapping, on_bad)
    while part := list(islice(events, ROWS_A_PART)):
        yield as_columns(part)


def _csv_parts(path: Path, mapping: Mapping, on_bad: Callable[[BadRow], None]) -> Iterator[EventColumns]:
    first_row, parser = 1, RowParser(mapping)
    for names, rows in read_csv_parts(path, mapping, ROWS_A_PART):
        try:
            yield CsvColumns(mapping, names).read(rows, first_row)
        except Unusual:
            events = list(parsed((named(names, row) for row in rows), first_row, parser, path, on_bad))
            if events:
                yield as_columns(events)
        first_row += len(rows)


def _knowing(currency: str, rules: EventRules) -> EventRules:
    """The rules, or where they have no rate for a currency, rules that know that one alone."""
    return rules if currency in rules.factors else replace(rules, base_currency=currency, rates={currency: 1.0})
