"""Partitions owned by this process, as a worker owns them: the real committer on a real Redis, and no Kafka.

What leaves is taken for sent at once, and acknowledged in Redis as a worker does it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry

from benchmarks.stream import PARTITIONS
from detectors.parameters import SHIPPED
from detectors.served import ServedModel
from streams.customer import VERSION
from streams.runtime.backoff import Backoff
from streams.runtime.committer import Committer
from streams.runtime.connect import link_to
from streams.runtime.graveyard import Graveyard
from streams.runtime.metrics import Metrics
from streams.runtime.mode import Mode
from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.rules import engine_rules, event_rules
from streams.runtime.settings import Settings
from streams.runtime.shop import Shop
from streams.runtime.store import CommitRequest, System
from tests.support.owners import Arrives

GENERATION = 1_000_000
"""Above whatever Kafka has given the worker that wrote the state."""


class TimedStore(RedisPartitionStore):
    """The store, remembering how long each commit took, ms."""

    def __init__(self, link: RedisLink, *, prefix: str, backoff: Backoff) -> None:
        super().__init__(link, prefix=prefix, record_version=VERSION, backoff=backoff)
        self.commits_ms: list[float] = []

    async def commit(self, partition: int, epoch: int, nonce: str, request: CommitRequest) -> None:
        """See `EpochStore`."""
        began_s = time.perf_counter()
        await super().commit(partition, epoch, nonce, request)
        self.commits_ms.append((time.perf_counter() - began_s) * 1000)


@dataclass(frozen=True, slots=True)
class Owned:
    """store       of all partitions
    committers   of each partition, its table empty at first
    registry     of their metrics
    """

    store: TimedStore
    committers: list[Committer]
    registry: CollectorRegistry

    def evaluations(self) -> int:
        """How many decisions they have committed."""
        samples = (sample for family in self.registry.collect() for sample in family.samples)
        return int(sum(sample.value for sample in samples if sample.name == "churnwatch_decisions_total"))

    def sent(self) -> int:
        """Messages of the partitions' whole lives."""
        return sum(committer.outbox_no for committer in self.committers)


@asynccontextmanager
async def owning(settings: Settings) -> AsyncIterator[Owned]:
    """All partitions under new epochs, with tables that hold nobody yet; what they send is taken while the block runs."""
    backoff, registry = Backoff(), CollectorRegistry()
    link = link_to(settings.redis)
    store = TimedStore(link, prefix=settings.redis.prefix, backoff=backoff)
    publishing: list[asyncio.Task[Any]] = []
    try:
        shop = _shop(settings, store, registry, backoff)
        committers = [await _take(partition, shop) for partition in range(PARTITIONS)]
        publishing += [asyncio.create_task(committer.publisher.run()) for committer in committers]
        yield Owned(store, committers, registry)
    finally:
        for task in publishing:
            task.cancel()
        await asyncio.gather(*publishing, return_exceptions=True)
        await store.close()


def _shop(settings: Settings, store: TimedStore, registry: CollectorRegistry, backoff: Backoff) -> Shop:
    sender: Any = Arrives()
    return Shop(
        settings=settings, rules=engine_rules(settings), events=event_rules(settings), store=store, sender=sender,
        metrics=Metrics(registry), model=lambda _: ServedModel(SHIPPED, settings.risk.horizon_days), now_ms=lambda: 0,
        room=lambda: settings.engine.intake_bytes, ends=lambda _: {}, fetched=lambda _: {}, backoff=backoff,
    )  # fmt: skip


async def _take(partition: int, shop: Shop) -> Committer:
    kafka = shop.settings.kafka
    system = System(kafka.group, kafka.topic_prefix)
    meta = await shop.store.take_epoch(partition, GENERATION, PARTITIONS, secrets.token_hex(8), system)
    return Committer(partition, meta, shop, Graveyard(shop.sender, "dead-letters"), None, Mode())
