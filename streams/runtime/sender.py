"""Messages to Kafka that must arrive: acknowledged by all replicas, tried again for as long as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped] # aiokafka ships no types
from aiokafka.errors import KafkaError, MessageSizeTooLargeError  # type: ignore[import-untyped] # as above

from streams.runtime.backoff import Backoff
from streams.runtime.broker_clock import BrokerClock
from streams.runtime.kafka_login import aiokafka_options
from streams.runtime.kafka_refused import refused_for_good, why_refused
from streams.runtime.settings import KafkaSettings
from streams.runtime.topic_ids import ask_topic_ids
from streams.runtime.topics import JOURNAL

LOG_APPEND_TIME = 1
"""The type of a time stamp that is the broker's own."""
MAX_MESSAGE_BYTES = 1_000_000
BATCH_BYTES = 512 * 1024
"""Of one partition in one request. aiokafka's 16 kB makes senders of many messages wait in turn; brokers take a megabyte."""


class Sender:
    """One producer. A message may arrive twice after an unclear answer: consumers know it by its id. aiokafka keeps one
    request a partition under way, so the order of the calls holds.

    backoff   pauses between attempts
    clock     told what the broker stamps on the journal; None: nobody is
    """

    def __init__(self, kafka: KafkaSettings, backoff: Backoff, clock: BrokerClock | None = None) -> None:
        self._kafka, self._backoff, self._clock = kafka, backoff, clock
        self._stamped = kafka.topic_prefix + JOURNAL
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect; waits for a broker as long as the backoff allows. Raises KafkaRefused where none would take us."""
        await self._backoff.run("kafka connect", self._connect, passing)

    async def _connect(self) -> None:
        producer = AIOKafkaProducer(
            **aiokafka_options(self._kafka),
            acks="all",
            linger_ms=5,
            max_request_size=MAX_MESSAGE_BYTES,
            max_batch_size=BATCH_BYTES,
        )
        try:
            await producer.start()
        except BaseException as problem:
            await producer.stop()
            # it has logged why, and says only that it could not
            if isinstance(problem, KafkaError) and (refused := await why_refused(self._kafka)) is not None:
                raise refused from None
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Wait for what is under way, then disconnect."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def send_together(
        self, topic: str, partition: int, messages: Sequence[tuple[bytes, bytes]]
    ) -> list[BaseException | None]:
        """Send (key, value) pairs in their order and wait for the broker.

        Returns for each None once all in-sync replicas have it, or why they may not. They travel in batches of our own,
        where one costs a tenth of what it costs by itself.
        """
        before = self._clock.reading() if self._clock and topic == self._stamped else None
        under_way: list[tuple[int, asyncio.Future[Any]]] = []
        refusal: BaseException | None = None
        try:
            for size, batch in _batches(self._started(), messages, self._now_ms()):
                under_way.append((size, await self._started().send_batch(batch, topic, partition=partition)))
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is the answer for what was not taken
            refusal = problem
        answers = await asyncio.gather(*(future for _, future in under_way), return_exceptions=True)
        if self._clock and before:
            for answer in answers:
                if not isinstance(answer, BaseException):
                    self._clock.acknowledged(before, answer.timestamp if answer.timestamp_type == LOG_APPEND_TIME else None)
        told = [
            answer if isinstance(answer, BaseException) else None
            for (size, _), answer in zip(under_way, answers, strict=True)
            for _ in range(size)
        ]
        return told + [refusal] * (len(messages) - len(told))

    def _now_ms(self) -> int | None:
        """What a message says of its time; brokers refuse what a host an hour ahead would say. None: the host's clock."""
        return None if self._clock is None else self._clock.now_ms()

    def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise RuntimeError("Sender.start() comes first")
        return self._producer

    async def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Send one message, again until it is acknowledged. Raises KafkaError for one that can never be."""

        async def once() -> None:
            await self._started().send_and_wait(topic, value=value, key=key, timestamp_ms=self._now_ms())

        await self._backoff.run(f"send to {topic}", once, passing)

    async def partition_counts(self) -> dict[str, int]:
        """Topic -> number of partitions, of every topic that the broker lets us see; asked again until it answers."""
        producer = self._started()

        async def ask() -> dict[str, int]:
            cluster = await producer.client.fetch_all_metadata()
            return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in cluster.topics()}

        return await self._backoff.run("list topics", ask, passing)

    async def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """See `ask_topic_ids`; asked again until the broker answers."""
        names, client = list(topics), self._started().client
        return await self._backoff.run("ask the topics' ids", lambda: ask_topic_ids(client, names), passing)

    async def ping(self) -> None:
        """Ask the broker for its metadata. Raises KafkaError or TimeoutError when it does not answer."""
        if self._producer is None:
            raise KafkaError("not connected yet")
        if not await self._producer.client.force_metadata_update():
            raise KafkaError("no broker answered a metadata request")


def _batches(
    producer: AIOKafkaProducer, messages: Sequence[tuple[bytes, bytes]], time_ms: int | None
) -> Iterator[tuple[int, Any]]:
    """(number of messages, batch), as few as hold them all."""
    batch = producer.create_batch()
    for key, value in messages:
        if batch.append(key=key, value=value, timestamp=time_ms) is None:  # full; the first always fits
            yield batch.record_count(), batch
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=time_ms)
    if batch.record_count():
        yield batch.record_count(), batch


def passing(problem: BaseException) -> str | None:
    """What to say of an error of Kafka's that waiting may cure; None if it will not."""
    if isinstance(problem, MessageSizeTooLargeError) or refused_for_good(problem) is not None:
        return None
    return f"{type(problem).__name__}: {problem}" if isinstance(problem, KafkaError | TimeoutError | OSError) else None
