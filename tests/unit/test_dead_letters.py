"""What a dead letter carries, and that its topic can carry it."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.dead_letters import KEPT_BYTES, DeadLetter, DeadReason, dead_letter, encode
from tests.support.records import record


def buried(value: bytes | None, key: bytes | None = b"c1") -> DeadLetter:
    return dead_letter(record("purchases", value, key=key), DeadReason.NOT_JSON, "no JSON")


def test_it_names_the_position_the_reason_and_the_original() -> None:
    assert json.loads(encode(buried(b"\x00\xff"))) == {
        "id": "purchases-3-7",
        "topic": "purchases",
        "partition": 3,
        "offset": 7,
        "reason": "not_json",
        "message": "no JSON",
        "key": base64.b64encode(b"c1").decode(),
        "key_cut": False,
        "original": base64.b64encode(b"\x00\xff").decode(),
        "original_bytes": 2,
        "cut": False,
        "record_time_ms": 1_700_000_000_000,
        "headers": [],
        "headers_cut": False,
        "redrive_of": None,
        "attempt": 1,
    }


def test_a_tombstone_without_key_is_told_from_an_empty_key() -> None:
    letter = buried(None, key=None)
    assert (letter.key, letter.kafka_key(), letter.original, letter.original_bytes) == (None, None, "", 0)
    assert buried(b"x", key=b"").kafka_key() == b""


@settings(max_examples=50, deadline=None)
@given(size=st.integers(0, 1_000_000), limit=st.integers(8_192, 700_000), key_size=st.integers(0, 5_000))
def test_it_stays_below_the_limit_and_keeps_the_beginning_of_the_original(size: int, limit: int, key_size: int) -> None:
    value = bytes(i % 251 for i in range(1000)) * (size // 1000 + 1)
    value = value[:size]
    encoded = encode(buried(value, key=b"k" * key_size), limit)
    assert len(encoded) <= limit
    message = json.loads(encoded)
    original = base64.b64decode(message["original"], validate=True)
    assert value.startswith(original)
    assert message["original_bytes"] == size
    assert message["cut"] == (len(original) < size)
    assert message["key_cut"] == (key_size > 1024)
    if size <= KEPT_BYTES and size * 4 // 3 + 4_000 < limit:
        assert not message["cut"], "cut without need"


def test_a_long_message_still_leaves_room_for_everything_else() -> None:
    letter = dead_letter(record("t" * 249, b"x" * 100_000, key=b"k" * 2000), DeadReason.NOT_JSON, "\x00" * 10_000)
    assert len(encode(letter, 8_192)) <= 8_192


def test_a_limit_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(ValueError, match="limit_bytes: 100"):
        encode(buried(b""), 100)
