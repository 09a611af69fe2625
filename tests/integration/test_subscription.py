"""A channel's own place in `churn.alerts`, on a real broker: where it begins, who holds it, what is told again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest
from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from alerts.alert import Alert, Digest, Message, encode
from alerts.selection import known_as
from streams.runtime.held_channel import HeldChannel
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings, load_settings
from streams.runtime.subscription import Subscription
from streams.runtime.topics import ALERTS
from tests.support.brokers import RunningBroker
from tests.support.channel_cases import FakeChannel
from tests.support.intake_app import committed, until
from tests.support.live import Live
from tests.support.messages import a_message, no_data
from tests.support.receiver import Receiver
from tests.support.redis_servers import RunningRedis

CHANNEL = "sales"


@dataclass
class Site:
    """Topics, and the subscriptions of several workers in this process."""

    broker: RunningBroker
    live: Live
    hook: Receiver
    running: list[tuple[Subscription, asyncio.Task[None], list[FakeChannel], Metrics]] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return load_settings(None, self.live.environment)

    def tell(self, messages: Sequence[Message | bytes], partition: int | None = None) -> None:
        """On the topic, acknowledged; each customer's in one partition."""
        producer = KafkaProducer(bootstrap_servers=self.broker.bootstrap, acks="all")
        try:
            for message in messages:
                value = message if isinstance(message, bytes) else encode(message)
                key = message.customer_id.encode() if isinstance(message, Alert) else b"x"
                producer.send(self.live.prefix + ALERTS, value, key=key, partition=partition)
            producer.flush(30)
        finally:
            producer.close(5)

    async def start(self, *, begin: bool = True) -> int:
        """Another worker's subscription; its number."""
        made: list[FakeChannel] = []

        def make() -> FakeChannel:
            made.append(FakeChannel(self.hook, 0.2))
            return made[-1]

        metrics = Metrics(CollectorRegistry(), channels=(CHANNEL,))
        subscription = Subscription(CHANNEL, make, self.settings, metrics)
        if begin:
            await subscription.begin()
        self.running.append((subscription, asyncio.create_task(subscription.run()), made, metrics))
        return len(self.running) - 1

    async def stop(self, number: int, *, kill: bool = False) -> None:
        subscription, task, _, _ = self.running[number]
        task.cancel() if kill else subscription.stop()
        await asyncio.wait((task,), timeout=20.0)

    def sent(self, number: int) -> list[Message]:
        return [message for channel in self.running[number][2] for message in channel.sent]

    def names(self, number: int) -> list[str]:
        return [message.customer_id for message in self.sent(number) if isinstance(message, Alert)]

    def count(self, number: int, outcome: str) -> float:
        return float(self.running[number][3].channel_messages[CHANNEL, outcome]._value.get())

    def holds(self, number: int) -> bool:
        return self.running[number][0]._held is not None

    def positions(self) -> dict[int, int]:
        group = f"{self.settings.kafka.group}-channel-{CHANNEL}"
        return {tp.partition: offset for tp, offset in committed(self.broker, group).items()}


Make = Callable[..., Site]


@pytest.fixture
async def make(real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, hook: Receiver) -> AsyncIterator[Make]:
    """Makes a site with these settings; nothing of it runs on."""
    made: list[Site] = []

    def site(**settings: str) -> Site:
        made.append(Site(real_kafka, Live(real_kafka, real_redis, prefix, partitions=3, **settings), hook))
        return made[-1]

    yield site
    for one in made:
        for number in range(len(one.running)):
            with contextlib.suppress(asyncio.CancelledError):
                await one.stop(number, kill=True)


async def test_a_new_channel_begins_at_the_end_and_loses_nothing_from_then_on(make: Make) -> None:
    site = make()
    site.tell([a_message(f"old-{k}") for k in range(20)])
    first = await site.start()
    before = site.positions()
    assert sum(before.values()) == 20, "committed before anything is read"
    site.tell([a_message("new")])
    await until(lambda: site.names(first) == ["new"], "the new one and none of the old")
    await site.stop(first)
    site.tell([a_message(f"away-{k}") for k in range(20)])
    second = await site.start()
    await until(lambda: len(site.names(second)) == 20, "what came while nobody was there")
    assert set(site.names(second)) == {f"away-{k}" for k in range(20)}
    await until(lambda: sum(site.positions().values()) == 41, "all settled")


async def test_each_message_is_told_or_counted_with_its_reason(make: Make) -> None:
    site = make(CHURNWATCH_CHANNELS__LEAST_TIER="high")
    number = await site.start()
    told = [a_message("a", "escalated"), no_data()]
    others = [a_message("b"), a_message("c", live=False), a_message("d", "escalated", holdout=True), told[0], b"{", b""]
    site.tell([*told, *others])
    await until(lambda: sum(site.positions().values()) == 8, "all settled")
    outcomes = {"delivered": 2, "below_tier": 1, "past": 1, "holdout": 1, "repeat": 1, "unreadable": 2, "digested": 0}
    assert {outcome: site.count(number, outcome) for outcome in outcomes} == outcomes
    assert {known_as(message) for message in site.sent(number)} == {known_as(message) for message in told}


async def test_one_worker_holds_it_the_others_stand_by_and_take_over(make: Make) -> None:
    site = make()
    first = await site.start()
    await until(lambda: site.holds(first), "the first one holds it")
    second, third = await site.start(), await site.start()
    site.tell([a_message(f"a-{k}") for k in range(12)])
    await until(lambda: sum(site.positions().values()) == 12, "all settled")
    assert len(site.sent(first)) == 12
    assert (site.holds(first), site.holds(second), site.holds(third)) == (True, False, False), "who holds it keeps it"
    await site.stop(first)
    site.tell([a_message(f"b-{k}") for k in range(12)])
    await until(lambda: sum(site.positions().values()) == 24, "all settled by an heir")
    assert sorted(len(site.sent(number)) for number in (second, third)) == [0, 12]


async def test_what_was_not_settled_is_told_by_who_takes_over(make: Make, hook: Receiver) -> None:
    site = make()
    first = await site.start()
    await until(lambda: site.holds(first), "the first one holds it")
    hook.status = 500
    site.tell([a_message(f"a-{k}") for k in range(30)])
    await until(lambda: site.running[first][3].channel_failures[CHANNEL]._value.get() >= 3, "failures")
    assert sum(site.positions().values()) == 0
    await site.stop(first, kill=True)
    hook.status = 200
    second = await site.start()
    await until(lambda: len(site.names(second)) == 30, "all of them")
    assert site.names(first) == []


async def test_a_receiver_that_is_away_for_longer_than_kafka_waits_for_a_poll_keeps_its_holder(
    make: Make, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.runtime.subscription.MAX_POLL_MS", 3_000)
    site = make()
    first = await site.start()
    await until(lambda: site.holds(first), "the first one holds it")
    hook.status = 500
    site.tell([a_message("a")])
    failures = site.running[first][3].channel_failures[CHANNEL]._value
    await until(lambda: failures.get() >= 1, "a failure")
    tenure, rounds = site.running[first][0]._held, failures.get()
    began_s, polls, held = time.monotonic(), [0], HeldChannel.wants_more

    def counted(self: HeldChannel) -> bool:
        polls[0] += 1
        return held(self)

    monkeypatch.setattr(HeldChannel, "wants_more", counted)
    await until(lambda: failures.get() >= rounds + 3, "more of them")
    assert time.monotonic() - began_s > 3.0
    assert polls[0] < 30, "it waits, and does not spin"
    hook.status = 200
    await until(lambda: site.names(first) == ["a"], "delivered after all", 120.0)
    assert site.running[first][0]._held is tenure


async def test_beyond_the_minutes_room_comes_one_digest_and_only_then_is_all_settled(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.stages.budget.MINUTE_MS", 6_000)
    site = make(CHURNWATCH_CHANNELS__PER_MINUTE="5")
    number = await site.start()
    await until(lambda: site.holds(number), "it is held")
    site.tell([a_message(f"a-{k}") for k in range(2_000)])
    await until(lambda: site.running[number][0]._held.desk._digest.messages == 1_995, "all read on")  # type: ignore[union-attr]
    assert sum(site.positions().values()) < 2_000
    assert len(site.sent(number)) == 5
    await until(lambda: len(site.sent(number)) == 6, "the digest")
    digest = site.sent(number)[-1]
    assert isinstance(digest, Digest)
    assert digest.alerts == 1_995
    await until(lambda: sum(site.positions().values()) == 2_000, "all settled")
    assert (site.count(number, "delivered"), site.count(number, "digested")) == (5, 1_995)


async def test_an_error_in_the_channel_itself_is_begun_anew(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    site = make()
    number = await site.start()
    await until(lambda: site.holds(number), "it is held")
    original, broken = FakeChannel.send, [True]

    async def send(self: FakeChannel, message: Message) -> object:
        if broken:
            broken.clear()
            raise json.JSONDecodeError("a plugin's bug", "", 0)
        return await original(self, message)

    monkeypatch.setattr(FakeChannel, "send", send)
    site.tell([a_message("a")])
    await until(lambda: site.names(number) == ["a"], "told by the next tenure")
    await until(lambda: sum(site.positions().values()) == 1, "settled")
