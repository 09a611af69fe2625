"""One partition at work on a store in memory; Kafka's side is played: chunks, positions, ends and probes are handed in, and
the clock on the wall is a number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence

from faust.types import TP
from prometheus_client import CollectorRegistry

from alerts.alert import Alert, IngestionAlert, Message, decode_any
from detectors.parameters import SHIPPED
from detectors.served import ServedModel
from streams.columns import DAY_MS, TOPIC_RANKS
from streams.runtime.backoff import Backoff
from streams.runtime.claim import Claim
from streams.runtime.intake import Chunk
from streams.runtime.live_clock import Probe
from streams.runtime.metrics import Metrics
from streams.runtime.partition import PartitionTask
from streams.runtime.rules import engine_rules, event_rules
from streams.runtime.settings import load_settings
from streams.runtime.shop import Shop
from streams.runtime.topics import ALERTS, CLOCK, DEAD_LETTERS, INPUTS
from streams.voids import Voids
from tests.oracle.journal_repeat import Left
from tests.support.memory_store import MemoryStore
from tests.support.records import FakeRecord

NOW_MS = 20_000 * DAY_MS
HEARTBEAT = json.dumps({"type": "heartbeat", "at_ms": NOW_MS}).encode()
SETTINGS = {
    "CHURNWATCH_TIME__LATENESS_S": "0",
    "CHURNWATCH_ENGINE__HEARTBEAT_COMMIT_S": "0.02",
    "CHURNWATCH_POLICY__BREACH_SPACING_S": "0",
}


class Outlet:
    """A sender whose dead letters leave when a test lets them, each by its offset."""

    def __init__(self) -> None:
        self.alerts: list[Message] = []
        self.records: dict[str, list[FakeRecord]] = defaultdict(list)
        self.letters: list[int] = []
        self.let_go: dict[int, asyncio.Event] = defaultdict(asyncio.Event)

    async def send_together(
        self, topic: str, partition: int, messages: Sequence[tuple[bytes, bytes]]
    ) -> list[BaseException | None]:
        assert partition == 3
        for key, value in messages:
            self.records[topic].append(FakeRecord(topic, partition, len(self.records[topic]), 0, 1, key, value))
        if topic == ALERTS:
            self.alerts += [decode_any(value) for _, value in messages]
        return [None] * len(messages)

    async def send(self, topic: str, _key: bytes | None, value: bytes) -> None:
        assert topic == DEAD_LETTERS
        offset = json.loads(value)["offset"]
        await self.let_go[offset].wait()
        self.letters.append(offset)


class Played:
    """A partition task and the world around it."""

    def __init__(self, **more: str) -> None:
        settings = load_settings(None, SETTINGS | more)
        self.now_ms = NOW_MS
        self.positions: dict[int, int | None] = dict.fromkeys(TOPIC_RANKS.values(), 0)
        self.ends: dict[int, int | None] = dict.fromkeys(TOPIC_RANKS.values(), 0)
        self.store, self.sender = MemoryStore(), Outlet()
        self.received: dict[str, list[FakeRecord]] = defaultdict(list)
        self.shop = Shop(
            settings=settings,
            rules=engine_rules(settings),
            events=event_rules(settings),
            store=self.store,
            sender=self.sender,  # type: ignore[arg-type] # a sender by shape
            metrics=Metrics(CollectorRegistry()),
            model=lambda _: ServedModel(SHIPPED, settings.risk.horizon_days),
            now_ms=lambda: self.now_ms,
            room=lambda: 1 << 24,
            ends=lambda _: dict(self.ends),
            fetched=lambda _: dict(self.positions),
            backoff=Backoff(),
        )
        self.task: PartitionTask
        self.voids = Voids()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Played]:
        meta = await self.store.take_epoch(3, 1, 4, secrets.token_hex(4))
        self.task = PartitionTask(3, meta, 1, self.shop, Claim(voids=self.voids))
        running = asyncio.create_task(self.task.run())
        try:
            yield self
        finally:
            self.task.stop()
            await asyncio.wait_for(running, 20)

    def receives(self, topic: str, first_offset: int, *values: bytes | None, key: bytes = b"anna") -> None:
        """A chunk of these values, with which the topic ends."""
        records = [FakeRecord(topic, 3, first_offset + number, self.now_ms, 1, key, value) for number, value in enumerate(values)]
        rank = TOPIC_RANKS[topic]
        known = self.received[CLOCK if topic == "clock" else topic]
        known += [record for record in records if record.offset >= len(known)]  # what is read again stood there before
        self.positions[rank] = first_offset + len(values)
        self.ends[rank] = max(self.ends[rank] or 0, first_offset + len(values))
        self.task.receive(topic, Chunk(TP(topic, 3), records, 1, 100 * len(records), 1))

    def buys(self, first_offset: int, *times_ms: int, customer: str = "anna") -> None:
        """Purchases of one customer."""
        fields = {"customer_id": customer, "amount": 20.0, "currency": "USD"}
        values = [fields | {"event_id": f"{customer}-{at_ms}", "occurred_at": at_ms} for at_ms in times_ms]
        encoded = [json.dumps(value).encode() for value in values]
        self.receives("purchases", first_offset, *encoded, key=customer.encode())

    def probed(self, asked_ms: int, **ends: int) -> None:
        """The broker has told the ends of the inputs; 0 where none is given."""
        self.task.probe = Probe(asked_ms, {TOPIC_RANKS[topic]: ends.get(topic, 0) for topic in INPUTS})
        self.task.wake.set()

    def done(self, topic: str = "purchases") -> int:
        return self.store.of(3).meta.offsets.get(topic, -1)

    def watermark_ms(self) -> int:
        return self.task.committer.table.state.watermark_ms

    def commits(self, more: int) -> Callable[[], bool]:
        """Whether so many commits were made from now on."""
        target = self.store.of(3).meta.seq + more
        return lambda: self.store.of(3).meta.seq >= target

    def left(self) -> Left:
        """All that stands on topics now, for a repetition."""
        topics = self.received | self.sender.records
        return Left(self.shop.settings, defaultdict(list, topics), {3: self.store.of(3).meta.commit_id})

    def fired(self) -> list[str]:
        return [alert.customer_id for alert in self.sender.alerts if isinstance(alert, Alert)]

    def told(self) -> list[tuple[str, str]]:
        return [(alert.status, alert.reason) for alert in self.sender.alerts if isinstance(alert, IngestionAlert)]


SILENT_FOR_MONTHS = [NOW_MS - days * DAY_MS for days in (230, 216, 202, 188, 174, 160)]
