"""Kafka records in, columns and dead letters out.

A record becomes one row or one dead letter, never both and never neither, whatever its bytes are; one bad record costs
the others nothing. The same records give the same result in any chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest as _hash

from streams.columns import CANCELLATION, COMPLAINT, LOGIN, PURCHASE, REFUND, TOPIC_RANKS, Columns
from streams.complaint_causes import complaint_causes
from streams.contract import (
    DEFAULT_SEVERITY,
    END_TIME_MS,
    MAX_VALUE_BYTES,
    MIN_TIME_MS,
    STRUCTS,
    Event,
    EventRules,
    InputTopic,
    RawRecord,
    appended_at_ms,
)
from streams.dead_letters import DeadLetter, DeadReason, dead_letter
from streams.field_checks import Refusal
from streams.money import MAX_AMOUNT_MINOR
from streams.refusals import why_refused
from streams.ticks import Tick, decode_ticks, tick_columns

__all__ = ["Decoded", "EventRules", "RawRecord", "Tick", "decode_chunk", "decode_ticks", "tick_columns"]

SAMPLE_EVERY = 64
"""Unknown fields are counted in the first of so many events; counting them in all would cost a fifth of decoding."""

_DECODERS = {topic: msgspec.json.Decoder(struct).decode for topic, struct in STRUCTS.items()}
_KINDS = {"complaints": COMPLAINT, "logins": LOGIN, "cancellations": CANCELLATION}
_KNOWN = {topic: frozenset(struct.__struct_fields__) for topic, struct in STRUCTS.items()}
_field_names = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Decoded:
    """A chunk of records, judged.

    columns          the good ones, in the order of the records
    dead             the others, in the order of the records
    unknown_fields   fields outside the contract in a sample: the chunk's 1st, 65th, 129th … good event. More than 0 says
                     that producers send more than is read; it is no total
    """

    columns: Columns
    dead: list[DeadLetter]
    unknown_fields: int


def id_hash(rank: int, event_id: str) -> int:
    """What an event is recognised by: 64 bits of xxh3 over the topic rank's digit and the id.

    The rank is hashed and not used as xxh3's seed: a seed is only xor-ed into short inputs, so that the login "s7-7183" and the
    purchase "s7-5183" would be taken for one event.
    """
    return _hash(f"{rank}{event_id}".encode())


def decode_chunk(topic: InputTopic, records: Sequence[RawRecord], rules: EventRules, now_ms: int) -> Decoded:
    """Judge the records of one partition of an input topic.

    topic     name without prefix: it decides the type of event
    records   in offset order
    now_ms    this host's clock, ms; stands in for the append time where the broker does not stamp records
    Raises KeyError for another topic, and for no bytes whatever.
    """
    decode = _DECODERS[topic]
    kept: list[RawRecord] = []
    events: list[Any] = []
    failed: list[RawRecord] = []
    for record in records:
        value = record.value
        if value is not None and len(value) <= MAX_VALUE_BYTES:
            try:
                if not value.isascii():
                    value.decode()  # msgspec skips unknown fields unread; whether a record is good must not depend on that
                events.append(decode(value))
            except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, and so is UnicodeDecodeError
                failed.append(record)
            else:
                kept.append(record)
        else:
            failed.append(record)
    columns, bad = _judge(topic, kept, events, rules, now_ms)
    if bad.any():
        failed += [kept[i] for i in np.flatnonzero(bad)]
        failed.sort(key=lambda record: record.offset)
        good = np.flatnonzero(~bad)
        kept = [kept[i] for i in good]
        columns = columns.take(good)
    return Decoded(columns, [_bury(topic, record, rules, now_ms) for record in failed], _unknown_fields(topic, kept))


def _judge(
    topic: InputTopic, records: Sequence[RawRecord], events: Sequence[Any], rules: EventRules, now_ms: int
) -> tuple[Columns, NDArray[np.bool_]]:
    """The events as columns, and which of them break a rule that their shape does not show."""
    n, rank = len(events), TOPIC_RANKS[topic]
    customers = [event.customer_id for event in events]
    ids = [event.event_id for event in events]
    time_ms = _times(events)
    kind, amount_minor, bad = _kinds(topic, events, rules)
    bad |= (time_ms < MIN_TIME_MS) | (time_ms >= END_TIME_MS)
    bad |= np.fromiter((r.key != c.encode() for r, c in zip(records, customers, strict=True)), np.bool_, n)
    if rules.skew_ms is not None:
        bad |= time_ms > rules.skew_ms + np.fromiter((appended_at_ms(r, now_ms) for r in records), np.int64, n)
    columns = Columns(
        customer=np.array(customers, dtype=object),
        event_id=np.array(ids, dtype=object),
        kind=kind,
        time_ms=time_ms,
        amount_minor=amount_minor,
        severity=_severities(topic, events),
        cause=complaint_causes(events, rules.causes) if topic == "complaints" else np.zeros(n, np.uint8),
        id_hash=np.fromiter((_hash(f"{rank}{i}".encode()) for i in ids), np.uint64, n),
        rank=np.full(n, rank, np.uint8),
        offset=np.fromiter((r.offset for r in records), np.int64, n),
    )
    return columns, bad


def _times(events: Sequence[Event]) -> NDArray[np.int64]:
    """When the events happened, ms since 1970 UTC, parts of a millisecond cut off."""
    mixed = [event.occurred_at for event in events]
    micros = [time * 1000.0 if isinstance(time, int) else time.timestamp() * 1e6 for time in mixed]
    return np.rint(np.array(micros, np.float64)).astype(np.int64) // 1000


def _kinds(
    topic: InputTopic, events: Sequence[Any], rules: EventRules
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]:
    """Kind, amount in minor units of the base currency, and whether that amount cannot be believed."""
    n = len(events)
    if topic != "purchases":
        return np.full(n, _KINDS[topic], np.uint8), np.zeros(n, np.int64), np.zeros(n, np.bool_)
    amount = np.array([event.amount for event in events], np.float64)
    factor = rules.factors.get
    with np.errstate(over="ignore"):
        minor = np.rint(np.abs(amount) * np.array([factor(event.currency, np.nan) for event in events], np.float64))
    bad = ~(minor <= MAX_AMOUNT_MINOR)  # NaN, the mark of an unknown currency, compares false
    kind = np.where(amount < 0, REFUND, PURCHASE).astype(np.uint8)
    return kind, np.where(bad, 0, minor).astype(np.int64), bad


def _severities(topic: InputTopic, events: Sequence[Any]) -> NDArray[np.uint8]:
    if topic != "complaints":
        return np.zeros(len(events), np.uint8)
    return np.array([DEFAULT_SEVERITY if event.severity is None else event.severity for event in events], np.uint8)


def _bury(topic: InputTopic, record: RawRecord, rules: EventRules, now_ms: int) -> DeadLetter:
    refusal = why_refused(topic, record, rules, now_ms)
    if refusal is None:  # a property test holds that the two paths agree; were they not to, the record must still not be lost
        refusal = Refusal(DeadReason.WRONG_TYPE, f"the value does not fit the contract of {topic}; see the schema")
    return dead_letter(record, refusal.reason, refusal.message)


def _unknown_fields(topic: InputTopic, kept: Sequence[RawRecord]) -> int:
    return sum(_count_unknown(record.value, _KNOWN[topic]) for record in kept[::SAMPLE_EVERY] if record.value)


def _count_unknown(value: bytes, known: frozenset[str]) -> int:
    try:
        return len(_field_names(value).keys() - known)
    except RecursionError:  # nested to within a call of the limit: the event is good, so what hangs so deep is unknown
        return 1
