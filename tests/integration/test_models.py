"""Parameters on `churn.models`, followed on a real broker: taken up while running, kept when what comes is no snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

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
from streams.runtime.models import ModelFeed
from streams.runtime.settings import Settings, load_settings
from streams.serving import CLOSED_FORM_KEY, SERVING_KEY, Serving, encode_serving, serving_of
from tests.support.brokers import RunningBroker, kafka_broker
from tests.support.eventually import DEADLINE_S
from tests.support.learners import a_learner


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
        async with asyncio.timeout(DEADLINE_S):
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
        async with asyncio.timeout(DEADLINE_S):
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
        assert followed.feed.current.closed_form == SHIPPED


async def test_the_newest_serves_from_the_start_and_a_newer_one_while_running(settings: Settings) -> None:
    publish(settings, dumps(version("v1")), dumps(version("v2")))
    async with following(settings) as followed:
        assert followed.feed.current.closed_form == version("v2")
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
        assert followed.feed.current.closed_form == version("good")
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
            async with asyncio.timeout(DEADLINE_S):
                await starting
            assert followed.feed.current.closed_form == version("kept")
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


# -- what is learnt ---------------------------------------------------------------------------------------------------

LEARNING = {"CHURNWATCH_LEARNING__ENABLED": "true", "CHURNWATCH_RISK__HORIZON_DAYS": "4", "CHURNWATCH_TIME__CLOCK": "history"}
LEARNING |= {"CHURNWATCH_LEARNING__SNAPSHOTS_PER_HORIZON": "2"}


@pytest.fixture
def learning(real_kafka: RunningBroker, prefix: str) -> Settings:
    where = {"CHURNWATCH_KAFKA__BOOTSTRAP": real_kafka.bootstrap, "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix}
    made = load_settings(None, where | LEARNING)
    create_topics(made)
    return made


def learnt(days: int, tick_ms: int | None) -> Serving:
    """What serves after so many days of learning."""
    learner = a_learner(days)
    return serving_of(learner, tick_ms, learner.tick_ms)


def serve(settings: Settings, *servings: Serving) -> None:
    publish(settings, *map(encode_serving, servings), key=SERVING_KEY)


async def test_each_tick_of_a_history_has_the_model_that_was_learnt_by_it_also_when_it_is_passed_anew(learning: Settings) -> None:
    first, second = learnt(14, 1_000), learnt(15, 2_000)
    async with following(learning) as followed:
        feed = followed.feed
        assert (feed.awaits(0), feed.awaits(1_000)) == (False, True)
        serve(learning, first, second)
        await followed.until_in_use(second.version)
        assert (feed.awaits(2_000), feed.awaits(2_001)) == (False, True)
        used = [feed.model(tick_ms).version for tick_ms in (0, 1_000, 1_500, 2_000, 9_000)]
        assert used == [SHIPPED.version, first.version, first.version, second.version, second.version]
        assert feed.model(None).version == second.version
    async with following(learning) as followed:
        assert followed.feed.model(1_000).version == first.version, "a worker that comes later reads them all"


async def test_what_is_learnt_live_is_waited_for_by_nobody_and_a_person_s_parameters_do_not_come_before_it(
    learning: Settings,
) -> None:
    live = learnt(15, None)
    publish(learning, dumps(version("a person's")))
    serve(learning, live)
    publish(learning, dumps(version("a later person's")))
    async with following(learning) as followed:
        assert followed.feed.current.version == live.version
        assert not followed.feed.awaits(10**15)


async def test_what_does_not_fit_is_refused_and_counted_and_the_former_stays(learning: Settings) -> None:
    good, registry = learnt(14, None), "churnwatch_models_refused_total"
    assert good.linear is not None
    other_inputs = msgspec.structs.replace(good, linear=msgspec.structs.replace(good.linear, inputs_hash="0" * 16))
    async with following(learning) as followed:
        serve(learning, good)
        await followed.until_in_use(good.version)
        others: list[dict[str, Any]] = [{"horizon_days": 90}, {"staying": "logins"}]
        serve(learning, other_inputs, *(msgspec.structs.replace(good, **other) for other in others))
        publish(learning, b"rubbish", key=SERVING_KEY)
        await followed.until(lambda: followed.metrics.registry.get_sample_value(registry) == 4, "four are refused")
        assert followed.feed.current.version == good.version
        newer = learnt(15, None)
        serve(learning, newer)
        await followed.until_in_use(newer.version)
        info = followed.metrics.registry.get_sample_value
        assert info("churnwatch_model_info", {"model": "logit", "version": newer.version}) == 1
        assert info("churnwatch_model_info", {"model": "logit", "version": good.version}) is None
        assert info("churnwatch_model_info", {"model": "mbg_nbd", "version": SHIPPED.version}) is None


async def test_without_learning_what_was_learnt_is_left_alone(settings: Settings) -> None:
    serve(settings, learnt(15, 1_000))
    async with following(settings) as followed:
        assert followed.feed.current.closed_form == SHIPPED
        assert not followed.feed.awaits(10**15)


async def test_a_pinned_closed_form_is_not_replaced_by_another(learning: Settings, tmp_path: Path) -> None:
    file = tmp_path / "parameters.json"
    file.write_bytes(dumps(version("pinned")))
    pinned = load_settings(f"risk:\n  parameters_file: {file}\n  horizon_days: 4", {
        "CHURNWATCH_KAFKA__BOOTSTRAP": learning.kafka.bootstrap, "CHURNWATCH_KAFKA__TOPIC_PREFIX": learning.kafka.topic_prefix,
        "CHURNWATCH_LEARNING__ENABLED": "true", "CHURNWATCH_LEARNING__SNAPSHOTS_PER_HORIZON": "2",
    })  # fmt: skip
    serve(learning, learnt(15, None))
    async with following(pinned) as followed:
        assert followed.feed.current.closed_form == version("pinned")
        assert followed.metrics.registry.get_sample_value("churnwatch_models_refused_total") == 1
