"""The clock topic: ticks of history and heartbeats of the sources.

A tick T says: every event of this partition up to T has been written, below these offsets. A heartbeat says only that
the sources are alive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np

from streams.columns import TICK, TOPIC_RANKS, Columns, empty_columns
from streams.contract import EpochMs, RawRecord
from streams.dead_letters import DeadLetter, DeadReason, dead_letter
from streams.field_checks import shown


class TickMessage(msgspec.Struct, frozen=True, tag_field="type", tag="tick"):
    """at_ms: the tick's event time; offsets: input topic (without prefix) -> first offset that may hold later events."""

    at_ms: EpochMs
    offsets: dict[str, Annotated[int, msgspec.Meta(ge=0)]] = {}


class HeartbeatMessage(msgspec.Struct, frozen=True, tag_field="type", tag="heartbeat"):
    """at_ms: the sender's clock."""

    at_ms: EpochMs


@dataclass(frozen=True, slots=True)
class Tick:
    """One record of the clock topic.

    at_ms            event time of a tick; the sender's clock of a heartbeat
    offsets          of a tick: input topic -> offset below which every event up to at_ms stands; may leave topics out
    heartbeat        True for a heartbeat, which moves no event time
    offset           where it stands in the clock topic
    record_time_ms   the record's own timestamp: judge a heartbeat's freshness by this and not by its sender's clock
    """

    at_ms: int
    offsets: Mapping[str, int]
    heartbeat: bool
    offset: int
    record_time_ms: int


_decode = msgspec.json.Decoder(TickMessage | HeartbeatMessage).decode
_SHAPE = 'send {"type":"tick","at_ms":…,"offsets":{…}} or {"type":"heartbeat","at_ms":…}, keyed by the partition number'


def decode_ticks(records: Sequence[RawRecord]) -> tuple[list[Tick], list[DeadLetter]]:
    """The ticks and heartbeats in `records`, in their order, and what is neither."""
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
    heartbeat = isinstance(message, HeartbeatMessage)
    offsets = {} if isinstance(message, HeartbeatMessage) else message.offsets
    return Tick(message.at_ms, offsets, heartbeat, record.offset, record.timestamp)


def tick_columns(ticks: Sequence[Tick]) -> Columns:
    """The ticks as rows to be merged, kind TICK and rank of the clock. Heartbeats give no row."""
    rows = [tick for tick in ticks if not tick.heartbeat]
    columns = empty_columns(len(rows))
    columns.kind[:] = TICK
    columns.rank[:] = TOPIC_RANKS["clock"]
    columns.time_ms[:] = np.array([tick.at_ms for tick in rows], np.int64)
    columns.offset[:] = np.array([tick.offset for tick in rows], np.int64)
    return columns
