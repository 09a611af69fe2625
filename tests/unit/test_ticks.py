"""The clock topic: ticks, heartbeats and rubbish."""

from __future__ import annotations

import pytest

from streams.columns import TICK
from streams.ticks import Tick, decode_ticks, tick_columns
from tests.support.records import APPENDED_MS, FakeRecord, record

AT_MS = 900_000_000_000


def clock(value: bytes | None, offset: int = 0, key: bytes | None = b"3") -> FakeRecord:
    return record("churn.clock", value, offset=offset, key=key)


def test_ticks_and_heartbeats_are_told_apart() -> None:
    tick = b'{"type":"tick","at_ms":900000000000,"offsets":{"purchases":17,"logins":0}}'
    ticks, dead = decode_ticks([clock(tick, 4), clock(b'{"type":"heartbeat","at_ms":900000000001}', 5)])
    assert dead == []
    assert ticks == [
        Tick(AT_MS, {"purchases": 17, "logins": 0}, heartbeat=False, offset=4, record_time_ms=APPENDED_MS),
        Tick(AT_MS + 1, {}, heartbeat=True, offset=5, record_time_ms=APPENDED_MS),
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
    "a negative offset": (clock(b'{"type":"tick","at_ms":900000000000,"offsets":{"logins":-1}}'), "wrong_type"),
    "another partition's key": (clock(b'{"type":"heartbeat","at_ms":900000000000}', key=b"2"), "key_mismatch"),
    "no key": (clock(b'{"type":"heartbeat","at_ms":900000000000}', key=None), "key_mismatch"),
}


@pytest.mark.parametrize(("bad", "reason"), RUBBISH.values(), ids=RUBBISH.keys())
def test_rubbish_is_buried_and_the_clock_goes_on(bad: FakeRecord, reason: str) -> None:
    ticks, dead = decode_ticks([bad, clock(b'{"type":"tick","at_ms":900000000000}', 1)])
    assert [tick.offset for tick in ticks] == [1]
    assert [letter.reason for letter in dead] == [reason]


def test_only_ticks_become_rows() -> None:
    ticks = [Tick(5, {}, False, 1, 0), Tick(9, {}, True, 2, 0), Tick(7, {}, False, 3, 0)]
    columns = tick_columns(ticks)
    assert columns.time_ms.tolist() == [5, 7]
    assert columns.offset.tolist() == [1, 3]
    assert columns.kind.tolist() == [TICK, TICK]
    assert columns.rank.tolist() == [9, 9]
    assert len(tick_columns([])) == 0
