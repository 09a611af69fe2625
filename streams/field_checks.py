"""What may be wrong with one field of an event, each with its reason code and a message that names the fix."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from streams.contract import END_TIME_MS, MAX_ID_CHARS, MIN_TIME_MS, EventRules, InputTopic, Rfc3339
from streams.dead_letters import DeadReason

SHOWN_CHARS = 60
_decode_time = msgspec.json.Decoder(Rfc3339).decode


class Refusal(NamedTuple):
    """Reason code and message for people."""

    reason: DeadReason
    message: str


class Field(NamedTuple):
    """One field as it was sent.

    value   parsed JSON; infinity for a number too large for a double
    raw     the field's own bytes
    """

    name: str
    value: Any
    raw: bytes

    def __str__(self) -> str:
        return f"{self.name} is {shown(self.raw)}"

    def is_number(self) -> bool:
        return isinstance(self.value, int | float) and not isinstance(self.value, bool)


Check = Callable[[Field, EventRules], Refusal | None]


def shown(raw: bytes) -> str:
    """The beginning of what was sent, fit for a message.

    >>> shown(b"x" * 100) == "x" * 60 + "…"
    True
    """
    text = raw[: 4 * SHOWN_CHARS].decode(errors="replace")
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"


def to_ms(time: datetime) -> int:
    """Milliseconds since 1970 UTC of an aware time; parts of a millisecond are cut off.

    >>> from datetime import timezone
    >>> to_ms(datetime(1970, 1, 1, 0, 0, 1, 999, tzinfo=timezone.utc))
    1000
    """
    return round(time.timestamp() * 1_000_000) // 1000


def parse_field(name: str, raw: bytes) -> Field | Refusal:
    """The field, or why its bytes are no JSON in UTF-8."""
    try:
        return Field(name, msgspec.json.decode(raw), raw)
    except msgspec.ValidationError:  # the one complaint about untyped JSON: a number beyond its range
        return Field(name, math.inf, raw)
    except (ValueError, RecursionError) as problem:
        return Refusal(DeadReason.NOT_JSON, f"{name} is not JSON in UTF-8 ({problem}); encode the event as UTF-8")


def check_id(field: Field, rules: EventRules) -> Refusal | None:
    refusal = check_text(field, rules)
    if refusal is None and not 1 <= len(field.value) <= MAX_ID_CHARS:
        return Refusal(DeadReason.BAD_ID, f"{field.name} has {len(field.value)} characters; send 1 to {MAX_ID_CHARS}")
    return refusal


def check_text(field: Field, _rules: EventRules) -> Refusal | None:
    return None if isinstance(field.value, str) else Refusal(DeadReason.WRONG_TYPE, f"{field}; send text in quotation marks")


def check_optional_text(field: Field, rules: EventRules) -> Refusal | None:
    return None if field.value is None else check_text(field, rules)


def check_time(field: Field, _rules: EventRules) -> Refusal | None:
    if isinstance(field.value, str):
        try:
            time_ms = to_ms(_decode_time(field.raw))
        except msgspec.ValidationError:
            return _why_bad_time(field)
    elif isinstance(field.value, int) and not isinstance(field.value, bool):
        time_ms = field.value
    else:
        fix = "send RFC 3339 text with offset, or whole milliseconds since 1970 without a decimal point"
        return Refusal(DeadReason.WRONG_TYPE, f"{field}; {fix}")
    if MIN_TIME_MS <= time_ms < END_TIME_MS:
        return None
    hint = "; if these are seconds, send milliseconds" if MIN_TIME_MS <= time_ms * 1000 < END_TIME_MS else ""
    return Refusal(DeadReason.TIME_OUT_OF_RANGE, f"{field}; send a time from 1980 to 2099{hint}")


def _why_bad_time(field: Field) -> Refusal:
    try:
        _decode_time(msgspec.json.encode(field.value + "Z"))
    except msgspec.ValidationError:
        return Refusal(DeadReason.BAD_TIME, f"{field}; send RFC 3339 such as 2026-01-31T12:00:00+01:00")
    return Refusal(DeadReason.NO_OFFSET_IN_TIME, f"{field}, a time without offset; end it with Z or +hh:mm")


def check_amount(field: Field, _rules: EventRules) -> Refusal | None:
    if not field.is_number():
        return Refusal(DeadReason.WRONG_TYPE, f"{field}; send a number without quotation marks")
    try:
        msgspec.json.decode(field.raw, type=float)
    except msgspec.ValidationError:
        return Refusal(DeadReason.AMOUNT_OUT_OF_RANGE, f"{field}; no order is that large: check the producer")
    return None


def check_currency(field: Field, rules: EventRules) -> Refusal | None:
    refusal = check_text(field, rules)
    if refusal is None and field.value not in rules.factors:
        known = ", ".join(sorted(rules.factors))
        return Refusal(DeadReason.UNKNOWN_CURRENCY, f"{field}; send one of {known}, or add its rate to money.rates")
    return refusal


def check_severity(field: Field, _rules: EventRules) -> Refusal | None:
    if field.value is None or (field.is_number() and isinstance(field.value, int) and 1 <= field.value <= 5):
        return None
    return Refusal(DeadReason.BAD_SEVERITY, f"{field}; send a whole number from 1 to 5, or leave it out")


_COMMON: Mapping[str, Check] = {"event_id": check_id, "customer_id": check_id, "occurred_at": check_time}

REQUIRED: Mapping[InputTopic, Mapping[str, Check]] = {
    "purchases": {**_COMMON, "amount": check_amount, "currency": check_currency},
    "complaints": _COMMON,
    "logins": _COMMON,
    "cancellations": _COMMON,
}
OPTIONAL: Mapping[InputTopic, Mapping[str, Check]] = {
    "purchases": dict.fromkeys(("order_id", "channel", "product"), check_optional_text),
    "complaints": {"severity": check_severity, **dict.fromkeys(("category", "text", "channel"), check_optional_text)},
    "logins": dict.fromkeys(("device", "session_id"), check_optional_text),
    "cancellations": {"reason": check_optional_text},
}
