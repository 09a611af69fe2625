"""The real parts of a run: a broker with the stream in its topics, and a Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped]  # aiokafka ships no types
from redis import Redis

from benchmarks.stream import Stream, ticks
from streams.runtime.admin import create_topics
from streams.runtime.settings import Settings, load_settings
from streams.runtime.topics import CLOCK
from tests.support.brokers import KafkaMissing, RunningBroker, kafka_broker, tansu_broker
from tests.support.redis_servers import RedisMissing, RunningRedis, redis_server, valkey_server

Kind = Literal["real", "embedded", "auto"]
BATCH_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the parts answer, and what is to be said of them.

    broker, redis   "Apache Kafka", "Redis" or the names of the embedded ones
    environment     settings of a worker, as variables
    server          the Redis
    """

    broker: str
    redis: str
    environment: dict[str, str]
    server: RunningRedis

    @property
    def settings(self) -> Settings:
        """The environment, read."""
        return load_settings(None, self.environment)

    def reading(self, prefix: str, run: str = "run", **more: str) -> Parts:
        """The same parts for another worker.

        prefix   of its topics
        run      name of its consumer group and of its keys in Redis: a new one starts from nothing
        more     settings of its own, as environment variables
        """
        own = {
            "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix,
            "CHURNWATCH_KAFKA__GROUP": prefix + run,
            "CHURNWATCH_REDIS__PREFIX": prefix + run,
        }
        return replace(self, environment=self.environment | own | more)


def redis_cpu_s(settings: Settings) -> float:
    """CPU that the settings' Redis has used so far, children that rewrite its file included, seconds."""
    with Redis.from_url(settings.redis.url.get_secret_value()) as client:
        info: dict[str, Any] = client.info("cpu")
    return float(sum(info[f"used_cpu_{what}{whose}"] for what in ("user", "sys") for whose in ("", "_children")))


@contextmanager
def running(folder: Path, kind: Kind) -> Iterator[Parts]:
    """Broker and Redis for the length of the block, nothing in them.

    kind   "auto": the real ones where they are to be had
    Raises KafkaMissing and RedisMissing for "real" where they are not.
    """
    with _broker(folder / "broker", kind) as broker, _redis(folder / "redis", kind) as (redis, name):
        environment = {
            "CHURNWATCH_KAFKA__BOOTSTRAP": broker.bootstrap,
            "CHURNWATCH_REDIS__URL": redis.url,
            "CHURNWATCH_TIME__CLOCK": "history",
            "CHURNWATCH_HTTP__PORT": "0",
        }
        yield Parts("Apache Kafka" if broker.kind == "kafka" else "embedded Tansu", name, environment, redis)


@contextmanager
def with_own_redis(parts: Parts, folder: Path, kind: Kind) -> Iterator[Parts]:
    """The same broker, and a Redis in which there is nothing, for the length of the block."""
    with _redis(folder, kind) as (redis, name):
        yield replace(parts, environment=parts.environment | {"CHURNWATCH_REDIS__URL": redis.url}, redis=name, server=redis)


@contextmanager
def _broker(folder: Path, kind: Kind) -> Iterator[RunningBroker]:
    folder.mkdir()
    if kind != "embedded":
        try:
            with kafka_broker(folder) as broker:
                yield broker
                return
        except KafkaMissing:
            if kind == "real":
                raise
    with tansu_broker(folder) as embedded:
        yield embedded


@contextmanager
def _redis(folder: Path, kind: Kind) -> Iterator[tuple[RunningRedis, str]]:
    folder.mkdir()
    if kind != "embedded":
        try:
            with redis_server(folder) as server:
                yield server, "Redis"
                return
        except RedisMissing:
            if kind == "real":
                raise
    with valkey_server(folder) as embedded:
        yield embedded, "embedded Valkey"


def produce(stream: Stream, settings: Settings) -> None:
    """Make the topics and write the stream and its ticks, each message to the partition of its key (murmur2)."""
    create_topics(settings)
    asyncio.run(_produce(stream, settings))


async def _produce(stream: Stream, settings: Settings) -> None:
    prefix = settings.kafka.topic_prefix
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap, max_batch_size=BATCH_BYTES, acks="all")
    await producer.start()
    try:
        for (topic, partition), records in stream.records.items():
            messages = [(record.timestamp, record.key, record.value) for record in records]
            await send_all(producer, prefix + topic, partition, messages)
        for partition in stream.partitions():
            clock = [(at_ms, b"%d" % partition, value) for at_ms, value in ticks(stream, partition)]
            await send_all(producer, prefix + CLOCK, partition, clock)
    finally:
        await producer.stop()


async def send_all(producer: Any, topic: str, partition: int, messages: Sequence[tuple[int, bytes, bytes]]) -> None:
    """All messages, in order, in batches as large as they may be; returns when the broker has them."""
    batch, sent = producer.create_batch(), []
    for time_ms, key, value in messages:
        if batch.append(key=key, value=value, timestamp=time_ms) is None:
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=time_ms)
    if batch.record_count():
        sent.append(await producer.send_batch(batch, topic, partition=partition))
    for acknowledged in sent:
        await acknowledged
