"""The outbox from a real Redis to a real Kafka, through kills of the broker, of Redis and of the publisher."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped] # it ships no types
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition  # type: ignore[import-untyped] # it ships no types

from streams.runtime.backoff import Backoff
from streams.runtime.outbox import OutboxPublisher
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.store import CommitRequest, Meta, OutboxEntry
from tests.support.broker_fixtures import missing
from tests.support.brokers import KafkaMissing, kafka_broker
from tests.support.eventually import DEADLINE_S
from tests.support.one_by_one import one_by_one
from tests.support.redis_servers import RunningRedis
from tests.support.store_load import store_on

KEYS = [b"ann", b"bob", b"cy"]
MEMORY_BYTES = 20_000


@contextlib.asynccontextmanager
async def publishing(store: RedisPartitionStore, bootstrap: str, committed_no: int) -> AsyncIterator[OutboxPublisher]:
    """As in the worker: an idempotent producer keeps the order of a partition and retries by itself for ever."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, request_timeout_ms=1500)
    await producer.start()

    async def publish(topic: str, key: bytes, value: bytes, /) -> None:
        await producer.send_and_wait(topic, value, key)

    mine = OutboxPublisher(
        store,
        0,
        Meta(1, "owner", outbox_no=committed_no),
        one_by_one(publish),
        memory_bytes=MEMORY_BYTES,
        backoff=Backoff(cap_s=0.2),
    )
    task = asyncio.create_task(mine.run())
    try:
        yield mine
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        with contextlib.suppress(asyncio.TimeoutError):
            async with asyncio.timeout(5):
                await producer.stop()


class Commits:
    """Commits of ten entries, told to whoever publishes."""

    def __init__(self, store: RedisPartitionStore, topic: str) -> None:
        self.store, self.topic, self.seq = store, topic, 0

    async def some(self, publisher: OutboxPublisher, many: int) -> None:
        for _ in range(many):
            first = self.seq * 10 + 1
            entries = [OutboxEntry(n, self.topic, KEYS[n % 3], b"%d" % n) for n in range(first, first + 10)]
            self.seq += 1
            await self.store.commit(0, 1, "owner", CommitRequest(self.seq, f"id{self.seq}", outbox=entries))
            publisher.committed(entries)


@pytest.mark.asyncio
@pytest.mark.timeout(600)
async def test_nothing_is_lost_or_swapped_between_redis_and_kafka(tmp_path: Path, own_redis: Callable[..., RunningRedis]) -> None:
    redis, topic = own_redis(), "out" + secrets.token_hex(3)
    with contextlib.ExitStack() as parts:
        try:
            broker = parts.enter_context(kafka_broker(tmp_path))
        except KafkaMissing as why:
            missing("Apache Kafka", why)
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        admin.close()
        async with store_on(redis.url, backoff=Backoff(cap_s=0.1)) as store:
            await store.take_epoch(0, 1, 1, "owner")
            commits = Commits(store, topic)
            async with publishing(store, broker.bootstrap, 0) as mine:
                await commits.some(mine, 20)
                await mine.drained()
                broker.kill()
                await commits.some(mine, 30)
                assert mine.depth == 300
                assert mine.memory_used <= MEMORY_BYTES < 300 * 300
                broker.start()  # from the main thread, to whose life the kernel binds it
                await commits.some(mine, 5)
            # The publisher died just now, wherever it was; its successor finds what is left, and loses Redis on the way.
            async with publishing(store, broker.bootstrap, commits.seq * 10) as mine:
                await commits.some(mine, 5)
                redis.kill()
                redis.start()
                await commits.some(mine, 5)
                async with asyncio.timeout(DEADLINE_S):
                    await mine.drained()
            assert await store.outbox_depth(0) == 0
        arrived = await asyncio.to_thread(read_all, broker.bootstrap, topic)
    for at, key in enumerate(KEYS):
        first_times = list(dict.fromkeys(int(value) for found, value in arrived if found == key))
        assert first_times == [n for n in range(1, commits.seq * 10 + 1) if n % 3 == at]


def read_all(bootstrap: str, topic: str) -> list[tuple[bytes, bytes]]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    end, found = consumer.end_offsets([partition])[partition], []
    while consumer.position(partition) < end:
        for records in consumer.poll(timeout_ms=1000).values():
            found += [(record.key, record.value) for record in records]
    consumer.close()
    return found
