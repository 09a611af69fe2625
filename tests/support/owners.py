"""A partition owner in the test's own event loop: the store in memory, Kafka a record of seeks; what Kafka would say is given."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from faust.types import TP
from prometheus_client import CollectorRegistry

from detectors.parameters import SHIPPED
from detectors.served import ServedModel
from streams.runtime.backoff import Backoff
from streams.runtime.log_range import LogRange
from streams.runtime.metrics import Metrics
from streams.runtime.owner import PartitionOwner
from streams.runtime.rules import engine_rules, event_rules
from streams.runtime.settings import load_settings
from streams.runtime.shop import Shop
from streams.runtime.store import CommitRequest, System
from tests.support.memory_store import MemoryStore

TOPICS = ("purchases", "complaints", "logins", "churn.commands", "churn.clock")
OURS = System("churnwatch", "")
QUICK = {"CHURNWATCH_ENGINE__HEARTBEAT_COMMIT_S": "0.05"}


class Consumer:
    """Where it was told to read. `refuses`: raised instead."""

    def __init__(self) -> None:
        self.seeks: dict[TP, int] = {}
        self.fetching = asyncio.Lock()
        self.refuses: Exception | None = None

    async def seek(self, tp: TP, offset: int) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.seeks[tp] = offset


class Arrives:
    """A sender whose broker has everything at once.

    topic_ids_now   Kafka's ids of the topics
    alerts          what was sent to churn.alerts
    """

    def __init__(self) -> None:
        self.alerts: list[bytes] = []
        self.topic_ids_now: dict[str, str] = dict.fromkeys(TOPICS, "")

    async def topic_ids(self, _topics: Iterable[str]) -> dict[str, str]:
        return dict(self.topic_ids_now)

    async def send_together(self, topic: str, _partition: int, messages: Sequence[Any]) -> list[None]:
        self.alerts += [value for _, value in messages if topic == "churn.alerts"]
        return [None for _ in messages]


class App:
    """What of Faust's app an owner asks."""

    def __init__(self) -> None:
        self.consumer, self.consumer_generation_id = Consumer(), 1


class Owned:
    """An owner and what is around it; make it inside a running loop.

    ranges      what the broker holds where it is not empty
    committed   offsets that the group has committed
    failures    what ended the worker
    """

    def __init__(
        self, store: MemoryStore | None = None, *, session_s: float = 0.0, aside_s: float = 60.0, **settings: str
    ) -> None:
        self.store = store or MemoryStore()
        self.ranges: dict[TP, LogRange] = {}
        self.committed: dict[TP, int] = {}
        self.failures: list[BaseException] = []
        self.app, self.sender = App(), Arrives()
        self.metrics = Metrics(CollectorRegistry())
        shop = self._shop(settings)
        self.owner = PartitionOwner(
            shop, lambda: self.app, self._committed, self._ranges, self.failures.append, session_s, aside_s=aside_s
        )

    def _shop(self, more: Mapping[str, str]) -> Shop:
        settings = load_settings(
            None, {"CHURNWATCH_TIME__CLOCK": "history", "CHURNWATCH_KAFKA__PARTITIONS": "2", **QUICK, **more}
        )
        sender: Any = self.sender
        return Shop(
            settings=settings, rules=engine_rules(settings), events=event_rules(settings), store=self.store, sender=sender,
            metrics=self.metrics, model=lambda _: ServedModel(SHIPPED, settings.risk.horizon_days), now_ms=lambda: 0,
            room=lambda: 1 << 24, ends=lambda _: {}, fetched=lambda _: {}, backoff=Backoff(),
        )  # fmt: skip

    async def _committed(self, tp: TP) -> int | None:
        return self.committed.get(tp)

    async def _ranges(self, expected: Mapping[TP, int]) -> dict[TP, LogRange]:
        return {tp: self.ranges.get(tp, LogRange(0, end)) for tp, end in expected.items()}

    async def claim(self, *partitions: int, generation: int = 1) -> None:
        """As after a rebalance; begins, and does not wait."""
        self.app.consumer_generation_id = generation
        await self.owner.claim(frozenset(TP(topic, p) for topic in TOPICS for p in partitions), generation)

    async def settled(self) -> None:
        """The claim has come to an end, or the worker has."""
        async with asyncio.timeout(5):
            while not self.owner.joined and not self.failures:
                await asyncio.sleep(0)

    async def has_committed(self, partition: int, state: bytes | None = None, **offsets: int) -> None:
        """A former owner has folded up to and with these offsets, and left this state."""
        meta = await self.store.take_epoch(partition, 1, 2, "former", OURS)
        await self.store.commit(partition, meta.epoch, "former", CommitRequest(meta.seq + 1, "c", offsets=offsets, state=state))
