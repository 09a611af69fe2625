"""The parameters in use: shipped, from a file, or the newest snapshot on `churn.models`, taken up while running."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition  # type: ignore[import-untyped] # aiokafka ships no types

from detectors.parameters import SHIPPED, BtydParameters, loads
from streams.runtime.backoff import Backoff
from streams.runtime.kafka_login import aiokafka_options
from streams.runtime.metrics import Metrics
from streams.runtime.sender import passing
from streams.runtime.settings import Settings
from streams.runtime.topics import MODELS

log = structlog.get_logger()

CLOSED_FORM_KEY = b"closed-form"


class ModelFeed:
    """The closed form's parameters.

    A file in the settings is pinned: snapshots on the topic are then ignored. Otherwise the newest snapshot serves from the next
    batch on; a snapshot that cannot be read is reported and the one in use stays. A broker that is away is waited for.

    backoff      pauses between attempts; its patience must have no end
    on_failure   told what ended the following, should it ever end unasked
    """

    def __init__(
        self, settings: Settings, metrics: Metrics, backoff: Backoff, on_failure: Callable[[BaseException], None]
    ) -> None:
        self._settings, self._metrics, self._backoff, self._on_failure = settings, metrics, backoff, on_failure
        self._pinned = settings.risk.parameters_file is not None
        self.current: BtydParameters = (
            read_parameters(settings.risk.parameters_file) if settings.risk.parameters_file else SHIPPED
        )
        self._following: asyncio.Task[NoReturn] | None = None
        self._topic = TopicPartition(settings.kafka.topic_prefix + MODELS, 0)
        self._next_offset: int | None = None
        self._caught_up = asyncio.Event()
        self._tell()

    async def start(self) -> None:
        """Follow the topic; returns once what is already there has been read, or the following has failed."""
        if self._pinned:
            return
        self._following = asyncio.create_task(self._backoff.run("read models", self._follow, passing), name="models")
        self._following.add_done_callback(self._ended)
        await self._caught_up.wait()

    async def stop(self) -> None:
        """Stop following."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)  # its failure has been told

    async def _follow(self) -> NoReturn:
        """Read on from where the former attempt ended, for ever. Raises what ends the attempt."""
        consumer = AIOKafkaConsumer(
            **aiokafka_options(self._settings.kafka), enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
            consumer.assign([self._topic])
            if self._next_offset is None:
                await consumer.seek_to_beginning(self._topic)
            else:  # from the beginning, older snapshots would serve again for a while
                consumer.seek(self._topic, self._next_offset)
            while True:
                await self._read(consumer)
        finally:
            await consumer.stop()

    async def _read(self, consumer: Any) -> None:
        fetched = await consumer.getmany(timeout_ms=500)
        for record in fetched.get(self._topic, ()):
            self._take(record.key, record.value)
            self._next_offset = record.offset + 1
        end = consumer.highwater(self._topic)
        if end is not None and await consumer.position(self._topic) >= end:
            self._caught_up.set()

    def _ended(self, following: asyncio.Task[NoReturn]) -> None:
        """Nobody would take up what is published from now on, and nobody would know."""
        if not following.cancelled() and (problem := following.exception()) is not None:
            self._on_failure(problem)
        self._caught_up.set()

    def _take(self, key: bytes | None, value: bytes | None) -> None:
        if key != CLOSED_FORM_KEY or value is None:
            return
        try:
            self.current = loads(value)
        except ValueError as problem:
            log.error("parameters refused, the former ones stay", error=str(problem), in_use=self.current.version)
            return
        log.info("parameters in use", version=self.current.version, source=self.current.source)
        self._tell()

    def _tell(self) -> None:
        fitted_ms = self.current.fitted_at_ms
        self._metrics.model(self.current.model, self.current.version, None if fitted_ms is None else fitted_ms / 1000)


def read_parameters(path: str) -> BtydParameters:
    """The parameters in a file written by `churnwatch fit`. Raises ValueError naming the file and the fix."""
    try:
        return loads(Path(path).read_bytes())
    except OSError as problem:
        raise ValueError(f"risk.parameters_file: {path!r}: {problem.strerror}; give a file written by `churnwatch fit`") from None
    except ValueError as problem:
        raise ValueError(f"risk.parameters_file: {path!r}: {problem}") from None
