"""What a command on churn.commands may look like, when it counts as asked, and what becomes of anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.commands import Erase, decode_commands
from streams.dead_letters import DeadReason
from tests.support.records import FakeRecord

NOW_MS, APPENDED_MS, ASKED_MS = 1_700_000_000_000, 1_700_000_000_250, 1_699_999_000_000
GOOD: dict[str, Any] = {"type": "erase", "command_id": "e1", "customer_id": "anna", "asked_at": ASKED_MS}
NOT_GIVEN: Any = object()


def record(value: bytes | None, key: bytes | None = b"anna", *, stamped: bool = True, offset: int = 7) -> FakeRecord:
    return FakeRecord("churn.commands", 3, offset, APPENDED_MS, int(stamped), key, value)


def command(key: bytes | None = b"anna", *, stamped: bool = True, **changes: Any) -> FakeRecord:
    fields = {name: value for name, value in (GOOD | changes).items() if value is not NOT_GIVEN}
    return record(json.dumps(fields).encode(), key, stamped=stamped)


def test_the_time_is_when_the_broker_took_the_command() -> None:
    decoded = decode_commands([command()], NOW_MS, 600_000)
    assert (decoded.erasures, decoded.dead) == ([Erase("e1", "anna", APPENDED_MS, 7)], [])


@pytest.mark.parametrize("asked_at", [ASKED_MS, "2023-11-14T21:56:40Z", "2023-11-14T22:56:40+01:00"])
def test_where_the_broker_stamps_nothing_it_is_when_the_command_says(asked_at: Any) -> None:
    [found] = decode_commands([command(stamped=False, asked_at=asked_at)], NOW_MS, 600_000).erasures
    assert found.at_ms == ASKED_MS


def test_a_command_from_the_future_would_erase_what_has_not_happened() -> None:
    edge = command(stamped=False, asked_at=NOW_MS + 600_000)
    beyond = command(stamped=False, asked_at=NOW_MS + 600_001)
    decoded = decode_commands([edge, beyond], NOW_MS, 600_000)
    assert [found.at_ms for found in decoded.erasures] == [NOW_MS + 600_000]
    assert [letter.reason for letter in decoded.dead] == [DeadReason.TOO_FAR_AHEAD]
    assert len(decode_commands([command(asked_at=NOW_MS + 10**9)], NOW_MS, 0).erasures) == 1, "the broker's stamp counts"


def test_unknown_fields_are_no_reason_to_refuse() -> None:
    assert len(decode_commands([command(asked_by="dpo@example.org")], NOW_MS, 0).erasures) == 1


HOSTILE: dict[str, tuple[FakeRecord, str]] = {
    "a tombstone": (record(None), "empty"),
    "an empty value": (record(b""), "empty"),
    "too large": (command(note="x" * 262_144), "too_large"),
    "rubbish": (record(bytes(range(256))), "not_json"),
    "cut short": (record(b'{"type":"erase"'), "not_json"),
    "bad UTF-8 in an unknown field": (record(json.dumps(GOOD).encode()[:-1] + b',"x":"\xff"}'), "not_json"),
    "nested without end": (record(b'{"x":' * 40_000), "not_json"),
    "a list": (record(b"[]"), "not_an_object"),
    "a number": (record(b"5"), "not_an_object"),
    "no type": (command(type=NOT_GIVEN), "unknown_command"),
    "an empty type": (command(type=""), "unknown_command"),
    "another command": (command(type="snooze"), "unknown_command"),
    "a type that is a number": (command(type=5), "unknown_command"),
    "no customer": (command(customer_id=NOT_GIVEN), "missing_field"),
    "no time": (command(asked_at=NOT_GIVEN), "missing_field"),
    "no type and no id": (command(type=NOT_GIVEN, command_id=NOT_GIVEN), "missing_field"),
    "an id that is a number": (command(command_id=5), "wrong_type"),
    "an empty customer": (command(customer_id="", key=b""), "bad_id"),
    "a long customer": (command(customer_id="c" * 129, key=b"c" * 129), "bad_id"),
    "a time without offset": (command(asked_at="2023-11-14T21:56:40"), "bad_time"),
    "a time in seconds": (command(asked_at=1_700_000_000), "bad_time"),
    "no key": (command(key=None), "key_mismatch"),
    "another's key": (command(key=b"berta"), "key_mismatch"),
}


@pytest.mark.parametrize(("bad", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_command_is_buried_with_its_reason_and_harms_no_other(bad: FakeRecord, reason: str) -> None:
    decoded = decode_commands([command(), bad, command()], NOW_MS, 600_000)
    assert len(decoded.erasures) == 2
    assert [(letter.id, letter.reason) for letter in decoded.dead] == [("churn.commands-3-7", DeadReason(reason))]


@given(st.one_of(st.none(), st.binary(max_size=200), st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.sampled_from(["erase", "anna"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "x"]), inner, max_size=5), max_leaves=8,
).map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_every_record_is_a_command_or_a_dead_letter(value: bytes | None) -> None:
    decoded = decode_commands([record(value)], NOW_MS, 600_000)
    assert len(decoded.erasures) + len(decoded.dead) == 1
