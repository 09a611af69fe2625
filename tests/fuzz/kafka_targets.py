"""Readers of topics: events, the clock topic, alerts and triggers, parameters, dead letters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from alerts.alert import Alert, Digest, decode_any, encode
from alerts.channels.alertmanager_alerts import posted
from alerts.render import card, digest_line, headline, ingestion_line
from alerts.selection import known_as, select
from alerts.trigger_event import decode_trigger, encode_trigger
from detectors import parameters
from detectors.cause_model import CauseModel
from streams import dead_letters
from streams.columns import COMPLAINT, PURCHASE, REFUND, Columns
from streams.contract import END_TIME_MS, MIN_TIME_MS, EventRules, InputTopic
from streams.events import decode_chunk, decode_ticks, tick_columns
from streams.money import MAX_AMOUNT_MINOR
from streams.refusals import why_refused
from streams.runtime.cause_files import shipped_snapshot
from tests.fuzz.mutations import mangled_bytes, mangled_json
from tests.fuzz.target import Target, only_raises
from tests.support.golden import of_kind
from tests.support.records import APPENDED_MS, FakeRecord

RULES = EventRules("USD", {"EUR": 1.25, "JPY": 0.007}, skew_ms=600_000, causes=CauseModel(shipped_snapshot()))
Raw = tuple[bytes | None, bytes | None, int, int]
"""Key, value, timestamp and its type."""

EVENTS: Mapping[InputTopic, Mapping[str, Any]] = {
    "purchases": {"amount": 12.5, "currency": "EUR", "order_id": "o", "channel": None, "product": "p"},
    "complaints": {"severity": 4, "category": "late", "text": "\u4e0d\u597d", "channel": None},
    "logins": {"device": "phone", "session_id": "s"},
    "cancellations": {"reason": "\u642c\u5bb6"},
}
TICKS = (
    {"type": "tick", "at_ms": APPENDED_MS, "offsets": {"purchases": 5, "logins": 0}},
    {"type": "go_live", "at_ms": APPENDED_MS, "offsets": {"purchases": 5}},
    {"type": "heartbeat", "at_ms": APPENDED_MS},
)


def _raw(value: str, key: bytes, random: Random) -> Raw:
    data: bytes | None = value.encode(errors="surrogatepass")
    if random.random() < 0.4:
        data = mangled_bytes(data or b"", random)
    if random.random() < 0.02:
        data = random.choice((None, b"", b" " * (256 * 1024 + 1), b'"' + b"x" * (256 * 1024)))
    if random.random() < 0.1:
        key = random.choice((b"", b"\xff", b"c2", key + b"\0", "e\u0301".encode()))
    stamp_ms = APPENDED_MS + random.choice((0, 0, -1, 1, 10**15))
    return None if random.random() < 0.02 else key, data, stamp_ms, random.choice((1, 1, 0))


def _some(one: Callable[[Random], Raw]) -> Callable[[Random], list[Raw]]:
    return lambda random: [one(random) for _ in range(random.randrange(1, 5))]


def _event(topic: InputTopic) -> Callable[[Random], Raw]:
    def one(random: Random) -> Raw:
        skewed = (APPENDED_MS + 600_000, APPENDED_MS + 600_001)
        at = random.choice((APPENDED_MS, *skewed, "2023-11-14T22:13:20.999999Z", MIN_TIME_MS))
        customer = random.choice(("c1", "c1", "\u00e9", "\U0001f600", "x" * 128))
        event = {"event_id": "e1", "customer_id": customer, "occurred_at": at, **EVENTS[topic], "else": {"a": [1]}}
        return _raw(mangled_json(event, random, random.choice((0.0, 0.03, 0.1, 0.3))), customer.encode(), random)

    return one


def _tick(random: Random) -> Raw:
    return _raw(mangled_json(random.choice(TICKS), random, random.choice((0.0, 0.1, 0.3))), b"3", random)


def _records(topic: str, raws: Sequence[Raw]) -> list[FakeRecord]:
    return [FakeRecord(topic, 3, 10 + 2 * k, stamp, kind, key, value) for k, (key, value, stamp, kind) in enumerate(raws)]


def _check_events(topic: InputTopic) -> Callable[[list[Raw]], None]:
    def check(raws: list[Raw]) -> None:
        """One row or one dead letter each, by both ways of reading; wherever the chunk is cut; and no row that cannot be."""
        records = _records(topic, raws)
        decoded = decode_chunk(topic, records, RULES, APPENDED_MS)
        rows = {int(offset): k for k, offset in enumerate(decoded.columns.offset)}
        dead = {letter.offset: letter for letter in decoded.dead}
        assert sorted([*rows, *dead]) == [record.offset for record in records]
        for record in records:
            refusal = why_refused(topic, record, RULES, APPENDED_MS)
            assert (refusal is None) == (record.offset in rows)
            if refusal is None:
                _believable(topic, record, decoded.columns, rows[record.offset])
            else:
                assert dead[record.offset].reason == refusal.reason
                assert len(dead_letters.encode(dead[record.offset])) <= 700_000
        parts = [decode_chunk(topic, [record], RULES, APPENDED_MS) for record in records]
        assert [letter for part in parts for letter in part.dead] == decoded.dead
        together = Columns.concat([part.columns for part in parts])
        for name in Columns.__slots__:
            assert getattr(together, name).tolist() == getattr(decoded.columns, name).tolist()

    return check


def _believable(topic: InputTopic, record: FakeRecord, columns: Columns, at: int) -> None:
    # by another parser, which would refuse whole numbers of more than 4,300 digits
    said = json.loads(record.value or b"", parse_int=lambda digits: int(digits[:400]))
    assert columns.customer[at] == said["customer_id"] == (record.key or b"").decode()
    assert columns.event_id[at] == said["event_id"]
    assert MIN_TIME_MS <= columns.time_ms[at] < END_TIME_MS
    if isinstance(said["occurred_at"], int):
        assert columns.time_ms[at] == said["occurred_at"]
    assert 0 <= columns.amount_minor[at] <= MAX_AMOUNT_MINOR
    if topic == "purchases":
        assert columns.kind[at] == (REFUND if said["amount"] < 0 else PURCHASE)
        assert columns.amount_minor[at] == round(abs(float(said["amount"])) * RULES.factors[said["currency"]])
    if topic == "complaints":
        assert (columns.kind[at], columns.severity[at]) == (COMPLAINT, said.get("severity") or 3)


def _check_ticks(raws: list[Raw]) -> None:
    """One tick or one dead letter each, and rows for ticks and switches alone."""
    records = _records("churn.clock", raws)
    ticks, dead = decode_ticks(records)
    assert sorted([*(tick.offset for tick in ticks), *(letter.offset for letter in dead)]) == [r.offset for r in records]
    assert all(MIN_TIME_MS <= tick.at_ms < END_TIME_MS and min(tick.offsets.values(), default=0) >= 0 for tick in ticks)
    assert all(record.key == b"3" for record in records if record.offset in {tick.offset for tick in ticks})
    assert len(tick_columns(ticks)) == sum(tick.kind != "heartbeat" for tick in ticks)


def _check_message(data: bytes) -> None:
    """A message that a channel tells, or msgspec.DecodeError; and telling it raises nothing."""
    message = only_raises(lambda: decode_any(data), msgspec.DecodeError)
    if message is None:
        return
    assert decode_any(encode(message)) == message
    select(message, "watch")
    known_as(message)
    posted(message, APPENDED_MS, system="shop")
    lines = (headline(message), card(message)) if isinstance(message, Alert) else (
        (digest_line(message),) if isinstance(message, Digest) else (ingestion_line(message),)
    )  # fmt: skip
    assert not any("\n" in line for line in lines[:1]), "one alert is one line"
    json.dumps(lines)


def _check_trigger(data: bytes) -> None:
    trigger = only_raises(lambda: decode_trigger(data), msgspec.DecodeError)
    assert trigger is None or decode_trigger(encode_trigger(trigger)) == trigger


def _check_parameters(data: bytes) -> None:
    found = only_raises(lambda: parameters.loads(data), ValueError)
    assert found is None or parameters.loads(parameters.dumps(found)) == found


def _check_letter(data: bytes) -> None:
    letter = only_raises(lambda: dead_letters.decode(data), msgspec.DecodeError)
    if letter is not None:
        assert len(dead_letters.encode(letter, 1 << 22)) > 0


def _mangled(*kinds: str) -> Callable[[Random], bytes]:
    """One of the golden messages of these kinds, mangled."""
    texts = [example["text"] for kind in kinds for example in of_kind(kind)[-1].examples]

    def make(random: Random) -> bytes:
        text = mangled_json(json.loads(random.choice(texts)), random, random.choice((0.0, 0.02, 0.1, 0.3)))
        data = text.encode(errors="surrogatepass")
        return mangled_bytes(data, random) if random.random() < 0.4 else data

    return make


TARGETS: Mapping[str, Target] = {
    **{topic: Target(_some(_event(topic)), _check_events(topic), list[Raw]) for topic in EVENTS},
    "clock": Target(_some(_tick), _check_ticks, list[Raw]),
    "alerts": Target(_mangled("alert", "ingestion-alert", "digest"), _check_message),
    "triggers": Target(_mangled("trigger"), _check_trigger),
    "parameters": Target(_mangled("parameters"), _check_parameters),
    "dead-letters": Target(_mangled("dead-letter"), _check_letter),
}
