"""A dozen records that no producer should send, one by one in the middle of the replay: they become dead letters.

Each is wrong in one way and as a producer's bug would make it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from kafka import KafkaProducer  # type: ignore[import-untyped]  # kafka-python ships no types
from kafka.errors import KafkaError  # type: ignore[import-untyped]  # kafka-python ships no types

from streams.cli.errors import CommandError
from streams.contract import MAX_VALUE_BYTES
from streams.dead_letters import DeadReason
from streams.runtime.kafka_client import kafka_client_options
from streams.runtime.settings import Settings


class BadEvent(NamedTuple):
    """A record and the reason for which it must be refused."""

    topic: str
    key: bytes | None
    value: bytes | None
    reason: DeadReason


_AT = '"occurred_at":"1997-11-05T10:00:00Z"'


def _event(topic: str, fields: str, reason: DeadReason, *, customer: str = "sim-00001", key: str | None = None) -> BadEvent:
    value = f'{{"event_id":"bad-{reason.value}","customer_id":"{customer}",{fields}}}'
    return BadEvent(topic, (customer if key is None else key).encode(), value.encode(), reason)


BAD_EVENTS = (
    BadEvent("purchases", b"sim-00002", b"customer=sim-00002&amount=12.50", DeadReason.NOT_JSON),
    BadEvent("logins", b"sim-00003", b'["sim-00003","1997-11-05"]', DeadReason.NOT_AN_OBJECT),
    _event("purchases", f'{_AT},"currency":"USD"', DeadReason.MISSING_FIELD),
    _event("purchases", f'{_AT},"amount":"twelve","currency":"USD"', DeadReason.WRONG_TYPE),
    _event("purchases", f'{_AT},"amount":12.5,"currency":"DOGE"', DeadReason.UNKNOWN_CURRENCY),
    _event("purchases", f'{_AT},"amount":1e300,"currency":"USD"', DeadReason.AMOUNT_OUT_OF_RANGE),
    _event("complaints", f'{_AT},"severity":11,"text":"Never again."', DeadReason.BAD_SEVERITY),
    _event("logins", '"occurred_at":"1997-11-05T10:00:00"', DeadReason.NO_OFFSET_IN_TIME),
    _event("logins", '"occurred_at":"0097-11-05T10:00:00Z"', DeadReason.TIME_OUT_OF_RANGE),
    _event("logins", _AT, DeadReason.BAD_ID, customer="x" * 200),
    _event("complaints", _AT, DeadReason.KEY_MISMATCH, key="sim-00009"),
    BadEvent("complaints", b"sim-00004", b"\x00" * (MAX_VALUE_BYTES + 1), DeadReason.TOO_LARGE),
)


class BadProducer:
    """Sends BAD_EVENTS spread over the replay.

    sent   how many the broker has acknowledged
    """

    def __init__(self, producer: KafkaProducer, prefix: str) -> None:
        self._producer, self._prefix = producer, prefix
        self._left = deque(BAD_EVENTS)
        self.sent = 0

    def keep_up(self, share: float) -> None:
        """Send what is due once `share` (0..1) of the replay is through. Raises CommandError when the broker takes none."""
        while self._left and share >= 1 - len(self._left) / (len(BAD_EVENTS) + 1):
            event = self._left.popleft()
            try:
                self._producer.send(self._prefix + event.topic, key=event.key, value=event.value).get(30.0)
            except KafkaError as problem:
                raise CommandError(f"the broker did not take a record: {type(problem).__name__}", "see its log") from None
            self.sent += 1


@contextmanager
def bad_producer(settings: Settings) -> Iterator[BadProducer]:
    """A producer of bad events, for the length of the block."""
    producer = KafkaProducer(**kafka_client_options(settings) | {"client_id": "churnwatch-demo"}, acks="all", linger_ms=0)
    try:
        yield BadProducer(producer, settings.kafka.topic_prefix)
    finally:
        producer.close(timeout=1.0)
