"""Refused records and their letters, put on topics without a worker."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from streams.contract import EventRules
from streams.dead_letters import DeadLetter, DeadReason, dead_letter, encode
from streams.events import decode_chunk
from streams.runtime.admin import create_topics
from streams.runtime.settings import Settings, load_settings
from streams.runtime.topics import DEAD_LETTERS
from tests.support.brokers import RunningBroker
from tests.support.eventually import eventually

PARTITIONS = 3


class Refusals:
    """The topics of one system. What is sent to them is refused by rules that know the US dollar alone."""

    def __init__(self, broker: RunningBroker, prefix: str) -> None:
        self.broker, self.prefix = broker, prefix
        self.environment = {
            "CHURNWATCH_KAFKA__BOOTSTRAP": broker.bootstrap,
            "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix,
            "CHURNWATCH_KAFKA__GROUP": f"{prefix}group",
            "CHURNWATCH_KAFKA__PARTITIONS": str(PARTITIONS),
            "CHURNWATCH_MONEY__RATES": '{"USD": 1, "EUR": 1.1}',
        }
        self.settings: Settings = load_settings(None, self.environment)
        create_topics(self.settings)

    @contextmanager
    def producer(self) -> Iterator[Any]:
        client = KafkaProducer(bootstrap_servers=self.broker.bootstrap, acks="all", batch_size=0)
        try:
            yield client
            client.flush(30)
        finally:
            client.close(5)

    def send(self, topic: str, *values: bytes, partition: int = 0, key: bytes = b"anna", headers: Any = ()) -> list[Any]:
        """Records on a topic (without prefix), as a consumer hands them out."""
        with self.producer() as producer:
            futures = [
                producer.send(self.prefix + topic, value, key=key, partition=partition, headers=list(headers)) for value in values
            ]
            offsets = [future.get(10).offset for future in futures]
        found = {record.offset: record for record in self.records(topic) if record.partition == partition}
        return [found[offset] for offset in offsets]

    def refuse(self, records: Sequence[Any]) -> list[DeadLetter]:
        """Their letters, as a worker would write them, on their topic."""
        rules = EventRules("USD", {"USD": 1.0}, 600_000)
        short = records[0].topic.removeprefix(self.prefix)
        letters = decode_chunk(short, records, rules, records[0].timestamp).dead
        assert len(letters) == len(records), "some are good"
        self.bury(*letters)
        return letters

    def bury(self, *letters: DeadLetter) -> None:
        """Put letters on their topic."""
        with self.producer() as producer:
            for letter in letters:
                producer.send(self.prefix + DEAD_LETTERS, encode(letter), key=letter.kafka_key())

    def in_euro(self, *numbers: int, customer: str = "anna", partition: int = 0, **more: Any) -> list[DeadLetter]:
        """Purchases whose currency had no rate then."""
        values = [purchase(number, customer) for number in numbers]
        return self.refuse(self.send("purchases", *values, partition=partition, key=customer.encode(), **more))

    def records(self, topic: str) -> list[Any]:
        """What a worker reads on a topic (without prefix), in order of partition and offset."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.broker.bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed", fetch_max_wait_ms=50,
        )  # fmt: skip
        tps = [TopicPartition(self.prefix + topic, number) for number in range(PARTITIONS)]
        found: list[Any] = []
        try:
            consumer.assign(tps)
            consumer.seek_to_beginning(*tps)

            def at_end() -> bool:
                found.extend(record for records in consumer.poll(timeout_ms=100).values() for record in records)
                marks = [consumer.highwater(tp) for tp in tps]
                return all(mark is not None and consumer.position(tp) >= mark for tp, mark in zip(tps, marks, strict=True))

            eventually(at_end)
        finally:
            consumer.close(autocommit=False)
        return sorted(found, key=lambda record: (record.partition, record.offset))


def purchase(number: int, customer: str = "anna", currency: str = "EUR") -> bytes:
    """A purchase of long ago."""
    money = {"amount": number, "currency": currency}
    return json.dumps({"event_id": f"e{number}", "customer_id": customer, "occurred_at": 1_600_000_000_000} | money).encode()


def with_reason(letter: DeadLetter, reason: DeadReason) -> DeadLetter:
    """The same letter for another reason."""
    return msgspec.structs.replace(letter, reason=reason)


__all__ = ["PARTITIONS", "Refusals", "dead_letter", "purchase", "with_reason"]
