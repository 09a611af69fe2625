"""The stream that is measured: the same events for every part of a run, made from a fixed seed.

Customers are drawn uniformly, kinds 30 % purchases, 5 % complaints, 65 % logins, as for the comparison of workers from
which our targets come. What `span_days` decides is how often customers come: in 30 days, 600,000 events of 50,000
customers are 12 events each, a lively base with few alerts; in 365 days the same events are a base that is always about
to leave, where a quarter of the events send an alert. Looks of silent customers are work too, so both are counted.

Beside it a base (`make_base`): customers all of whom have bought, for what depends on how many there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np
from kafka.partitioner import murmur2  # type: ignore[import-untyped]  # kafka-python ships no types
from numpy.typing import NDArray

from streams.backtest.payloads import tick_times
from streams.columns import Columns
from streams.contract import EventRules, InputTopic
from streams.events import decode_chunk
from streams.ticks import Tick, TickMessage, tick_columns

START_MS = 1_700_006_400_000
"""Midnight of 15 November 2023, UTC."""
SPAN_DAYS = {"lively": 30, "sparse": 365}
EVENTS_PER_CUSTOMER = 12
BASE_EVENTS_PER_CUSTOMER = 6
PARTITIONS = 4
TOPICS: tuple[InputTopic, ...] = ("purchases", "complaints", "logins")
_SHARES = (0.30, 0.05, 0.65)
_SEED = 20240229

Ints = NDArray[np.int64]

_encode = msgspec.json.Encoder().encode


class Record(NamedTuple):
    """One message, as a Kafka client would hand it out (streams.contract.RawRecord)."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes
    value: bytes
    headers: tuple[()] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """Messages by (topic, partition) in offset order, and the ticks that follow them.

    events     in all
    customers  that the events were drawn for
    span_days  from the first event to the last
    records    (topic without prefix, partition) -> its messages
    ticks_ms   event times of the ticks, one a day
    """

    events: int
    customers: int
    span_days: int
    records: dict[tuple[InputTopic, int], list[Record]]
    ticks_ms: list[int]

    def partitions(self) -> range:
        """Partition numbers."""
        return range(PARTITIONS)


def make_stream(events: int, span_days: int) -> Stream:
    """`events` (>= 1) messages over `span_days` days (>= 1), for one customer per twelve of them."""
    customers = max(1, events // EVENTS_PER_CUSTOMER)
    chance = np.random.default_rng(_SEED)
    who = chance.integers(0, customers, events)
    return _messages(who, chance.choice(len(TOPICS), events, p=_SHARES), customers, span_days, chance)


def make_base(customers: int) -> Stream:
    """Six messages of each of `customers` (>= 1) in 30 days, their first one a purchase: every one of them comes due."""
    chance = np.random.default_rng(_SEED)
    who = np.concatenate([chance.permutation(customers) for _ in range(BASE_EVENTS_PER_CUSTOMER)])
    ranks = chance.choice(len(TOPICS), len(who), p=_SHARES)
    ranks[:customers] = 0
    return _messages(who, ranks, customers, SPAN_DAYS["lively"], chance)


def _messages(who: Ints, ranks: Ints, customers: int, span_days: int, chance: np.random.Generator) -> Stream:
    """Event i is of customer `who[i]` and of the topic with rank `ranks[i]`."""
    events = len(who)
    amounts = np.round(chance.gamma(2.0, 30.0, events), 2).tolist()
    severities = chance.integers(1, 6, events).tolist()
    times_ms = (START_MS + np.arange(events) * span_days * 86_400_000 // events).tolist()
    keys = [b"c%07d" % number for number in range(customers)]
    places = [partition_of(key) for key in keys]
    records: dict[tuple[InputTopic, int], list[Record]] = {(topic, p): [] for topic in TOPICS for p in range(PARTITIONS)}
    for i, (customer, rank, time_ms) in enumerate(zip(who.tolist(), ranks.tolist(), times_ms, strict=True)):
        topic, partition = TOPICS[rank], places[customer]
        value = _encode(_event(i, keys[customer].decode(), topic, time_ms, amounts[i], severities[i]))
        there = records[topic, partition]
        there.append(Record(topic, partition, len(there), time_ms, 0, keys[customer], value))
    ticks_ms = tick_times(times_ms[0], times_ms[-1]).tolist()
    return Stream(events, customers, span_days, records, ticks_ms)


def every(nth: int, stream: Stream) -> Stream:
    """The whole lives of every nth customer (>= 1) of a stream, with its ticks."""
    records = {}
    for place, there in stream.records.items():
        theirs = [record for record in there if int(record.key[1:]) % nth == 0]
        records[place] = [record._replace(offset=offset) for offset, record in enumerate(theirs)]
    events = sum(map(len, records.values()))
    return Stream(events, -(-stream.customers // nth), stream.span_days, records, stream.ticks_ms)


def partition_of(key: bytes) -> int:
    """Where Kafka's own producers put this key."""
    return int((murmur2(key) & 0x7FFFFFFF) % PARTITIONS)


def _event(i: int, customer: str, topic: InputTopic, time_ms: int, amount: float, severity: int) -> dict[str, Any]:
    at = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()
    event: dict[str, Any] = {"event_id": f"e{i:09d}", "customer_id": customer, "occurred_at": at}
    if topic == "purchases":
        return event | {"amount": amount, "currency": "USD", "order_id": f"o{i}", "channel": "web"}
    if topic == "complaints":
        return event | {"severity": severity, "category": "delivery", "text": "parcel came late and broken"}
    return event | {"device": "ios", "session_id": f"s{i}"}


def ticks(stream: Stream, partition: int) -> Iterator[tuple[int, bytes]]:
    """(event time, message) of each tick of a partition: all up to it stands below the offsets that it names."""
    times = {topic: np.array([r.timestamp for r in stream.records[topic, partition]], np.int64) for topic in TOPICS}
    for at_ms in stream.ticks_ms:
        offsets: dict[str, int] = {topic: int(np.searchsorted(times[topic], at_ms, side="right")) for topic in TOPICS}
        yield at_ms, _encode(TickMessage(at_ms=at_ms, offsets=offsets))


def columns(stream: Stream, rules: EventRules) -> dict[int, Columns]:
    """Per partition what the engine is given: the messages decoded as the worker decodes them, merged with the ticks."""
    clock = tick_columns([Tick(at_ms, {}, "tick", number, at_ms) for number, at_ms in enumerate(stream.ticks_ms)])
    merged = {}
    for partition in stream.partitions():
        parts = [decode_chunk(topic, stream.records[topic, partition], rules, 0).columns for topic in TOPICS]
        together = Columns.concat([*parts, clock])
        merged[partition] = together.take(np.lexsort((together.offset, together.rank, together.time_ms)))
    return merged
