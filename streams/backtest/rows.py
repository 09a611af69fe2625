"""One row of a history file -> one event, or the reason why not."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping as Row
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import xxhash

from streams.backtest.mapping import COLUMNS, TYPES, Mapping, is_currency
from streams.columns import CANCELLATION, COMPLAINT, LOGIN, PURCHASE, REFUND
from streams.contract import DEFAULT_SEVERITY, END_TIME_MS, MAX_ID_CHARS, MIN_TIME_MS

KINDS = {"purchase": PURCHASE, "refund": REFUND, "complaint": COMPLAINT, "login": LOGIN, "cancellation": CANCELLATION}
MAX_CATEGORY_CHARS = 1_000
MAX_TEXT_CHARS = 32_000
"""Longer texts of a complaint would not fit the value that the topics' contract allows."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"\d{1,15}", re.ASCII)


class Event(NamedTuple):
    """One event of a history.

    kind      PURCHASE, COMPLAINT, LOGIN, REFUND or CANCELLATION
    time_ms   ms since 1970 UTC
    amount    in `currency`; >= 0 for a purchase, > 0 for a refund, else 0
    currency  ISO 4217; "" where there is no amount
    severity  1-5 for complaints, else 0
    category, text   of a complaint; "" where absent
    event_id  the file's, or made from row number and content
    row       number of the file's row, from 1, a header not counted
    """

    customer: str
    kind: int
    time_ms: int
    amount: float
    currency: str
    severity: int
    category: str
    text: str
    event_id: str
    row: int


class BadRow(NamedTuple):
    """Why a row is not an event: row number from 1, field, its value, and what to do."""

    row: int
    field: str
    value: str
    fix: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.field} = {self.value}: {self.fix}"


class RowError(ValueError):
    """A field cannot be used."""

    def __init__(self, field: str, value: object, fix: str) -> None:
        super().__init__(field, value, fix)
        self.field, self.value, self.fix = field, value, fix

    def at(self, row: int) -> BadRow:
        """The same, with its row; a long value is cut."""
        shown = repr(self.value)
        return BadRow(row, self.field, shown if len(shown) <= 60 else shown[:57] + "...", self.fix)


class RowParser:
    """Turns rows into events as one mapping says. Raises RowError for a row that is none."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._zone = None if mapping.time_zone is None else ZoneInfo(mapping.time_zone)
        self._names = {ours: mapping.columns.get(ours, ours) for ours in COLUMNS}

    def column(self, ours: str) -> str:
        """What the file calls our column `ours`."""
        return self._names[ours]

    def event(self, row: Row[str, Any], number: int) -> Event:
        """The event in `row`, the file's `number`-th."""
        kind = self._kind(row)
        customer = self._id(row, "customer_id", self._mapping.id_prefix)
        time_ms = self._time_ms(row)
        amount, currency = 0.0, ""
        if kind in (PURCHASE, REFUND):
            amount, currency = self._amount(row), self._currency(row)
            if kind == PURCHASE and amount < 0:
                kind = REFUND
            if kind == REFUND and amount == 0:
                raise RowError(self.column("amount"), row.get(self.column("amount")), "a refund needs an amount other than 0")
        severity, category, text = 0, "", ""
        if kind == COMPLAINT:
            severity = self._severity(row)
            category, text = self._text(row, "category", MAX_CATEGORY_CHARS), self._text(row, "text", MAX_TEXT_CHARS)
        event = Event(customer, kind, time_ms, abs(amount), currency, severity, category, text, "", number)
        return event._replace(event_id=self._id(row, "event_id") if self._has(row, "event_id") else _made_id(event))

    def _has(self, row: Row[str, Any], ours: str) -> bool:
        value = row.get(self._names[ours])
        return value is not None and value != ""

    def _kind(self, row: Row[str, Any]) -> int:
        given = row.get(self._names["type"])
        value = self._mapping.default_type if given is None or given == "" else given
        if not isinstance(value, str):
            raise RowError(self._names["type"], given, f"write one of {', '.join(TYPES)}, or give default_type in a mapping")
        kind = KINDS.get(self._mapping.types.get(value, value) if self._mapping.types else value)
        if kind is not None:
            return kind
        raise RowError(self._names["type"], value, f"write one of {', '.join(TYPES)}, or map the value with types in a mapping")

    def _id(self, row: Row[str, Any], ours: str, prefix: str = "") -> str:
        value = row.get(self._names[ours])
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not value:
            raise RowError(self._names[ours], value, "an id is text of 1-128 characters or a whole number")
        if len(prefix) + len(value) > MAX_ID_CHARS:
            raise RowError(self._names[ours], value, f"shorten it to at most {MAX_ID_CHARS - len(prefix)} characters")
        return prefix + value

    def _time_ms(self, row: Row[str, Any]) -> int:
        name = self._names["occurred_at"]
        value = row.get(name)
        try:
            moment = self._moment(value)
        except (ValueError, OverflowError):
            form = self._mapping.time_format or "2009-12-01T07:45:00+00:00 or epoch milliseconds"
            raise RowError(name, value, f"write the time as {form}") from None
        if isinstance(moment, datetime):
            if moment.tzinfo is None:
                if self._zone is None:
                    raise RowError(name, value, "the time has no offset; add one (…Z, …+01:00), or give time_zone in a mapping")
                moment = moment.replace(tzinfo=self._zone)
            moment = (moment - _EPOCH) // _MS
        if MIN_TIME_MS <= moment < END_TIME_MS:
            return moment
        fix = "the time must lie in 1980 to 2099; for epoch seconds or yyyymmdd give time_format in a mapping"
        raise RowError(name, value, fix)

    def _moment(self, value: Any) -> datetime | int:
        """A time as the value gives it, or ms since 1970. Raises ValueError, OverflowError."""
        if isinstance(value, datetime):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not value:
            raise ValueError
        if self._mapping.time_format == "epoch_s":
            return round(float(value) * 1000)
        if self._mapping.time_format is not None:
            return datetime.strptime(value, self._mapping.time_format)
        if _INTEGER.fullmatch(value):
            return int(value)
        return datetime.fromisoformat(value)

    def _amount(self, row: Row[str, Any]) -> float:
        value = row.get(self._names["amount"])
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        if isinstance(value, str) and _NUMBER.fullmatch(value) and math.isfinite(float(value)):
            return float(value)
        raise RowError(self._names["amount"], value, "write a plain number such as 19.99")

    def _currency(self, row: Row[str, Any]) -> str:
        value = row.get(self._names["currency"])
        code = self._mapping.currency if value is None or value == "" else value
        if isinstance(code, str) and is_currency(code):
            return code
        raise RowError(self._names["currency"], value, "write an ISO 4217 code such as EUR, or give currency in a mapping")

    def _severity(self, row: Row[str, Any]) -> int:
        if not self._has(row, "severity"):
            return DEFAULT_SEVERITY
        value = row[self._names["severity"]]
        if not isinstance(value, bool) and str(value) in ("1", "2", "3", "4", "5"):
            return int(value)
        raise RowError(self._names["severity"], value, "write a whole number from 1 to 5")

    def _text(self, row: Row[str, Any], ours: str, limit: int) -> str:
        value = row.get(self._names[ours])
        if value is None:
            return ""
        if isinstance(value, str) and len(value) <= limit:
            return value
        raise RowError(self._names[ours], value, f"write text of at most {limit} characters")


def _made_id(event: Event) -> str:
    """An id for a row that brings none. Two equal rows differ by their number, so both count."""
    content = "\x1f".join(map(repr, event[:8])).encode()
    return f"{event.row}-{xxhash.xxh3_64_hexdigest(content)}"
