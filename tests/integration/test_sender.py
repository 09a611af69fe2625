"""Many messages at once, on either broker: all there, in order, each with its own answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka.errors import InvalidTimestampError  # type: ignore[import-untyped] # aiokafka ships no types
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from streams.runtime.admin import create_topics
from streams.runtime.backoff import Backoff
from streams.runtime.broker_clock import BrokerClock, host_ms
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


async def test_what_the_broker_stamps_on_the_journal_is_the_time_where_it_stamps_at_all(
    broker: RunningBroker, prefix: str
) -> None:
    """The embedded one does not: then the host's clock counts as it is."""
    settings = load_settings(None, {"CHURNWATCH_KAFKA__BOOTSTRAP": broker.bootstrap, "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix})
    create_topics(settings)
    off_ms = 2 * 86_400_000
    clock = BrokerClock(600_000, host=lambda: host_ms() + off_ms)
    sender = Sender(settings.kafka, Backoff(patience_s=20.0), clock)
    await sender.start()
    try:
        (first,) = await sender.send_together(f"{prefix}churn.alerts", 0, [(b"k", b"v")])
        assert isinstance(first, InvalidTimestampError) == (broker.kind == "kafka"), "a host so far ahead is not believed"
        assert not clock.known(), "only the journal tells the time"
        assert await sender.send_together(f"{prefix}churn.journal", 0, [(b"0", b"{}")] * 3) == [None] * 3
        assert await sender.send_together(f"{prefix}churn.alerts", 0, [(b"k", b"v")]) == [None]
    finally:
        await sender.stop()
    if broker.kind == "kafka":
        assert abs(clock.now_ms() - host_ms()) < 5_000
        assert clock.trusted_ms() is None
        assert abs(clock.ahead_s() - off_ms / 1000) < 5
    else:
        assert (clock.trusted_ms() is not None, clock.ahead_s()) == (True, 0.0)
        assert abs(clock.now_ms() - host_ms() - off_ms) < 5_000
