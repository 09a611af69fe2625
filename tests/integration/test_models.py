"""Parameters on `churn.models`, followed on a real broker: taken up while running, kept when what comes is no snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from detectors.parameters import SHIPPED, BtydParameters, dumps
from streams.runtime.admin import create_topics
from streams.runtime.backoff import Backoff, Retrying
from streams.runtime.metrics import Metrics
from streams.runtime.models import CLOSED_FORM_KEY, ModelFeed
from streams.runtime.settings import Settings, load_settings
from tests.support.brokers import RunningBroker, kafka_broker


def settings_for(broker: RunningBroker, prefix: str) -> Settings:
    return load_settings(None, {"CHURNWATCH_KAFKA__BOOTSTRAP": broker.bootstrap, "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix})


def version(name: str) -> BtydParameters:
    return msgspec.structs.replace(SHIPPED, version=name, fitted_at_ms=1_000_000_000_000)


def publish(settings: Settings, *values: bytes | None, key: bytes = CLOSED_FORM_KEY) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.kafka.bootstrap, acks="all")
    for value in values:
        producer.send(f"{settings.kafka.topic_prefix}churn.models", value, key=key).get(10)
    producer.close()


class Followed:
    """A feed, what it reported, and what ended it."""

    def __init__(self, settings: Settings) -> None:
        self.retries: list[Retrying] = []
        self.failures: list[BaseException] = []
        self.metrics = Metrics(CollectorRegistry())
        self.feed = ModelFeed(settings, self.metrics, Backoff(on_retry=self.retries.append), self.failures.append)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        async with asyncio.timeout(30):
            while not condition():
                assert not self.failures
                await asyncio.sleep(0.02)
        assert condition(), what

    async def until_in_use(self, name: str) -> None:
        await self.until(lambda: self.feed.current.version == name, name)


@asynccontextmanager
async def following(settings: Settings) -> AsyncIterator[Followed]:
    followed = Followed(settings)
    try:
        async with asyncio.timeout(30):
            await followed.feed.start()
        yield followed
    finally:
        await followed.feed.stop()


@pytest.fixture
def settings(real_kafka: RunningBroker, prefix: str) -> Settings:
    made = settings_for(real_kafka, prefix)
    create_topics(made)
    return made


async def test_nothing_published_leaves_the_shipped_ones_and_does_not_wait(settings: Settings) -> None:
    async with following(settings) as followed:
        assert followed.feed.current == SHIPPED


async def test_the_newest_serves_from_the_start_and_a_newer_one_while_running(settings: Settings) -> None:
    publish(settings, dumps(version("v1")), dumps(version("v2")))
    async with following(settings) as followed:
        assert followed.feed.current == version("v2")
        publish(settings, dumps(version("v3")))
        await followed.until_in_use("v3")
        assert followed.metrics.registry.get_sample_value("churnwatch_model_info", {"model": "mbg_nbd", "version": "v3"})


async def test_rubbish_keeps_the_former_and_the_next_good_one_is_taken(settings: Settings) -> None:
    rubbish = [
        *(b"", b"\xff", b"[]", b"{", None, b"[" * 100_000, b'{"model": 1, "x": ' + b"[" * 100_000),
        dumps(SHIPPED).replace(b'"fitted_at_ms": null', b'"fitted_at_ms": 1' + b"0" * 400),
        dumps(SHIPPED).replace(b"0.525", b"-1"),
    ]
    publish(settings, dumps(version("good")), *rubbish)
    publish(settings, dumps(version("another model's")), key=b"online")
    async with following(settings) as followed:
        assert followed.feed.current == version("good")
        publish(settings, *rubbish, dumps(version("better")))
        await followed.until_in_use("better")


async def test_a_broker_that_is_away_at_the_start_is_waited_for(settings: Settings, tmp_path: Path) -> None:
    with kafka_broker(tmp_path) as broker:
        ours = settings_for(broker, settings.kafka.topic_prefix)
        create_topics(ours)
        publish(ours, dumps(version("kept")))
        broker.kill()
        followed = Followed(ours)
        starting = asyncio.create_task(followed.feed.start())
        try:
            await followed.until(lambda: len(followed.retries) > 1, "tries again")
            assert not starting.done()
            await asyncio.to_thread(broker.start)
            async with asyncio.timeout(30):
                await starting
            assert followed.feed.current == version("kept")
            broker.kill()
            await asyncio.to_thread(broker.start)
            await asyncio.to_thread(publish, ours, dumps(version("after the outage")))
            await followed.until_in_use("after the outage")
        finally:
            await followed.feed.stop()


async def test_an_error_while_reading_begins_anew_where_it_was(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The errors that aiokafka's position() and getmany() give are rare on a healthy broker, so one is put in their way."""
    publish(settings, dumps(version("v1")), dumps(version("v2")))
    async with following(settings) as followed:
        in_use = [followed.feed.current.version]
        whole, taken = AIOKafkaConsumer.position, followed.feed._take

        async def failing(*_: object) -> int:
            monkeypatch.setattr(AIOKafkaConsumer, "position", whole)
            raise KafkaError("put in the way")

        def noted(key: bytes | None, value: bytes | None) -> None:
            taken(key, value)
            in_use.append(followed.feed.current.version)

        monkeypatch.setattr(followed.feed, "_take", noted)
        monkeypatch.setattr(AIOKafkaConsumer, "position", failing)
        await followed.until(lambda: len(followed.retries) == 1, "tries again")
        publish(settings, dumps(version("v3")))
        await followed.until_in_use("v3")
        assert in_use == ["v2", "v3"]


async def test_what_waiting_cannot_cure_is_told_and_does_not_hang_the_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> int:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(AIOKafkaConsumer, "position", broken)
    async with following(settings) as followed:
        assert [type(problem) for problem in followed.failures] == [ZeroDivisionError]
