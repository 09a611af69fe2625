"""Records in, columns or dead letters out: every kind of hostile record, and what valid ones become."""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

import numpy as np
import pytest
import xxhash

from streams.columns import CANCELLATION, COMPLAINT, LOGIN, PURCHASE, REFUND
from streams.dead_letters import DeadReason
from streams.events import EventRules, decode_chunk, id_hash
from tests.support.records import APPENDED_MS, FakeRecord, record, valid

RULES = EventRules("USD", {"EUR": 1.25, "JPY": 0.0068}, skew_ms=600_000)
NOW_MS = APPENDED_MS
Topic = Literal["purchases", "complaints", "logins", "cancellations"]


def purchase(raw: str) -> FakeRecord:
    """A purchase whose amount is written as `raw`, however odd."""
    text = '{"event_id":"e1","customer_id":"c1","occurred_at":1699999999999,"currency":"USD","amount":%s}' % raw  # noqa: UP031 - braces
    return record("purchases", text.encode())


HOSTILE: dict[str, tuple[FakeRecord, str, str]] = {
    # sentence: (record, reason, what the message must name)
    "a tombstone": (record("purchases", None), "empty", "no value"),
    "an empty value": (record("logins", b""), "empty", "no value"),
    "900 kB of rubbish": (record("purchases", b"\x00\xff" * 450_000), "too_large", "900000 bytes"),
    "a valid event padded beyond the limit": (valid("logins", device="x" * 262_144), "too_large", "262144"),
    "binary rubbish": (record("purchases", bytes(range(256))), "not_json", "UTF-8"),
    "plain words": (record("logins", b"hello"), "not_json", "hello"),
    "a truncated object": (record("logins", b'{"event_id":"e1"'), "not_json", "JSON"),
    "two objects joined by a comma": (record("logins", b'{"a":1},{"a":1}'), "not_json", "JSON"),
    "UTF-16": (record("logins", '{"event_id":"e1"}'.encode("utf-16")), "not_json", "UTF-8"),
    "Latin-1 in an id": (
        record("logins", b'{"event_id":"\xe9","customer_id":"c1","occurred_at":1699999999999}'),
        "not_json",
        "UTF-8",
    ),
    "Latin-1 in a field nobody reads": (
        record("logins", b'{"event_id":"e1","customer_id":"c1","occurred_at":1699999999999,"x":"\xe9"}'),
        "not_json",
        "UTF-8",
    ),
    "Latin-1 in the name of a field nobody reads": (
        record("logins", b'{"event_id":"e1","customer_id":"c1","occurred_at":1699999999999,"\xe9":1}'),
        "not_json",
        "UTF-8",
    ),
    "half a surrogate pair": (record("logins", b'{"event_id":"\\ud800","customer_id":"c1","occurred_at":1}'), "not_json", "JSON"),
    "nested without end": (record("logins", b'{"event_id":' + b"[" * 100_000), "not_json", "JSON"),
    "an unknown field nested deeply": (
        record(
            "logins",
            b'{"event_id":"e1","customer_id":"c1","occurred_at":1699999999999,"x":' + b"[" * 90_000 + b"]" * 90_000 + b"}",
        ),
        "not_json",
        "JSON",
    ),
    "a list": (record("logins", b"[1,2]"), "not_an_object", "[1,2]"),
    "a bare number": (record("logins", b"17"), "not_an_object", "17"),
    "null": (record("logins", b"null"), "not_an_object", "null"),
    "an empty object": (record("logins", b"{}"), "missing_field", "event_id"),
    "no event_id": (valid("logins", event_id=...), "missing_field", "event_id"),
    "no customer_id": (valid("logins", customer_id=...), "missing_field", "customer_id"),
    "no occurred_at": (valid("complaints", occurred_at=...), "missing_field", "occurred_at"),
    "no amount": (valid("purchases", amount=...), "missing_field", "amount"),
    "no currency": (valid("purchases", currency=...), "missing_field", "currency"),
    "a number for an event_id": (valid("logins", event_id=5), "wrong_type", "event_id is 5"),
    "null for a customer_id": (valid("logins", customer_id=None), "wrong_type", "customer_id is null"),
    "text for an amount": (valid("purchases", amount="12.50"), "wrong_type", 'amount is "12.50"'),
    "true for an amount": (valid("purchases", amount=True), "wrong_type", "amount is true"),
    "null for an amount": (valid("purchases", amount=None), "wrong_type", "amount is null"),
    "a number for a currency": (valid("purchases", currency=840), "wrong_type", "currency is 840"),
    "a number for an order_id": (valid("purchases", order_id=12), "wrong_type", "order_id is 12"),
    "a number for a cancellation's reason": (valid("cancellations", reason=3), "wrong_type", "reason is 3"),
    "a list for a complaint's text": (valid("complaints", text=["a"]), "wrong_type", 'text is ["a"]'),
    "an object for a device": (valid("logins", device={}), "wrong_type", "device is {}"),
    "an empty event_id": (valid("logins", event_id=""), "bad_id", "event_id has 0"),
    "an event_id of 129 characters": (valid("logins", event_id="x" * 129), "bad_id", "129"),
    "an empty customer_id": (valid("logins", customer_id=""), "bad_id", "customer_id has 0"),
    "a customer_id of 129 characters": (valid("logins", customer_id="é" * 129), "bad_id", "129"),
    "a time without offset": (valid("logins", occurred_at="2023-11-14T22:00:00"), "no_offset_in_time", "end it with Z"),
    "a date alone": (valid("logins", occurred_at="2023-11-14"), "bad_time", "2023-11-14"),
    "milliseconds in quotation marks": (valid("logins", occurred_at="1699999999999"), "bad_time", "1699999999999"),
    "the 30th of February": (valid("logins", occurred_at="2023-02-30T00:00:00Z"), "bad_time", "RFC 3339"),
    "an hour 25": (valid("logins", occurred_at="2023-11-14T25:00:00Z"), "bad_time", "RFC 3339"),
    "a fraction of milliseconds": (valid("logins", occurred_at=1699999999999.5), "wrong_type", "occurred_at"),
    "milliseconds with a decimal point": (valid("logins", occurred_at=1699999999999.0), "wrong_type", "decimal point"),
    "true for a time": (valid("logins", occurred_at=True), "wrong_type", "occurred_at is true"),
    "null for a time": (valid("logins", occurred_at=None), "wrong_type", "occurred_at is null"),
    "seconds instead of milliseconds": (valid("logins", occurred_at=1_699_999_999), "time_out_of_range", "send milliseconds"),
    "a time before 1970": (valid("logins", occurred_at=-1), "time_out_of_range", "1980"),
    "the last millisecond of 1979": (valid("logins", occurred_at=315_532_799_999), "time_out_of_range", "1980"),
    "the first instant of 2100": (valid("logins", occurred_at="2100-01-01T00:00:00Z"), "time_out_of_range", "2099"),
    "the year 9999": (valid("logins", occurred_at="9999-12-31T23:59:59-14:00"), "time_out_of_range", "9999"),
    "the year 1": (valid("logins", occurred_at="0001-01-01T00:00:00+14:00"), "time_out_of_range", "0001"),
    "a time of 30 digits": (valid("logins", occurred_at=10**30), "time_out_of_range", "1000"),
    "a millisecond beyond the skew": (valid("logins", occurred_at=APPENDED_MS + 600_001), "too_far_ahead", "600 s"),
    "NaN": (purchase("NaN"), "amount_not_finite", "nan"),
    "Infinity": (purchase("Infinity"), "amount_not_finite", "inf"),
    "-Infinity": (purchase("-Infinity"), "amount_not_finite", "-inf"),
    "nan as nobody writes it": (purchase("nan"), "not_json", "JSON"),
    "an exponent no double holds": (purchase("1e999"), "amount_out_of_range", "1e999"),
    "an integer of 400 digits": (purchase("1" * 400), "amount_out_of_range", "1111"),
    "an integer of 5000 digits": (purchase("-" + "9" * 5000), "amount_out_of_range", "-999"),
    "the largest double": (purchase("1.7e308"), "amount_out_of_range", "1.7e+308"),
    "just more than is believed": (purchase("1000000000000.02"), "amount_out_of_range", "at most 1000000000000"),
    "a refund beyond belief": (purchase("-1e13"), "amount_out_of_range", "-1e+13"),
    "an amount with leading zeros": (purchase("007"), "not_json", "JSON"),
    "a currency without rate": (valid("purchases", currency="GBP"), "unknown_currency", "EUR, JPY, USD"),
    "a currency in small letters": (valid("purchases", currency="usd"), "unknown_currency", '"usd"'),
    "severity 0": (valid("complaints", severity=0), "bad_severity", "severity is 0"),
    "severity 6": (valid("complaints", severity=6), "bad_severity", "1 to 5"),
    "severity 3.0": (valid("complaints", severity=3.0), "bad_severity", "3.0"),
    "severity true": (valid("complaints", severity=True), "bad_severity", "true"),
    "severity in words": (valid("complaints", severity="high"), "bad_severity", '"high"'),
    "no key": (record("logins", valid("logins").value, key=None), "key_mismatch", "no key"),
    "another customer's key": (record("logins", valid("logins").value, key=b"c2"), "key_mismatch", "c2"),
    "a key in UTF-16": (record("logins", valid("logins").value, key="c1".encode("utf-16")), "key_mismatch", "UTF-8"),
}


@pytest.mark.parametrize(("bad", "reason", "named"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_record_is_buried_with_its_reason_and_harms_no_other(bad: FakeRecord, reason: str, named: str) -> None:
    topic: Topic = bad.topic  # type: ignore[assignment]  # the table holds names of topics only
    decoded = decode_chunk(topic, [valid(topic, offset=6), bad, valid(topic, offset=8)], RULES, NOW_MS)
    assert decoded.columns.offset.tolist() == [6, 8]
    assert [(letter.id, letter.reason) for letter in decoded.dead] == [(f"{topic}-3-7", DeadReason(reason))]
    assert named in decoded.dead[0].message


def test_the_table_has_every_reason() -> None:
    of_commands = {"unknown_command"}  # see test_erase_command.py
    assert {reason for _, reason, _ in HOSTILE.values()} == {str(reason) for reason in DeadReason} - of_commands


ACCEPTED: dict[str, tuple[FakeRecord, dict[str, Any]]] = {
    "an id of 128 characters of four bytes": (valid("logins", customer_id="😀" * 128), {"customer": "😀" * 128}),
    "a nul in an id": (valid("logins", customer_id="a\0b"), {"customer": "a\0b"}),
    "UTC": (valid("logins", occurred_at="2023-11-14T21:00:00Z"), {"time_ms": 1_699_995_600_000}),
    "an offset": (valid("logins", occurred_at="2023-11-14T22:00:00.125+01:00"), {"time_ms": 1_699_995_600_125}),
    "a fraction of a millisecond is cut off": (
        valid("logins", occurred_at="2023-11-14T21:00:00.001999Z"),
        {"time_ms": 1_699_995_600_001},
    ),
    "the first instant of 1980": (valid("logins", occurred_at=315_532_800_000), {"time_ms": 315_532_800_000}),
    "exactly the skew ahead": (valid("logins", occurred_at=APPENDED_MS + 600_000), {"time_ms": APPENDED_MS + 600_000}),
    "a purchase": (valid("purchases", amount=12.5), {"kind": PURCHASE, "amount_minor": 1250}),
    "a purchase for nothing": (valid("purchases", amount=0), {"kind": PURCHASE, "amount_minor": 0}),
    "minus zero is no refund": (valid("purchases", amount=-0.0), {"kind": PURCHASE, "amount_minor": 0}),
    "a refund": (valid("purchases", amount=-12.34), {"kind": REFUND, "amount_minor": 1234}),
    "cents that binary cannot write": (valid("purchases", amount=0.29), {"amount_minor": 29}),
    "another currency": (valid("purchases", amount=10, currency="EUR"), {"amount_minor": 1250}),
    "yen in cents": (valid("purchases", amount=1000, currency="JPY"), {"amount_minor": 680}),
    "as much as is believed": (valid("purchases", amount=10**12), {"amount_minor": 10**14}),
    "a tiny amount": (purchase("1e-999"), {"kind": PURCHASE, "amount_minor": 0}),
    "a complaint without severity": (valid("complaints"), {"kind": COMPLAINT, "severity": 3}),
    "a complaint whose severity is null": (valid("complaints", severity=None), {"severity": 3}),
    "a complaint in Chinese": (valid("complaints", severity=5, text="物流太慢"), {"severity": 5}),
    "a login": (valid("logins", device="phone", session_id=None), {"kind": LOGIN, "severity": 0, "amount_minor": 0}),
    "a cancellation": (valid("cancellations"), {"kind": CANCELLATION, "rank": 3, "severity": 0, "amount_minor": 0}),
    "a cancellation with its reason": (valid("cancellations", reason="搬家了"), {"kind": CANCELLATION}),
    "a field given twice, the last counts": (
        record("logins", b'{"event_id":"old","event_id":"e9","customer_id":"c1","occurred_at":1699999999999}'),
        {"event_id": "e9"},
    ),
    "an unknown field": (valid("logins", colour="red"), {"customer": "c1"}),
}


@pytest.mark.parametrize(("good", "expected"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_valid_record_becomes_a_row(good: FakeRecord, expected: dict[str, Any]) -> None:
    topic: Topic = good.topic  # type: ignore[assignment]  # the table holds names of topics only
    decoded = decode_chunk(topic, [good], RULES, NOW_MS)
    assert decoded.dead == []
    assert {name: getattr(decoded.columns, name)[0] for name in expected} == expected


def test_the_columns_have_the_declared_types_and_the_hash_is_of_topic_and_id() -> None:
    columns = decode_chunk("complaints", [valid("complaints", event_id="é")], RULES, NOW_MS).columns
    assert columns.id_hash[0] == xxhash.xxh3_64_intdigest("1é".encode()) == id_hash(1, "é")
    found = {
        name: str(getattr(columns, name).dtype) for name in ("customer", "kind", "time_ms", "amount_minor", "id_hash", "rank")
    }
    assert found == {
        "customer": "object",
        "kind": "uint8",
        "time_ms": "int64",
        "amount_minor": "int64",
        "id_hash": "uint64",
        "rank": "uint8",
    }
    assert (columns.rank[0], columns.offset[0]) == (1, 7)


def test_no_records_give_no_rows() -> None:
    decoded = decode_chunk("purchases", [], RULES, NOW_MS)
    assert (len(decoded.columns), decoded.dead, decoded.unknown_fields) == (0, [], 0)


def test_a_chunk_of_rubbish_alone_keeps_the_order_of_its_records() -> None:
    bad = [
        record("logins", b"{}", offset=1),
        valid("logins", offset=2, occurred_at=APPENDED_MS * 2),
        record("logins", None, offset=3),
    ]
    decoded = decode_chunk("logins", bad, RULES, NOW_MS)
    assert len(decoded.columns) == 0
    assert [letter.offset for letter in decoded.dead] == [1, 2, 3]


def test_an_unstamped_record_is_judged_by_this_hosts_clock() -> None:
    ahead = json.dumps({"event_id": "e", "customer_id": "c1", "occurred_at": APPENDED_MS + 600_001}).encode()
    own_stamp = record("logins", ahead, timestamp=APPENDED_MS + 10**9, timestamp_type=0)
    assert decode_chunk("logins", [own_stamp], RULES, NOW_MS).dead[0].reason == DeadReason.TOO_FAR_AHEAD
    assert decode_chunk("logins", [own_stamp], RULES, NOW_MS + 1).dead == []
    stamped = record("logins", ahead)
    assert decode_chunk("logins", [stamped], RULES, NOW_MS + 10**9).dead[0].reason == DeadReason.TOO_FAR_AHEAD


def test_history_checks_no_skew() -> None:
    rules = EventRules("USD", {}, skew_ms=None)
    assert decode_chunk("logins", [valid("logins", occurred_at="2099-12-31T23:59:59Z")], rules, NOW_MS).dead == []


@pytest.mark.parametrize("time", ["2100-01-01T00:00:00Z", "1979-12-31T23:59:59.999Z", 4_102_444_800_000, "9999-12-31T23:59:59Z"])
def test_history_still_refuses_times_out_of_range(time: str | int) -> None:
    decoded = decode_chunk("logins", [valid("logins", occurred_at=time)], EventRules("USD", {}, skew_ms=None), NOW_MS)
    assert [letter.reason for letter in decoded.dead] == [DeadReason.TIME_OUT_OF_RANGE]


def test_unknown_fields_are_counted_in_every_64th_event() -> None:
    records = [valid("logins", offset=i, colour="red", size=3) for i in range(129)]
    assert decode_chunk("logins", records, RULES, NOW_MS).unknown_fields == 6  # the 1st, 65th and 129th, two each
    assert decode_chunk("logins", [valid("logins", device="tv")], RULES, NOW_MS).unknown_fields == 0


def test_nesting_at_the_very_edge_of_the_recursion_limit_never_fails_the_chunk() -> None:
    text = '{"event_id":"e1","customer_id":"c1","occurred_at":1699999999999,"x":%s}'
    for depth in range(sys.getrecursionlimit() - 250, sys.getrecursionlimit() + 20):
        nested = record("logins", (text % ("[" * depth + "]" * depth)).encode())
        decoded = decode_chunk("logins", [nested, valid("logins", offset=8)], RULES, NOW_MS)
        assert len(decoded.columns) + len(decoded.dead) == 2
        assert decoded.columns.offset[-1] == 8


def test_chunks_of_any_size_give_the_same_rows() -> None:
    records = [valid("purchases", offset=i, amount=i, currency="USD" if i % 7 else "XXX") for i in range(100)]
    whole = decode_chunk("purchases", records, RULES, NOW_MS)
    parts = [decode_chunk("purchases", records[i : i + 9], RULES, NOW_MS) for i in range(0, 100, 9)]
    assert np.concatenate([part.columns.amount_minor for part in parts]).tolist() == whole.columns.amount_minor.tolist()
    assert [letter for part in parts for letter in part.dead] == whole.dead
    assert len(whole.dead) == 15


def test_ids_that_count_up_are_told_apart_also_between_topics() -> None:
    # with the rank as xxh3's seed, "s7-5183" of purchases and "s7-7183" of logins had one hash: a login was lost
    ids = [f"s7-{number}" for number in range(20_000)]
    short = {id_hash(rank, event_id) & 0xFFFF_FFFF_FFFF for rank in (0, 1, 2) for event_id in ids}
    assert len(short) == 3 * len(ids)
