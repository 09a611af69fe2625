"""History files into an event log: row by row, whatever their length.

What is kept in memory are the customers' ids. Same files, same options: same log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from streams.backtest.event_log import EventLog
from streams.backtest.event_rows import Rows, event_rows
from streams.backtest.history import PROBLEMS_SHOWN, BadRow, HistoryError, each_event, refusal
from streams.backtest.mapping import Source
from streams.backtest.numbered import NumberedCustomers
from streams.backtest.rows import Event
from streams.contract import EventRules

ROWS_A_RUN = 100_000

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
    """

    log: EventLog
    customers: NumberedCustomers
    money: EventRules
    skipped: BadRows


def load(
    sources: Sequence[Source],
    folder: Path,
    rules: EventRules,
    *,
    skip_bad: bool = False,
    any_currency: bool = True,
    progress: Progress = lambda _rows: None,
) -> Loaded:
    """Read files into a log in `folder`, an empty one.

    rules          what the system accepts; how far an event may be dated ahead is not asked of history
    skip_bad       leave bad rows out, where otherwise one bad row refuses the file
    any_currency   a history in one currency for which `rules` have no rate is taken in that currency
    Raises HistoryError: a file cannot be read, holds no event, has bad rows, or amounts that the system would not accept;
    and where the disk is full.
    """
    log, customers, skipped = EventLog(folder), NumberedCustomers(), BadRows()
    money, undecided, rows_before = rules, any_currency, 0
    for source in sources:
        bad, events_before = BadRows(), log.events
        for events in _parts(each_event(source.path, source.mapping, bad.add)):
            if undecided and (currency := next((event.currency for event in events if event.currency), None)):
                money, undecided = _knowing(currency, rules), False
            try:
                rows = event_rows(events, rows_before + events[0].row, customers, money)
            except HistoryError as problem:
                raise HistoryError(f"file {source.path.name}: {problem}") from None
            _add(log, rows)
            progress(rows_before + events[-1].row)
        if bad.count and not skip_bad:
            raise HistoryError(refusal(source.path, bad.first, bad.count))
        if log.events == events_before:
            raise HistoryError(f"file {source.path.name}: holds no usable event")
        rows_before += log.events - events_before + bad.count
        skipped.count += bad.count
        skipped.first += bad.first[: PROBLEMS_SHOWN - len(skipped.first)]
    return Loaded(log, customers, money, skipped)


def _parts(events: Iterable[Event]) -> Iterator[list[Event]]:
    rest = iter(events)
    while part := list(islice(rest, ROWS_A_RUN)):
        yield part


def _knowing(currency: str, rules: EventRules) -> EventRules:
    """The rules, or where they have no rate for a currency, rules that know that one alone."""
    return rules if currency in rules.factors else replace(rules, base_currency=currency, rates={currency: 1.0})


def _add(log: EventLog, rows: Rows) -> None:
    try:
        log.add(rows)
    except OSError as problem:
        raise HistoryError(
            f"the sorted events do not fit the temporary folder ({problem.strerror or problem}); name a larger one by TMPDIR"
        ) from None
