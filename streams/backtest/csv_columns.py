"""A part of a CSV file as columns of events, three times as fast as row by row.

Only parts all of whose rows are of the usual kind: times in UTC or epoch milliseconds, nothing missing, nothing out of range. Of
any other part it is said that it must be read row by row (`rows.RowParser`), which knows every case and every message. What both
can read they read alike, made event ids included; tests hold them together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from streams.backtest.mapping import COLUMNS, Mapping, is_currency
from streams.backtest.rows import KINDS, MAX_CATEGORY_CHARS, MAX_TEXT_CHARS, Event
from streams.columns import COMPLAINT, PURCHASE, REFUND
from streams.contract import DEFAULT_SEVERITY, END_TIME_MS, MAX_ID_CHARS, MIN_TIME_MS

Texts = Sequence[str]

_UTC = re.compile(r"(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{3})?Z\n)*", re.ASCII)
_LOCAL = re.compile(r"(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{3})?\n)*", re.ASCII)
_EPOCH_MS = re.compile(r"(?:\d{1,15}\n)*", re.ASCII)
_NUMBERS = re.compile(r"(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\n)*", re.ASCII)
_SEVERITIES = {"": DEFAULT_SEVERITY} | {str(level): level for level in range(1, 6)}


class EventColumns(NamedTuple):
    """Events column by column; fields as in `rows.Event`."""

    customer: Texts
    kind: NDArray[np.uint8]
    time_ms: NDArray[np.int64]
    amount: NDArray[np.float64]
    currency: Texts
    severity: NDArray[np.uint8]
    category: Texts
    text: Texts
    event_id: Texts
    row: NDArray[np.int64]


class Unusual(Exception):
    """A part that must be read row by row."""


def as_columns(events: Sequence[Event]) -> EventColumns:
    """Events (at least one) that were read row by row."""
    customer, kind, time_ms, amount, currency, severity, category, text, event_id, row = zip(*events, strict=True)
    numbers = np.array(kind, np.uint8), np.array(time_ms, np.int64), np.array(amount, np.float64)
    levels, number = np.array(severity, np.uint8), np.array(row, np.int64)
    return EventColumns(customer, *numbers, currency, levels, category, text, event_id, number)


class CsvColumns:
    """mapping   how the file's columns and values become ours
    names     of the file's columns
    """

    def __init__(self, mapping: Mapping, names: Sequence[str]) -> None:
        self._mapping = mapping
        self._place = {ours: names.index(theirs) for ours in COLUMNS if (theirs := mapping.columns.get(ours, ours)) in names}
        self._width = len(names)

    def read(self, rows: Sequence[Sequence[str]], first_row: int) -> EventColumns:
        """The events of these rows (at least one), the first of which is the file's `first_row`-th. Raises Unusual."""
        if not all(len(row) == self._width for row in rows):
            raise Unusual
        columns = list(zip(*rows, strict=True))
        given = {ours: columns[place] for ours, place in self._place.items()}
        blank = ("",) * len(rows)
        kind = self._kinds(given.get("type", blank))
        customer, time_ms = self._customers(given.get("customer_id", blank)), self._times(given.get("occurred_at", blank))
        amount, kind = _amounts(given.get("amount", blank), kind)
        currency = self._currencies(given.get("currency", blank), kind)
        severity = _of_complaints(given.get("severity", blank), kind, _severities)
        number = np.arange(first_row, first_row + len(rows), dtype=np.int64)
        category, text = (
            _texts(given.get(name, blank), kind, limit)
            for name, limit in (("category", MAX_CATEGORY_CHARS), ("text", MAX_TEXT_CHARS))
        )
        own_id = given.get("event_id", blank)
        found = EventColumns(customer, kind, time_ms, amount, currency, severity, category, text, own_id, number)
        return found._replace(event_id=_event_ids(found))

    def _kinds(self, given: Texts) -> NDArray[np.uint8]:
        types, default = self._mapping.types, self._mapping.default_type
        codes = {value: KINDS.get(types.get(value or default, value or default)) for value in set(given)}  # type: ignore[arg-type]
        if None in codes.values():
            raise Unusual
        return np.array([codes[value] for value in given], np.uint8)

    def _customers(self, given: Texts) -> Texts:
        prefix = self._mapping.id_prefix
        if not 1 <= min(map(len, given)) <= max(map(len, given)) <= MAX_ID_CHARS - len(prefix):
            raise Unusual
        return [prefix + one for one in given] if prefix else given

    def _times(self, given: Texts) -> NDArray[np.int64]:
        """Times in ms since 1970."""
        mapping, together = self._mapping, _lines(given)
        if mapping.time_format is not None:
            raise Unusual
        if _EPOCH_MS.fullmatch(together):
            time_ms = np.array(list(map(int, given)), np.int64)
        elif _UTC.fullmatch(together):
            time_ms = _parsed(together.replace("Z\n", "\n").split("\n")[:-1])
        elif mapping.time_zone == "UTC" and _LOCAL.fullmatch(together):
            time_ms = _parsed(given)
        else:
            raise Unusual
        if not ((time_ms >= MIN_TIME_MS) & (time_ms < END_TIME_MS)).all():
            raise Unusual
        return time_ms

    def _currencies(self, given: Texts, kind: NDArray[np.uint8]) -> Texts:
        default = self._mapping.currency or ""
        paid = ((kind == PURCHASE) | (kind == REFUND)).tolist()
        found = [(code or default) if pays else "" for code, pays in zip(given, paid, strict=True)]
        if not all(is_currency(code) for code in set(found) - {""}) or any(
            pays and not code for code, pays in zip(found, paid, strict=True)
        ):
            raise Unusual
        return found


def _lines(texts: Texts) -> str:
    """One text a line, to be matched at once."""
    together = "\n".join([*texts, ""])
    if together.count("\n") != len(texts):
        raise Unusual
    return together


def _parsed(times: Texts) -> NDArray[np.int64]:
    try:
        return np.array(times, "datetime64[ms]").astype(np.int64)
    except ValueError:  # the 30th of February
        raise Unusual from None


def _amounts(given: Texts, kind: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Amounts, 0 where there is none; and kinds, a negative purchase being a refund."""
    at = np.flatnonzero((kind == PURCHASE) | (kind == REFUND))
    texts = [given[k] for k in at.tolist()]
    if not _NUMBERS.fullmatch(_lines(texts)):
        raise Unusual
    paid = np.array(list(map(float, texts)), np.float64)
    kind = kind.copy()
    kind[at[paid < 0]] = REFUND
    if not np.isfinite(paid).all() or (paid[kind[at] == REFUND] == 0).any():
        raise Unusual
    amount = np.zeros(len(kind))
    amount[at] = np.abs(paid)
    return amount, kind


def _of_complaints(given: Texts, kind: NDArray[np.uint8], read: Callable[[list[str]], list[int]]) -> NDArray[np.uint8]:
    found, at = np.zeros(len(kind), np.uint8), np.flatnonzero(kind == COMPLAINT)
    found[at] = read([given[k] for k in at.tolist()])
    return found


def _severities(given: list[str]) -> list[int]:
    try:
        return [_SEVERITIES[value] for value in given]
    except KeyError:
        raise Unusual from None


def _texts(given: Texts, kind: NDArray[np.uint8], limit: int) -> Texts:
    """Texts of complaints, "" elsewhere."""
    at = np.flatnonzero(kind == COMPLAINT).tolist()
    found = [""] * len(given)
    for k in at:
        if len(given[k]) > limit:
            raise Unusual
        found[k] = given[k]
    return found


def _event_ids(found: EventColumns) -> Texts:
    """The file's own ids, or ids made from row number and content, as `rows` makes them."""
    given = found.event_id
    if max(map(len, given)) > MAX_ID_CHARS:
        raise Unusual
    if all(given):
        return given
    content: Any = zip(
        given, found.row.tolist(), found.customer, found.kind.tolist(), found.time_ms.tolist(), found.amount.tolist(),
        found.currency, found.severity.tolist(), found.category, found.text, strict=True,
    )  # fmt: skip
    return [own or f"{row}-{_digest(*made)}" for own, row, *made in content]


def _digest(who: str, kind: int, time_ms: int, amount: float, money: str, level: int, what: str, said: str) -> str:
    content = f"{who!r}\x1f{kind}\x1f{time_ms}\x1f{amount!r}\x1f{money!r}\x1f{level}\x1f{what!r}\x1f{said!r}"
    return xxhash.xxh3_64_hexdigest(content.encode())
