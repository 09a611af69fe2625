"""The parameters in use: shipped, from a file, or the newest snapshot on `churn.models`, taken up while running."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition  # type: ignore[import-untyped] # aiokafka ships no types
from aiokafka.errors import KafkaError  # type: ignore[import-untyped] # as above

from detectors.parameters import SHIPPED, BtydParameters, loads
from streams.runtime.metrics import Metrics
from streams.runtime.sender import aiokafka_options
from streams.runtime.settings import Settings
from streams.runtime.topics import MODELS

log = structlog.get_logger()

CLOSED_FORM_KEY = b"closed-form"


class ModelFeed:
    """The closed form's parameters.

    A file in the settings is pinned: snapshots on the topic are then ignored. Otherwise the newest snapshot serves from the next
    batch on; a snapshot that cannot be read is reported and the one in use stays.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._pinned = settings.risk.parameters_file is not None
        self.current: BtydParameters = read_parameters(settings.risk.parameters_file) if settings.risk.parameters_file else SHIPPED
        self._following: asyncio.Task[None] | None = None
        self._caught_up = asyncio.Event()
        self._tell()

    async def start(self) -> None:
        """Follow the topic; returns once what is already there has been read."""
        if self._pinned:
            return
        self._following = asyncio.create_task(self._follow(), name="models")
        await self._caught_up.wait()

    async def stop(self) -> None:
        """Stop following."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following

    async def _follow(self) -> None:
        topic = TopicPartition(self._settings.kafka.topic_prefix + MODELS, 0)
        consumer = AIOKafkaConsumer(
            **aiokafka_options(self._settings.kafka), enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            consumer.assign([topic])
            await consumer.seek_to_beginning(topic)
            while True:
                try:
                    fetched = await consumer.getmany(timeout_ms=500)
                except KafkaError as problem:
                    log.warning("models cannot be read", error=str(problem))
                    continue
                for records in fetched.values():
                    for record in records:
                        self._take(record.key, record.value)
                end = consumer.highwater(topic)
                if end is not None and await consumer.position(topic) >= end:
                    self._caught_up.set()
        finally:
            self._caught_up.set()
            await consumer.stop()

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
        # shipped parameters have no date: their age is that of the data they were fitted on, which nobody can act on
        fitted_s = (self.current.fitted_at_ms or 0) / 1000
        self._metrics.model(self.current.model, self.current.version, fitted_s)


def read_parameters(path: str) -> BtydParameters:
    """The parameters in a file written by `churnwatch fit`. Raises ValueError naming the file and the fix."""
    try:
        return loads(Path(path).read_bytes())
    except OSError as problem:
        raise ValueError(f"risk.parameters_file: {path!r}: {problem.strerror}; give a file written by `churnwatch fit`") from None
    except ValueError as problem:
        raise ValueError(f"risk.parameters_file: {path!r}: {problem}") from None
