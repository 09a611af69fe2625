"""Where a replay must go on: read back from the topics what an earlier run has written.

The clock's last tick says up to which event time, and below which offsets, everything is in place. Behind it there may be
events that a killed run wrote before it could tick; their ids are read so that they are not written again. End offsets
are taken from fetches, since not every broker tells them rightly otherwise (see `end_offsets`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from kafka import TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from alerts.ids import rfc3339
from streams.backtest.history import History
from streams.backtest.payloads import TOPIC_NAMES
from streams.contract import Event
from streams.runtime.kafka_client import Ends, admin_client, ends, reader
from streams.runtime.reading import Ranges, read_range
from streams.runtime.settings import Settings
from streams.runtime.topics import CLOCK
from streams.ticks import GoLiveMessage, TickMessage

TAIL_RECORDS = 64


class ReplayError(Exception):
    """A replay that cannot start or go on. One line: what, why, what to do."""


class ReplayTick(TickMessage, frozen=True, tag_field="type", tag="tick"):
    """A tick as replay writes it. source: fingerprint of the history it belongs to."""

    source: str = ""


@dataclass(slots=True)
class PartitionState:
    """What stands in one partition of the topics.

    done_ms       event time of the clock's last tick; -1 where there is none
    source        fingerprint of the history which that tick belongs to; "" where it names none
    next_offsets  topic -> offset below which all events up to done_ms stand; see `name_every_topic`
    ends          topic -> offset that its next record will get
    written       (topic rank, event id) -> offsets of the events found at or beyond next_offsets
    """

    done_ms: int = -1
    source: str = ""
    next_offsets: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    written: dict[tuple[int, str], deque[int]] = field(default_factory=dict)


_message = msgspec.json.Decoder(ReplayTick | GoLiveMessage).decode
_event_id = msgspec.json.Decoder(Event).decode


def read_topics(settings: Settings) -> list[PartitionState]:
    """The state of every partition of the topics that `settings` name, by number.

    Raises ReplayError for topics that are missing or differ in partitions, AdminError where the broker cannot be reached.
    """
    prefix = settings.kafka.topic_prefix
    inputs = settings.kafka.inputs
    names = [prefix + name for name in (*inputs, CLOCK)]
    with admin_client(settings) as admin, reader(settings) as client:
        existing = set(admin.list_topics())  # asked first: describing a missing topic would create it on some brokers
        if missing := [name for name in names if name not in existing]:
            raise ReplayError(f"topics {', '.join(missing)} do not exist; create them: churnwatch topics create")
        counts = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(names)}
        if len(set(counts.values())) > 1:
            shown = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise ReplayError(f"topics differ in partitions ({shown}); make them equal: churnwatch topics check says how")
        partitions = counts[names[0]]
        bounds = ends(admin, client, [TopicPartition(name, p) for name in names for p in range(partitions)])
        if vague := [f"{tp.topic}-{tp.partition}" for tp, bound in bounds.items() if not bound.exact]:
            raise ReplayError(f"the broker does not tell where {', '.join(vague)} end; check that it is well and start again")
        return _read_state(client, bounds, prefix, inputs, partitions)


def _read_state(
    client: Any, bounds: Mapping[TopicPartition, Ends], prefix: str, inputs: Sequence[str], partitions: int
) -> list[PartitionState]:
    """The state of every partition, by number.

    client      from `kafka_client.reader`; its assignment is used up
    bounds      of the inputs' and the clock's partitions
    prefix      of topic names
    inputs      topics of events, by rank, without the prefix
    partitions  how many the topics have

    Raises AdminError where the broker stops to answer.
    """
    states = [PartitionState() for _ in range(partitions)]
    clocks = {tp: (bound.first, bound.end) for tp, bound in bounds.items() if tp.topic == prefix + CLOCK}
    for number, tick in last_ticks(client, clocks).items():
        states[number] = PartitionState(tick.at_ms, tick.source, dict(tick.offsets))
    ranges: dict[TopicPartition, tuple[int, int]] = {}
    for name in inputs:
        for number, state in enumerate(states):
            tp = TopicPartition(prefix + name, number)
            first = bounds[tp].first
            ranges[tp] = max(first, state.next_offsets.get(name, first)), bounds[tp].end
            state.ends[name] = bounds[tp].end
    ranks = {prefix + name: rank for rank, name in enumerate(inputs)}
    for record in read_range(client, ranges):
        try:
            event = _event_id(record.value or b"")
        except (ValueError, RecursionError):
            continue  # not an event, so not one of ours
        found = states[record.partition].written.setdefault((ranks[record.topic], event.event_id), deque())
        found.append(record.offset)
    return states


def name_every_topic(states: Iterable[PartitionState], history: History) -> None:
    """Let `next_offsets` name the topics too of which no tick has spoken: what is sent there later is not of the history.

    Each with the offset at which the replay of `history` begins there: of its first event that an earlier run has written,
    or else the end.
    """
    vague = [state for state in states if state.ends.keys() - state.next_offsets.keys()]
    ours = set(zip(history.rank.tolist(), history.event_id.tolist(), strict=True)) if any(s.written for s in vague) else set()
    for state in vague:
        begins = dict(state.ends)
        for rank, event_id in state.written.keys() & ours:
            name = TOPIC_NAMES[rank]
            begins[name] = min(begins[name], state.written[rank, event_id][0])
        state.next_offsets = begins | state.next_offsets


def last_ticks(client: Any, ranges: Ranges) -> dict[int, ReplayTick]:
    """Partition number -> the last tick in it; partitions without one are left out.

    Reads backwards in growing steps, as heartbeats may stand behind the tick. Raises ReplayError where the switch does.
    """
    found: dict[int, ReplayTick] = {}
    searched = dict(ranges)
    step = TAIL_RECORDS
    while searched:
        tails = {tp: (max(first, end - step), end) for tp, (first, end) in searched.items()}
        for record in read_range(client, tails):
            if record.key != b"%d" % record.partition:
                continue  # a dead letter to whoever follows the clock
            try:
                message = _message(record.value or b"")
            except (ValueError, RecursionError):
                continue
            if isinstance(message, GoLiveMessage):
                raise ReplayError(
                    f"partition {record.partition} of {record.topic} went live at {rfc3339(message.at_ms)}: what happened before "
                    "that would be taken for news; replay it into fresh topics (kafka.topic_prefix)"
                )
            found[record.partition] = message
        searched = {tp: (first, tails[tp][0]) for tp, (first, _) in searched.items() if tp.partition not in found}
        searched = {tp: bound for tp, bound in searched.items() if bound[0] < bound[1]}
        step *= 8
    return found
