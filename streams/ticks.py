"""The clock topic: ticks of history, the switch from history to live, and heartbeats of the sources.

A tick T says: every event of this partition up to T has been written, below these offsets. The switch says that history
ends with the tick before it: whatever else there is, and comes, is live. A heartbeat says only that the sources are alive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np

from streams.columns import GO_LIVE, TICK, TOPIC_RANKS, Columns, empty_columns
from streams.contract import EpochMs, RawRecord
from streams.dead_letters import DeadLetter, DeadReason, dead_letter
from streams.field_checks import shown


class TickMessage(msgspec.Struct, frozen=True, tag_field="type", tag="tick"):
    """at_ms: the tick's event time; offsets: input topic (without prefix) -> first offset that may hold later events.

    Name every input, also one without a history: what is sent to one that is left out is not kept apart from it.
    """

    at_ms: EpochMs
    offsets: dict[str, Annotated[int, msgspec.Meta(ge=0)]] = {}


class HeartbeatMessage(msgspec.Struct, frozen=True, tag_field="type", tag="heartbeat"):
    """at_ms: the sender's clock."""

    at_ms: EpochMs


class GoLiveMessage(msgspec.Struct, frozen=True, tag_field="type", tag="go_live"):
    """at_ms: when `churnwatch go-live` was run, by its clock; offsets: input topic -> first offset that is not history."""

    at_ms: EpochMs
    offsets: dict[str, Annotated[int, msgspec.Meta(ge=0)]] = {}


TickKind = Literal["tick", "go_live", "heartbeat"]


@dataclass(frozen=True, slots=True)
class Tick:
    """One record of the clock topic.

    at_ms            event time of a tick; the sender's clock of a switch or a heartbeat
    offsets          input topic -> offset below which every event up to a tick, or all of history, stands; may leave topics out
    kind             what it is; only a tick moves event time
    offset           where it stands in the clock topic
    record_time_ms   the record's own timestamp: judge a heartbeat's freshness by this and not by its sender's clock
    """

    at_ms: int
    offsets: Mapping[str, int]
    kind: TickKind
    offset: int
    record_time_ms: int


_decode = msgspec.json.Decoder(TickMessage | GoLiveMessage | HeartbeatMessage).decode
_SHAPE = 'send {"type":"tick","at_ms":…,"offsets":{…}} or {"type":"heartbeat","at_ms":…}, keyed by the partition number'
_KINDS: dict[type[msgspec.Struct], TickKind] = {TickMessage: "tick", GoLiveMessage: "go_live", HeartbeatMessage: "heartbeat"}


def decode_ticks(records: Sequence[RawRecord]) -> tuple[list[Tick], list[DeadLetter]]:
    """The ticks, switches and heartbeats in `records`, in their order, and what is none of them."""
    ticks: list[Tick] = []
    dead: list[DeadLetter] = []
    for record in records:
        outcome = _decode_tick(record)
        if isinstance(outcome, Tick):
            ticks.append(outcome)
        else:
            dead.append(outcome)
    return ticks, dead


def _decode_tick(record: RawRecord) -> Tick | DeadLetter:
    if not record.value:
        return dead_letter(record, DeadReason.EMPTY, f"the record has no value; {_SHAPE}")
    try:
        message = _decode(record.value)
    except msgspec.ValidationError as problem:
        reason = DeadReason.NOT_AN_OBJECT if record.value.lstrip()[:1] != b"{" else DeadReason.WRONG_TYPE
        return dead_letter(record, reason, f"{problem}: {shown(record.value)}; {_SHAPE}")
    except (ValueError, RecursionError) as problem:
        return dead_letter(record, DeadReason.NOT_JSON, f"{problem}: {shown(record.value)}; {_SHAPE}")
    if record.key != str(record.partition).encode():
        return dead_letter(
            record, DeadReason.KEY_MISMATCH, f"the key is {record.key!r:.80}, the partition {record.partition}; {_SHAPE}"
        )
    offsets = {} if isinstance(message, HeartbeatMessage) else message.offsets
    return Tick(message.at_ms, offsets, _KINDS[type(message)], record.offset, record.timestamp)


def tick_columns(ticks: Sequence[Tick]) -> Columns:
    """The ticks as rows to be merged, kind TICK and rank of the clock. Heartbeats give no row.

    A switch is a row of kind GO_LIVE whose time is 0: the merge lets it follow at once on the tick before it.
    """
    rows = [tick for tick in ticks if tick.kind != "heartbeat"]
    columns = empty_columns(len(rows))
    columns.kind[:] = [TICK if tick.kind == "tick" else GO_LIVE for tick in rows]
    columns.rank[:] = TOPIC_RANKS["clock"]
    columns.time_ms[:] = np.array([tick.at_ms if tick.kind == "tick" else 0 for tick in rows], np.int64)
    columns.offset[:] = np.array([tick.offset for tick in rows], np.int64)
    return columns
