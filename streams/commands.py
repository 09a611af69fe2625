"""Commands about one customer, on `churn.commands`: what they look like, and what is none.

Keyed by customer as the events are, so that whoever owns the customer carries them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from streams.contract import MAX_VALUE_BYTES, EpochMs, Id, RawRecord, Rfc3339
from streams.dead_letters import DeadLetter, DeadReason, dead_letter
from streams.field_checks import shown, to_ms


class EraseCommand(msgspec.Struct, frozen=True, tag_field="type", tag="erase"):
    """Erase a customer: what is kept, and what is told of it up to when this was asked.

    command_id    1-128 characters; the notice that the erasure is done names it
    customer_id   1-128 characters, and the record's key in UTF-8
    asked_at      RFC 3339 with offset, or whole milliseconds since 1970 UTC; counts where the broker does not stamp records
    """

    command_id: Id
    customer_id: Id
    asked_at: EpochMs | Rfc3339


class Erase(NamedTuple):
    """An erasure that was asked for.

    at_ms    when, ms since 1970: the broker's append time where it stamps records, else what the command says
    offset   where the command stands
    """

    command_id: str
    customer_id: str
    at_ms: int
    offset: int


@dataclass(frozen=True, slots=True)
class DecodedCommands:
    """A chunk of records, judged; both in the order of the records."""

    erasures: list[Erase]
    dead: list[DeadLetter]


class _Nothing(msgspec.Struct, tag_field="type", tag=""):
    """No command. A type must be given only where there is a choice of them; nobody may be erased for want of one."""


_decode = msgspec.json.Decoder(EraseCommand | _Nothing).decode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_SHAPE = 'send {"type":"erase","command_id":…,"customer_id":…,"asked_at":…}, keyed by customer_id in UTF-8'


def decode_commands(records: Sequence[RawRecord], now_ms: int, skew_ms: int) -> DecodedCommands:
    """Judge the records of one partition of the commands' topic; of no bytes whatever does it raise.

    now_ms    this host's clock, ms
    skew_ms   how far ahead of it a command may be dated that the broker did not stamp: who dates one into the future would
              erase what has not happened yet
    """
    found = DecodedCommands([], [])
    for record in records:
        outcome = _judge(record, now_ms + skew_ms)
        if isinstance(outcome, Erase):
            found.erasures.append(outcome)
        else:
            found.dead.append(outcome)
    return found


def _judge(record: RawRecord, latest_ms: int) -> Erase | DeadLetter:
    value = record.value
    if not value:
        return dead_letter(record, DeadReason.EMPTY, f"the record has no value; {_SHAPE}")
    if len(value) > MAX_VALUE_BYTES:
        return dead_letter(record, DeadReason.TOO_LARGE, f"the value has {len(value)} bytes; send at most {MAX_VALUE_BYTES}")
    try:
        value.decode()  # msgspec skips unknown fields unread; whether a command is good must not depend on that
        command = _decode(value)
    except (ValueError, RecursionError) as problem:
        return dead_letter(record, _why(value), f"{problem}: {shown(value)}; {_SHAPE}")
    if isinstance(command, _Nothing):
        return dead_letter(record, DeadReason.UNKNOWN_COMMAND, f"type is empty; {_SHAPE}")
    if record.key != command.customer_id.encode():
        key = "no key" if record.key is None else f"the key {shown(record.key)}"
        return dead_letter(record, DeadReason.KEY_MISMATCH, f"the record has {key}; {_SHAPE}")
    stamped = record.timestamp_type == 1
    asked_ms = command.asked_at if isinstance(command.asked_at, int) else to_ms(command.asked_at)
    if not stamped and asked_ms > latest_ms:
        return dead_letter(record, DeadReason.TOO_FAR_AHEAD, "asked_at is later than now: set the sender's clock")
    return Erase(command.command_id, command.customer_id, record.timestamp if stamped else asked_ms, record.offset)


def _why(value: bytes) -> DeadReason:
    """Which reason fits a value that is no command."""
    try:
        value.decode()
        fields = _fields(value)
    except msgspec.ValidationError:
        return DeadReason.NOT_AN_OBJECT
    except (ValueError, RecursionError):
        return DeadReason.NOT_JSON
    if missing := [name for name in ("type", *EraseCommand.__struct_fields__) if name not in fields]:
        return DeadReason.UNKNOWN_COMMAND if missing == ["type"] else DeadReason.MISSING_FIELD
    if bytes(fields["type"]) != b'"erase"':
        return DeadReason.UNKNOWN_COMMAND
    for name in ("command_id", "customer_id"):
        if not _is(fields[name], str):
            return DeadReason.WRONG_TYPE
        if not _is(fields[name], Id):
            return DeadReason.BAD_ID
    return DeadReason.BAD_TIME


def _is(raw: msgspec.Raw, kind: object) -> bool:
    try:
        msgspec.json.decode(raw, type=kind)
    except (ValueError, RecursionError):
        return False
    return True
