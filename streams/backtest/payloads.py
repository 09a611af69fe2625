"""A history as the messages that carry it: topics, keys, JSON values, partitions and the days' ticks.

Replay sends them to Kafka; `to_columns` decodes the very same bytes by the live system's own code, so that what the
engine is given from a file is what a worker would have been given.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from kafka.partitioner import murmur2  # type: ignore[import-untyped]  # kafka-python ships no types
from numpy.typing import NDArray

from streams.backtest.history import History
from streams.columns import COMPLAINT, DAY_MS, LOGIN, PURCHASE, REFUND
from streams.contract import Complaint, Login, Purchase

TOPIC_NAMES = ("purchases", "complaints", "logins")
"""By topic rank."""


class _Purchase(Purchase, frozen=True, gc=False, omit_defaults=True):
    pass


class _Complaint(Complaint, frozen=True, gc=False, omit_defaults=True):
    pass


class _Login(Login, frozen=True, gc=False, omit_defaults=True):
    pass


_encode = msgspec.json.Encoder().encode


def payload(history: History, index: int) -> bytes:
    """Event `index` of `history` as the JSON object of the topics' contract; equal events give equal bytes."""
    event_id, customer, time_ms = history.event_id[index], history.customer[index], int(history.time_ms[index])
    kind = history.kind[index]
    if kind == LOGIN:
        return _encode(_Login(event_id, customer, time_ms))
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
    """The partition of each event: murmur2 of the customer id in UTF-8, as Kafka's own producers choose it.

    partitions  of the topic, >= 1
    """
    customers, place = np.unique(history.customer.astype(str), return_inverse=True)
    chosen = [(murmur2(str(customer).encode()) & 0x7FFFFFFF) % partitions for customer in customers]
    return np.array(chosen, np.int64)[place]


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
