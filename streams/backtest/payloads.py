"""A history as the messages that carry it: topics, keys, JSON values, partitions and the days' ticks.

Replay sends them to Kafka; `to_columns` decodes the very same bytes by the live system's own code, so that what the
engine is given from a file is what a worker would have been given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.backtest.history import History, HistoryError
from streams.columns import CANCELLATION, COMPLAINT, DAY_MS, LOGIN, PURCHASE, REFUND, Columns
from streams.contract import END_TIME_MS, Cancellation, Complaint, EventRules, InputTopic, Login, Purchase
from streams.events import decode_chunk
from streams.runtime.partitioner import partition_of
from streams.ticks import Tick, tick_columns

TOPIC_NAMES: tuple[InputTopic, ...] = ("purchases", "complaints", "logins", "cancellations")
"""By topic rank."""


class _Purchase(Purchase, frozen=True, gc=False, omit_defaults=True):
    pass


class _Complaint(Complaint, frozen=True, gc=False, omit_defaults=True):
    pass


class _Login(Login, frozen=True, gc=False, omit_defaults=True):
    pass


class _Cancellation(Cancellation, frozen=True, gc=False, omit_defaults=True):
    pass


_encode = msgspec.json.Encoder().encode


def payload(history: History, index: int) -> bytes:
    """Event `index` of `history` as the JSON object of the topics' contract; equal events give equal bytes."""
    event_id, customer, time_ms = history.event_id[index], history.customer[index], int(history.time_ms[index])
    kind = history.kind[index]
    if kind == LOGIN:
        return _encode(_Login(event_id, customer, time_ms))
    if kind == CANCELLATION:
        return _encode(_Cancellation(event_id, customer, time_ms))
    if kind == COMPLAINT:
        category, text = history.category[index] or None, history.text[index] or None
        return _encode(_Complaint(event_id, customer, time_ms, int(history.severity[index]), category, text))
    assert kind in (PURCHASE, REFUND)
    amount = float(history.amount[index])
    return _encode(_Purchase(event_id, customer, time_ms, -amount if kind == REFUND else amount, history.currency[index]))


def payloads(history: History) -> Iterator[tuple[str, bytes, bytes, int]]:
    """Every event in order: topic (without a prefix), key, value, time in ms."""
    for index, rank in enumerate(history.rank):
        yield TOPIC_NAMES[rank], history.customer[index].encode(), payload(history, index), int(history.time_ms[index])


def partitions_of(history: History, partitions: int) -> NDArray[np.int64]:
    """The partition of each event, see `partition_of`.

    partitions  of the topic, >= 1
    """
    customers, place = np.unique(history.customer.astype(str), return_inverse=True)
    return np.array([partition_of(str(customer), partitions) for customer in customers], np.int64)[place]


def tick_times(first_ms: int, last_ms: int, *, tick_days: int = 1, run_on_days: int = 0) -> NDArray[np.int64]:
    """Event times of the ticks that go with events from `first_ms` to `last_ms`, ms.

    The first is the first UTC midnight after the first event, then every `tick_days` (>= 1) until one is at or after the
    last event and `run_on_days` (>= 0) beyond it: silence goes on after the last event.

    >>> list(tick_times(0, DAY_MS + 1) // DAY_MS)
    [np.int64(1), np.int64(2)]
    """
    first = first_ms // DAY_MS + 1
    final = max(first, -(-last_ms // DAY_MS)) + run_on_days
    steps = -(-(final - first) // tick_days)
    return (first + tick_days * np.arange(steps + 1, dtype=np.int64)) * DAY_MS


class _Record(NamedTuple):
    """What Kafka would hand out for a message of the history (streams.contract.RawRecord)."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[()] = ()


def to_columns(
    history: History, rules: EventRules, partitions: int, *, tick_days: int = 1, run_on_days: int = 0
) -> dict[int, Columns]:
    """The history as a worker would be given it: per partition all events and ticks in the order (time, rank, offset).

    rules       of the system; how far an event may be dated ahead is not asked of history
    partitions  of each topic, >= 1; offsets count from 0 in each topic and partition
    tick_days, run_on_days   as in `tick_times`

    Raises HistoryError where the system would not accept an event, for instance for want of its currency's rate.
    """
    chosen, ranks = partitions_of(history, partitions), history.rank
    ticks = tick_times(int(history.time_ms[0]), int(history.time_ms[-1]), tick_days=tick_days, run_on_days=run_on_days)
    clock = tick_columns([Tick(int(at_ms), {}, "tick", number, int(at_ms)) for number, at_ms in enumerate(ticks)])
    found: dict[int, Columns] = {}
    for partition in range(partitions):
        parts = [
            _decoded(history, np.flatnonzero((chosen == partition) & (ranks == rank)), topic, partition, rules)
            for rank, topic in enumerate(TOPIC_NAMES)
        ]
        together = Columns.concat([*parts, clock])
        found[partition] = together.take(np.lexsort((together.offset, together.rank, together.time_ms)))
    return found


def _decoded(history: History, indices: NDArray[np.int64], topic: InputTopic, partition: int, rules: EventRules) -> Columns:
    """The events at `indices` by way of their JSON, through the live system's decoder."""
    records = [
        _Record(topic, partition, offset, 0, 0, history.customer[index].encode(), payload(history, index))
        for offset, index in enumerate(indices)
    ]
    decoded = decode_chunk(topic, records, rules, END_TIME_MS)
    if decoded.dead:
        first = decoded.dead[0]
        raise HistoryError(f"{topic}: the system does not accept {len(decoded.dead)} events; the first: {first.message}")
    return decoded.columns
