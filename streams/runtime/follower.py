"""A topic of one partition, read from its beginning and followed from then on, whatever becomes of the broker meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from aiokafka import AIOKafkaConsumer, TopicPartition  # type: ignore[import-untyped] # aiokafka ships no types
from aiokafka.errors import KafkaError  # type: ignore[import-untyped] # as above

from streams.runtime.backoff import Backoff
from streams.runtime.kafka_login import aiokafka_options
from streams.runtime.sender import passing
from streams.runtime.settings import KafkaSettings


class Follower:
    """topic        with its prefix
    backoff      pauses between attempts; its patience must have no end
    on_failure   told what ended the following, should it ever end unasked
    take         given each record once, in order; must not raise. What it returns is awaited before the next
    what         is read, in words, for logs
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        backoff: Backoff,
        on_failure: Callable[[BaseException], None],
        take: Callable[[Any], Awaitable[None] | None],
        what: str = "models",
    ) -> None:
        self._kafka, self._topic = kafka, TopicPartition(topic, 0)
        self._backoff, self._on_failure, self._take, self._what = backoff, on_failure, take, what
        self._consumer: AIOKafkaConsumer | None = None
        self._end = 0
        self._following: asyncio.Task[NoReturn] | None = None
        self._next_offset: int | None = None
        self._caught_up = asyncio.Event()

    async def start(self) -> None:
        """Returns once what is already there has been read, or the following has failed."""
        reading = self._backoff.run(f"read {self._what}", self._follow, passing)
        self._following = asyncio.create_task(reading, name=self._topic.topic)
        self._following.add_done_callback(self._ended)
        await self._caught_up.wait()

    async def stop(self) -> None:
        """Stop following; nothing where it was not started."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)  # its failure has been told

    @property
    def lag(self) -> int:
        """Records between the last one taken and the topic's end, as far as the latest fetch saw; 0 where that is not known."""
        return max(0, self._end - (self._next_offset or 0))

    async def ping(self) -> None:
        """Ask the broker where the topic ends. Raises KafkaError or TimeoutError when it does not answer."""
        if self._consumer is None:
            raise KafkaError("not connected")
        await self._consumer.end_offsets([self._topic])

    async def _follow(self) -> NoReturn:
        """Read on from where the former attempt ended, for ever. Raises what ends the attempt."""
        consumer = AIOKafkaConsumer(**aiokafka_options(self._kafka), enable_auto_commit=False, auto_offset_reset="earliest")
        try:
            await consumer.start()
            consumer.assign([self._topic])
            if self._next_offset is None:
                await consumer.seek_to_beginning(self._topic)
            else:  # from the beginning, older records would count again for a while
                consumer.seek(self._topic, self._next_offset)
            self._consumer = consumer
            while True:
                await self._read(consumer)
        finally:
            self._consumer = None
            await consumer.stop()

    async def _read(self, consumer: Any) -> None:
        fetched = await consumer.getmany(timeout_ms=500)
        end = consumer.highwater(self._topic)
        self._end = end or self._end
        for record in fetched.get(self._topic, ()):
            taking = self._take(record)
            if taking is not None:
                await taking
            self._next_offset = record.offset + 1
        if end is not None and await consumer.position(self._topic) >= end:
            self._caught_up.set()

    def _ended(self, following: asyncio.Task[NoReturn]) -> None:
        """Nobody would read what is written from now on, and nobody would know."""
        if not following.cancelled() and (problem := following.exception()) is not None:
            self._on_failure(problem)
        self._caught_up.set()
