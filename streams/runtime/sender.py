"""Messages to Kafka that must arrive: acknowledged by all replicas, tried again for as long as it takes."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from aiokafka import AIOKafkaProducer  # type: ignore[import-untyped] # aiokafka ships no types
from aiokafka.errors import KafkaError, MessageSizeTooLargeError  # type: ignore[import-untyped] # as above

from streams.runtime.backoff import Backoff
from streams.runtime.settings import KafkaSettings

MAX_MESSAGE_BYTES = 1_000_000


def aiokafka_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments for any aiokafka client. Holds the password: hand it on, do not print it."""
    options: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap.split(","), "security_protocol": kafka.security_protocol}
    if kafka.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=kafka.ca_file)
    if kafka.sasl_mechanism is not None:
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.username
        options["sasl_plain_password"] = None if kafka.password is None else kafka.password.get_secret_value()
    return options


class Sender:
    """One producer. A message may arrive twice after an unclear answer: consumers know it by its id. aiokafka keeps one
    request a partition under way, so the order of the calls holds.

    on_trouble   told what went wrong before each new attempt
    """

    def __init__(self, kafka: KafkaSettings, backoff: Backoff) -> None:
        self._kafka = kafka
        self._backoff = backoff
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect; waits for a broker as long as the backoff allows."""
        await self._backoff.run("kafka connect", self._connect, passing)

    async def _connect(self) -> None:
        producer = AIOKafkaProducer(**aiokafka_options(self._kafka), acks="all", linger_ms=5, max_request_size=MAX_MESSAGE_BYTES)
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Wait for what is under way, then disconnect."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def submit(self, topic: str, key: bytes | None, value: bytes, partition: int | None = None) -> asyncio.Future[Any]:
        """Put a message in line; the future ends when all in-sync replicas have it, or with a KafkaError."""
        if self._producer is None:
            raise RuntimeError("Sender.start() comes first")
        return await self._producer.send(topic, value=value, key=key, partition=partition)  # type: ignore[no-any-return] # untyped in aiokafka

    async def send(self, topic: str, key: bytes | None, value: bytes) -> None:
        """Send one message, again until it is acknowledged. Raises KafkaError for one that can never be."""

        async def once() -> None:
            await (await self.submit(topic, key, value))

        await self._backoff.run(f"send to {topic}", once, passing)

    async def partition_counts(self) -> dict[str, int]:
        """Topic -> number of partitions, of every topic that the broker lets us see; asked again until it answers."""
        producer = self._producer
        if producer is None:
            raise RuntimeError("Sender.start() comes first")

        async def ask() -> dict[str, int]:
            cluster = await producer.client.fetch_all_metadata()
            return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in cluster.topics()}

        return await self._backoff.run("list topics", ask, passing)

    async def ping(self) -> None:
        """Ask the broker for its metadata. Raises KafkaError or TimeoutError when it does not answer."""
        if self._producer is None:
            raise KafkaError("not connected yet")
        if not await self._producer.client.force_metadata_update():
            raise KafkaError("no broker answered a metadata request")


def passing(problem: BaseException) -> str | None:
    """What to say of an error of Kafka's that waiting may cure; None if it will not."""
    if isinstance(problem, MessageSizeTooLargeError):
        return None
    return f"{type(problem).__name__}: {problem}" if isinstance(problem, KafkaError | TimeoutError | OSError) else None
