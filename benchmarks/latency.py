"""From an event to its alert: a live worker under steady traffic, by the wall clock.

Regular customers come and go; one event in a hundred is the login of someone who has bought nothing for two years, and
alerts at once. Latency is the arrival of the alert at a consumer of `churn.alerts` less the moment at which its event was
handed to the producer, so batching of the producer, both ways through Kafka, the commit and the outbox are in it. The
producer and the consumer share the machine with the worker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition  # type: ignore[import-untyped]  # aiokafka ships no types

from benchmarks.parts import BATCH_BYTES, Parts, send_all
from benchmarks.stream import PARTITIONS, TOPICS, partition_of
from benchmarks.worker import Watch, running_worker
from streams.columns import DAY_MS
from streams.contract import InputTopic
from streams.runtime.admin import create_topics
from streams.runtime.topics import ALERTS

LIVE = {"CHURNWATCH_TIME__CLOCK": "wall", "CHURNWATCH_POLICY__BREACHES": "1", "CHURNWATCH_LOOKS__UNTIL_DAYS": "1"}
"""An alert at the first breach; and no looks, so that the silent are still silent when they log in."""

SILENT_DAYS_AGO = (770, 765, 760, 755, 750)
REGULAR_DAYS_AGO = (30, 20, 10, 3)
EVENTS_PER_ALERT = 100
WARM_UP_S = 5
TICK_S = 0.005
PATIENCE_S = 30.0
LEAST_SHARE = 0.95
"""Of the rate that was asked for; below it the run fails, for it would not say what it claims."""

_SHARES = (0.30, 0.05, 0.65)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """p50, p99, worst   ms from an event to its alert
    alerts            that were measured, after the first `WARM_UP_S` seconds
    events_per_s      that were sent, in `seconds` seconds
    """

    p50: float
    p99: float
    worst: float
    alerts: int
    events_per_s: float
    seconds: float


class _Cause(msgspec.Struct):
    event_id: str


class _Heard(msgspec.Struct):
    """What of a message on `churn.alerts` matters here."""

    event: _Cause | None = None
    live: bool = False


_decode = msgspec.json.Decoder(_Heard).decode


@dataclass(slots=True)
class _Traffic:
    """Who sends what: events by number, with an id that says it; the same on each run but for the time.

    sent_ms     event id -> when it was handed to the producer
    expected    ids of the events that alert
    """

    regulars: int
    total: int
    sent_ms: dict[str, float] = field(default_factory=dict)
    expected: set[str] = field(default_factory=set)

    def events(self) -> Iterator[tuple[InputTopic, str, bool]]:
        """Topic, customer, and whether it alerts."""
        chance = np.random.default_rng(20240301)
        who = chance.integers(0, self.regulars, self.total).tolist()
        ranks = chance.choice(len(TOPICS), self.total, p=_SHARES).tolist()
        for i in range(self.total):
            if i % EVENTS_PER_ALERT == 0:
                yield "logins", f"silent-{i // EVENTS_PER_ALERT}", True
            else:
                yield TOPICS[ranks[i]], f"regular-{who[i]}", False

    def history(self, now_ms: int) -> list[tuple[int, str]]:
        """(time, customer) of what everyone has bought before, in order."""
        silent = [f"silent-{k}" for k in range(-(-self.total // EVENTS_PER_ALERT))]
        regular = [f"regular-{k}" for k in range(self.regulars)]
        bought = [(now_ms - days * DAY_MS, name) for days in SILENT_DAYS_AGO for name in silent]
        return bought + [(now_ms - days * DAY_MS, name) for days in REGULAR_DAYS_AGO for name in regular]


def measure_latency(parts: Parts, folder: Path, events_per_s: int, seconds: int, regulars: int) -> LatencyResult:
    """Send for `seconds` after a warm-up, and wait for every alert. Raises RuntimeError when one is missing."""
    live = parts.reading("live.", **LIVE)
    create_topics(live.settings)
    traffic = _Traffic(regulars, events_per_s * (seconds + WARM_UP_S))
    bought = traffic.history(time.time_ns() // 1_000_000)
    asyncio.run(_preload(live, bought))
    with running_worker(live, folder / "live.log") as worker:
        watch = Watch(worker, live, folder / "live.log")
        watch.until(lambda now: now.events == len(bought) and now.waiting == 0, "has taken what was bought before")
        return asyncio.run(_measure(live, traffic, events_per_s, seconds))


def _event(topic: InputTopic, event_id: str, customer: str, time_ms: int) -> bytes:
    event: dict[str, Any] = {"event_id": event_id, "customer_id": customer, "occurred_at": time_ms}
    return _encode(event | {"amount": 25.0, "currency": "USD"} if topic == "purchases" else event)


async def _preload(live: Parts, bought: list[tuple[int, str]]) -> None:
    settings = live.settings
    messages: list[list[tuple[int, bytes, bytes]]] = [[] for _ in range(PARTITIONS)]
    for number, (time_ms, customer) in enumerate(bought):
        key = customer.encode()
        messages[partition_of(key)].append((time_ms, key, _event("purchases", f"h{number}", customer, time_ms)))
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap, max_batch_size=BATCH_BYTES, acks="all")
    async with producer:
        for partition, there in enumerate(messages):
            await send_all(producer, settings.kafka.topic_prefix + "purchases", partition, there)


async def _measure(live: Parts, traffic: _Traffic, events_per_s: int, seconds: int) -> LatencyResult:
    settings = live.settings
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka.bootstrap, group_id=None)
    async with consumer, AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap, acks="all", linger_ms=2) as producer:
        tps = [TopicPartition(settings.kafka.topic_prefix + ALERTS, partition) for partition in range(PARTITIONS)]
        consumer.assign(tps)
        await consumer.seek_to_end(*tps)
        hearing = asyncio.create_task(_hear(consumer, traffic))
        try:
            took_s = await _send(producer, settings.kafka.topic_prefix, traffic, events_per_s)
            heard_ms = await asyncio.wait_for(hearing, PATIENCE_S)
        except TimeoutError:
            raise RuntimeError(f"not every alert came within {PATIENCE_S:g} s") from None
        finally:
            hearing.cancel()
    rate = traffic.total / took_s
    if rate < LEAST_SHARE * events_per_s:
        raise RuntimeError(f"{rate:.0f} events/s were sent, not {events_per_s}: the machine is too busy")
    warm = events_per_s * WARM_UP_S
    latency_ms = [at_ms - traffic.sent_ms[name] for name, at_ms in heard_ms.items() if int(name[1:]) >= warm]
    p50, p99 = np.percentile(latency_ms, [50, 99]).tolist()
    return LatencyResult(p50, p99, max(latency_ms), len(latency_ms), rate, seconds)


async def _send(producer: Any, prefix: str, traffic: _Traffic, events_per_s: int) -> float:
    """Send all events, each when its time has come; returns how long that took, s."""
    began_s = time.perf_counter()
    for number, (topic, customer, alerts) in enumerate(traffic.events()):
        ahead_s = began_s + number / events_per_s - time.perf_counter()
        if ahead_s > TICK_S:
            await asyncio.sleep(ahead_s)
        name, key, at_ms = f"l{number}", customer.encode(), time.time_ns() / 1e6
        if alerts:
            traffic.expected.add(name)
        traffic.sent_ms[name] = at_ms
        await producer.send(prefix + topic, _event(topic, name, customer, int(at_ms)), key=key, partition=partition_of(key))
    await producer.flush()
    return time.perf_counter() - began_s


async def _hear(consumer: Any, traffic: _Traffic) -> dict[str, float]:
    """Event id -> when the first alert about it arrived, ms; returns once there is one for every event that alerts."""
    heard: dict[str, float] = {}
    total = -(-traffic.total // EVENTS_PER_ALERT)
    missing = total
    while missing:
        fetched = await consumer.getmany(timeout_ms=1_000)
        at_ms = time.time_ns() / 1e6
        for alert in (_decode(record.value) for records in fetched.values() for record in records):
            if alert.live and alert.event is not None and alert.event.event_id not in heard:
                heard[alert.event.event_id] = at_ms
                missing -= alert.event.event_id in traffic.expected
    return heard
