"""Where topics begin and end, on both brokers: batches of many records, topics that were made anew, records that were deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from faust.types import TP
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from streams.runtime.log_range import LogRange, log_ranges
from streams.runtime.settings import KafkaSettings
from tests.support.brokers import RunningBroker

pytestmark = pytest.mark.timeout(60)


class Topic:
    """One topic with one partition.

    admin   client of its broker
    """

    def __init__(self, broker: RunningBroker, admin: KafkaAdminClient, name: str) -> None:
        self.bootstrap, self.admin, self.name = broker.bootstrap, admin, name
        self.make()

    def make(self) -> None:
        self.admin.create_topics({self.name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)

    def send(self, records: int) -> None:
        """In one batch."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all", linger_ms=500, batch_size=1_000_000)
        sent = [producer.send(self.name, b"%d" % number) for number in range(records)]
        producer.flush(10)
        assert {future.get(10).offset for future in sent} >= {0}
        producer.close(5)

    def range(self, expected: int) -> LogRange:
        """As told to somebody who expects the end there."""
        tp = TP(self.name, 0)
        return asyncio.run(log_ranges(KafkaSettings(bootstrap=self.bootstrap), {tp: expected}))[tp]


@pytest.fixture
def topic(broker: RunningBroker, prefix: str) -> Iterator[Topic]:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap, request_timeout_ms=10_000)
    yield Topic(broker, admin, f"{prefix}log")
    admin.close()


def test_an_end_that_is_expected_is_found_whatever_the_broker_calls_the_latest(topic: Topic) -> None:
    assert topic.range(expected=0) == LogRange(0, 0)
    topic.send(10)
    assert topic.range(expected=10) == LogRange(0, 10)


@pytest.mark.parametrize("expected", [4, 11, 50])
def test_an_end_short_of_the_expected_is_told_as_it_is(topic: Topic, expected: int) -> None:
    topic.send(3)
    assert topic.range(expected) == LogRange(0, 3)


def test_a_topic_that_was_made_anew_is_empty(topic: Topic) -> None:
    topic.send(10)
    topic.admin.delete_topics([topic.name])
    topic.make()
    assert topic.range(expected=10) == LogRange(0, 0)


def test_deleted_records_are_before_the_beginning(real_kafka: RunningBroker, prefix: str) -> None:
    """The embedded broker deletes none."""
    admin = KafkaAdminClient(bootstrap_servers=real_kafka.bootstrap, request_timeout_ms=10_000)
    topic = Topic(real_kafka, admin, f"{prefix}log")
    topic.send(10)
    admin.delete_records({TopicPartition(topic.name, 0): 7})
    assert topic.range(expected=3) == LogRange(7, 10)
    admin.close()


def test_nothing_asked_is_nothing_told() -> None:
    assert asyncio.run(log_ranges(KafkaSettings(bootstrap="127.0.0.1:1"), {})) == {}
