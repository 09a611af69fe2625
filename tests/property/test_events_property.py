"""Whatever the bytes: one row or one dead letter a record, and both ways of reading a record agree."""

from __future__ import annotations

import json
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.cause_model import CauseModel
from streams.events import EventRules, decode_chunk
from streams.refusals import why_refused
from streams.runtime.cause_files import shipped_snapshot
from tests.support.records import APPENDED_MS, FakeRecord, record, valid

RULES = EventRules("USD", {"EUR": 1.25}, skew_ms=600_000, causes=CauseModel(shipped_snapshot()))
Topic = Literal["purchases", "complaints", "logins", "cancellations"]
topics: st.SearchStrategy[Topic] = st.sampled_from(["purchases", "complaints", "logins", "cancellations"])
_SHARED = ("event_id", "customer_id", "occurred_at")
NAMES = (*_SHARED, "amount", "currency", "severity", "text", "order_id", "device", "reason", "other")

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["c1", "USD", "EUR", 3, APPENDED_MS, APPENDED_MS + 600_000, APPENDED_MS + 600_001, 10**12, -(10**14), 1e13])
    | st.datetimes().map(lambda time: time.isoformat())
    | st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat())
    | st.integers(120, 140).map("x".__mul__)
)
odd_fields = st.dictionaries(st.sampled_from(NAMES), scalars | st.lists(scalars, max_size=2) | st.just(...), max_size=3)


@st.composite
def records(draw: st.DrawFn, topic: Topic) -> FakeRecord:
    """Valid events, events with odd fields, bytes cut or changed somewhere, and bytes that were never an event."""
    changes: dict[str, Any] = draw(odd_fields)
    whole = valid(topic, **changes)
    value = whole.value or b""
    how = draw(st.sampled_from(["whole", "whole", "cut", "changed", "rubbish", "foreign key"]))
    if how == "cut":
        value = value[: draw(st.integers(0, len(value)))]
    elif how == "changed":
        place = draw(st.integers(0, len(value) - 1))
        value = value[:place] + draw(st.binary(min_size=1, max_size=2)) + value[place + 1 :]
    elif how == "rubbish":
        value = draw(st.binary(max_size=40) | st.text(alphabet='{}[]",:0', max_size=12).map(str.encode))
    return record(topic, value, key=draw(st.binary(max_size=3)) if how == "foreign key" else whole.key)


@settings(max_examples=1500, deadline=None)
@given(data=st.data(), topic=topics)
def test_a_record_is_a_row_exactly_where_no_refusal_is_found(data: st.DataObject, topic: Topic) -> None:
    one = data.draw(records(topic))
    decoded = decode_chunk(topic, [one], RULES, APPENDED_MS)
    refusal = why_refused(topic, one, RULES, APPENDED_MS)
    assert len(decoded.columns) == (refusal is None)
    assert [(letter.reason, letter.message) for letter in decoded.dead] == (
        [] if refusal is None else [(refusal.reason, refusal.message[:500])]
    )


@settings(max_examples=200, deadline=None)
@given(data=st.data(), topic=topics)
def test_every_record_of_a_chunk_is_accounted_for_once(data: st.DataObject, topic: Topic) -> None:
    drawn = data.draw(st.lists(records(topic), max_size=12))
    chunk = [FakeRecord(r.topic, 3, 2 * i, r.timestamp, r.timestamp_type, r.key, r.value) for i, r in enumerate(drawn)]
    decoded = decode_chunk(topic, chunk, RULES, APPENDED_MS)
    rows, dead = decoded.columns.offset.tolist(), [letter.offset for letter in decoded.dead]
    assert sorted(rows + dead) == [r.offset for r in chunk]
    assert rows == sorted(rows)
    assert dead == sorted(dead)


@settings(max_examples=300, deadline=None)
@given(amount=st.integers(-(10**11), 10**11), time_ms=st.integers(315_532_800_000, APPENDED_MS))
def test_cents_and_milliseconds_survive_exactly(amount: int, time_ms: int) -> None:
    written = f"{'-' if amount < 0 else ''}{abs(amount) // 100}.{abs(amount) % 100:02d}"
    fields = '{"event_id":"e","customer_id":"c1","occurred_at":%d,"currency":"USD","amount":%s}' % (time_ms, written)  # noqa: UP031 - braces
    assert json.loads(fields)["occurred_at"] == time_ms
    columns = decode_chunk("purchases", [record("purchases", fields.encode())], RULES, APPENDED_MS).columns
    assert columns.amount_minor.tolist() == [abs(amount)]
    assert columns.time_ms.tolist() == [time_ms]
