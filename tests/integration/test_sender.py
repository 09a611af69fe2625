"""Many messages at once, on either broker: all there, in order, each with its own answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from streams.runtime.backoff import Backoff
from streams.runtime.sender import BATCH_BYTES, Sender
from streams.runtime.settings import load_settings
from tests.support.brokers import RunningBroker


@pytest.fixture
def topic(broker: RunningBroker, prefix: str) -> str:
    """A topic of two partitions."""
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap, request_timeout_ms=10_000)
    admin.create_topics({prefix + "many": {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()
    return prefix + "many"


@pytest_asyncio.fixture
async def sender(broker: RunningBroker) -> AsyncIterator[Sender]:
    settings = load_settings(None, {"CHURNWATCH_KAFKA__BOOTSTRAP": broker.bootstrap})
    started = Sender(settings.kafka, Backoff(patience_s=20.0))
    await started.start()
    yield started
    await started.stop()


def stored(broker: RunningBroker, topic: str, partition: int, count: int) -> list[tuple[bytes, bytes]]:
    # the range first: zip would wait for one record more than it has
    with KafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=20_000) as consumer:
        consumer.assign([TopicPartition(topic, partition)])
        return [(record.key, record.value) for _, record in zip(range(count), consumer, strict=False)]


async def test_more_than_a_batch_holds_arrives_in_order_in_its_partition(
    broker: RunningBroker, topic: str, sender: Sender
) -> None:
    messages = [(b"k%d" % number, b"%06d" % number * 100) for number in range(2_000)]
    messages[1_000] = (b"large", b"x" * (BATCH_BYTES + 1_000))  # more than a batch by itself
    assert sum(len(value) for _, value in messages) > 2 * BATCH_BYTES
    assert await sender.send_together(topic, 1, messages) == [None] * len(messages)
    assert stored(broker, topic, 1, len(messages)) == messages


async def test_nothing_to_send_is_sent(topic: str, sender: Sender) -> None:
    assert await sender.send_together(topic, 0, []) == []


async def test_each_message_that_cannot_be_sent_has_its_answer(topic: str, sender: Sender) -> None:
    outcomes = await sender.send_together(topic, 2, [(b"a", b"1"), (b"b", b"2")])  # there are partitions 0 and 1
    assert len(outcomes) == 2
    assert all(isinstance(outcome, Exception) for outcome in outcomes)
