"""The clock topic: ticks, heartbeats and rubbish."""

from __future__ import annotations

import pytest

from streams.columns import GO_LIVE, TICK
from streams.ticks import Tick, decode_ticks, tick_columns
from tests.support.records import APPENDED_MS, FakeRecord, record

AT_MS = 900_000_000_000


def clock(value: bytes | None, offset: int = 0, key: bytes | None = b"3") -> FakeRecord:
    return record("churn.clock", value, offset=offset, key=key)


def test_ticks_switches_and_heartbeats_are_told_apart() -> None:
    switch = b'{"type":"go_live","at_ms":900000000002,"offsets":{"purchases":17,"logins":3}}'
    tick = b'{"type":"tick","at_ms":900000000000,"offsets":{"purchases":17,"logins":0}}'
    ticks, dead = decode_ticks([clock(tick, 4), clock(b'{"type":"heartbeat","at_ms":900000000001}', 5), clock(switch, 6)])
    assert dead == []
    assert ticks == [
        Tick(AT_MS, {"purchases": 17, "logins": 0}, kind="tick", offset=4, record_time_ms=APPENDED_MS),
        Tick(AT_MS + 1, {}, kind="heartbeat", offset=5, record_time_ms=APPENDED_MS),
        Tick(AT_MS + 2, {"purchases": 17, "logins": 3}, kind="go_live", offset=6, record_time_ms=APPENDED_MS),
    ]


RUBBISH = {
    "a tombstone": (clock(None), "empty"),
    "no JSON": (clock(b"tick"), "not_json"),
    "bytes that are no text": (clock(b'{"type":"\xff"}'), "not_json"),
    "nested without end": (clock(b'{"x":' + b"[" * 100_000), "not_json"),
    "a list": (clock(b"[]"), "not_an_object"),
    "no type": (clock(b'{"at_ms":900000000000}'), "wrong_type"),
    "another type": (clock(b'{"type":"tock","at_ms":900000000000}'), "wrong_type"),
    "no time": (clock(b'{"type":"tick"}'), "wrong_type"),
    "a time in seconds": (clock(b'{"type":"tick","at_ms":900000000}'), "wrong_type"),
    "a switch without a time": (clock(b'{"type":"go_live"}'), "wrong_type"),
    "a negative offset": (clock(b'{"type":"tick","at_ms":900000000000,"offsets":{"logins":-1}}'), "wrong_type"),
    "another partition's key": (clock(b'{"type":"heartbeat","at_ms":900000000000}', key=b"2"), "key_mismatch"),
    "no key": (clock(b'{"type":"heartbeat","at_ms":900000000000}', key=None), "key_mismatch"),
}


@pytest.mark.parametrize(("bad", "reason"), RUBBISH.values(), ids=RUBBISH.keys())
def test_rubbish_is_buried_and_the_clock_goes_on(bad: FakeRecord, reason: str) -> None:
    ticks, dead = decode_ticks([bad, clock(b'{"type":"tick","at_ms":900000000000}', 1)])
    assert [tick.offset for tick in ticks] == [1]
    assert [letter.reason for letter in dead] == [reason]


def test_a_switch_is_a_row_without_a_time_of_its_own() -> None:
    columns = tick_columns([Tick(7, {}, "tick", 3, 0), Tick(9, {}, "go_live", 4, 0)])
    assert (columns.time_ms.tolist(), columns.kind.tolist(), columns.offset.tolist()) == ([7, 0], [TICK, GO_LIVE], [3, 4])


def test_no_heartbeat_becomes_a_row() -> None:
    ticks = [Tick(5, {}, "tick", 1, 0), Tick(9, {}, "heartbeat", 2, 0), Tick(7, {}, "tick", 3, 0)]
    columns = tick_columns(ticks)
    assert columns.time_ms.tolist() == [5, 7]
    assert columns.offset.tolist() == [1, 3]
    assert columns.kind.tolist() == [TICK, TICK]
    assert columns.rank.tolist() == [9, 9]
    assert len(tick_columns([])) == 0
