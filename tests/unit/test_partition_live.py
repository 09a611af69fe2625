"""One live partition at work on a store in memory: what moves its watermark, what waits, what a commit may pass over.

Kafka's side is played: chunks, positions, ends and probes are handed in, and the clock on the wall is a number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry

from alerts.alert import Alert, IngestionAlert, Message, decode_any
from detectors.parameters import SHIPPED
from streams.columns import DAY_MS, TOPIC_RANKS
from streams.runtime import partition
from streams.runtime.backoff import Backoff
from streams.runtime.intake import Chunk
from streams.runtime.live_clock import Probe
from streams.runtime.metrics import Metrics
from streams.runtime.partition import PartitionTask
from streams.runtime.rules import engine_rules, event_rules
from streams.runtime.settings import load_settings
from streams.runtime.shop import Shop
from streams.runtime.topics import ALERTS, DEAD_LETTERS, INPUTS
from tests.support.intake_app import until
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
        self.letters: list[int] = []
        self.let_go: dict[int, asyncio.Event] = defaultdict(asyncio.Event)

    async def send_together(
        self, topic: str, partition: int, messages: Sequence[tuple[bytes, bytes]]
    ) -> list[BaseException | None]:
        assert partition == 3
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
        self.shop = Shop(
            settings=settings,
            rules=engine_rules(settings),
            events=event_rules(settings),
            store=self.store,
            sender=self.sender,  # type: ignore[arg-type] # a sender by shape
            metrics=Metrics(CollectorRegistry()),
            model=lambda: SHIPPED,
            now_ms=lambda: self.now_ms,
            room=lambda: 1 << 24,
            ends=lambda _: dict(self.ends),
            fetched=lambda _: dict(self.positions),
            backoff=Backoff(),
        )
        self.task: PartitionTask

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Played]:
        meta = await self.store.take_epoch(3, 1, 4, "nonce")
        self.task = PartitionTask(3, meta, 1, self.shop)
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
        self.positions[rank] = first_offset + len(values)
        self.ends[rank] = max(self.ends[rank] or 0, first_offset + len(values))
        self.task.receive(topic, Chunk(TP(topic, 3), records, 1, 100 * len(records)), lambda: None)

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

    def fired(self) -> list[str]:
        return [alert.customer_id for alert in self.sender.alerts if isinstance(alert, Alert)]

    def told(self) -> list[tuple[str, str]]:
        return [(alert.status, alert.reason) for alert in self.sender.alerts if isinstance(alert, IngestionAlert)]


SILENT_FOR_MONTHS = [NOW_MS - days * DAY_MS for days in (230, 216, 202, 188, 174, 160)]


async def test_the_watermark_moves_to_the_time_of_the_question_once_all_below_its_answer_is_folded() -> None:
    async with Played().running() as played:
        played.buys(0, *SILENT_FOR_MONTHS)
        await until(lambda: played.done() == 5, "six purchases folded")
        await until(played.commits(3), "three commits without an answer of the broker")
        assert played.watermark_ms() == SILENT_FOR_MONTHS[-1]
        played.probed(NOW_MS - 5_000, purchases=8)
        await until(played.commits(3), "three commits with two purchases missing")
        assert played.watermark_ms() == SILENT_FOR_MONTHS[-1]
        assert played.fired() == []
        played.buys(6, NOW_MS - 90_000, customer="other")
        await until(played.commits(3), "three commits with one missing")
        assert played.watermark_ms() == NOW_MS - 90_000
        played.buys(7, NOW_MS - 80_000, customer="other")
        await until(lambda: played.watermark_ms() == NOW_MS - 5_000, "the time of the question")


async def test_while_more_is_coming_than_is_here_it_is_waited_for_so_that_a_backlog_is_folded_in_large_commits() -> None:
    async with Played().running() as played:
        played.ends[TOPIC_RANKS["purchases"]] = 12
        played.buys(0, *SILENT_FOR_MONTHS[:3])
        await until(played.commits(3), "three commits while nine are to come")
        assert played.done() == -1
        assert played.task.merge.buffered_rows == 3
        played.buys(3, *SILENT_FOR_MONTHS[3:])
        await until(lambda: played.done() == 5, "all that is here, as much as is to come")


async def test_rows_of_a_backlog_do_not_wait_for_ever_for_more_to_come_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition, "BACKLOG_PATIENCE_S", 0.1)  # less than the default that the test above relies on
    async with Played().running() as played:
        played.ends[TOPIC_RANKS["purchases"]] = 12
        played.buys(0, *SILENT_FOR_MONTHS[:3])
        await until(lambda: played.done() == 2, "three purchases folded, though nine that are there do not come")


async def test_it_stays_there_until_the_broker_answers_another_question() -> None:
    async with Played().running() as played:
        played.buys(0, *SILENT_FOR_MONTHS)
        played.probed(NOW_MS - 5_000, purchases=6)
        await until(lambda: played.watermark_ms() == NOW_MS - 5_000, "the time of the question")
        await until(lambda: played.fired() == ["anna"] * len(played.fired()) and bool(played.fired()), "an alert by the clock")
        played.now_ms += 4_000
        await until(played.commits(5), "commits with an answer of long ago")
        assert played.watermark_ms() == NOW_MS - 5_000


async def test_what_lies_between_the_last_record_and_the_position_is_no_lag() -> None:
    async with Played().running() as played:
        played.buys(0, *SILENT_FOR_MONTHS)
        played.ends[TOPIC_RANKS["purchases"]] = 9
        played.probed(NOW_MS, purchases=9)
        await until(played.commits(3), "commits while three offsets are not reached")
        assert played.watermark_ms() < NOW_MS
        played.positions[TOPIC_RANKS["purchases"]] = None  # a chunk is on its way
        await until(played.commits(3), "commits while a chunk is on its way")
        assert played.watermark_ms() < NOW_MS
        played.positions[TOPIC_RANKS["purchases"]] = 9
        await until(lambda: played.watermark_ms() == NOW_MS, "the time of the question")


async def test_events_of_others_prove_no_silence_while_heartbeats_are_missing() -> None:
    """Neither at the moment at which more is on its way, so that the clock merely waits."""
    async with Played(CHURNWATCH_TIME__HEARTBEAT_TIMEOUT_S="60").running() as played:
        played.buys(0, *SILENT_FOR_MONTHS)
        played.probed(NOW_MS, purchases=6)
        await until(lambda: played.told() == [("firing", "heartbeat_missing")], "the ingestion alert")
        for number in range(5):
            played.probed(NOW_MS + number, purchases=6 + 2 * number + 2)  # one more is on its way
            played.buys(6 + 2 * number, NOW_MS - 60_000 + 2_000 * number, customer="other")
            await until(lambda n=number: played.done() == 6 + 2 * n, "the other's purchase folded")
            played.buys(7 + 2 * number, NOW_MS - 59_000 + 2_000 * number, customer="other")
            await until(lambda n=number: played.done() == 7 + 2 * n, "the other's purchase folded")
        assert played.watermark_ms() > NOW_MS - 60_000, "event time has moved by months"
        assert "anna" not in played.fired()
        assert played.told() == [("firing", "heartbeat_missing")]
        played.receives("clock", 0, HEARTBEAT, key=b"3")
        played.probed(NOW_MS, purchases=16)
        await until(lambda: "anna" in played.fired(), "the alert that was held")
        assert played.told() == [("firing", "heartbeat_missing"), ("resolved", "caught_up")]
        told = [alert for alert in played.sender.alerts if isinstance(alert, IngestionAlert)]
        assert told[0].alert_id == told[1].alert_id


async def test_a_commit_passes_over_no_dead_letter_that_is_not_safe() -> None:
    async with Played().running() as played:
        played.receives("logins", 0, b"rubbish")
        played.buys(0, NOW_MS)
        await until(lambda: played.shop.metrics.fold_seconds._sum.get() > 0, "a commit that waits for the first letter")
        played.receives("logins", 1, b"more rubbish")  # comes while the commit is under way
        assert played.done("logins") == -1
        played.sender.let_go[0].set()
        await until(lambda: played.done("logins") >= 0, "the first commit")
        assert played.sender.letters == [0]
        assert played.done("logins") == 0, "the second letter has not left"
        assert played.task.burying_bytes > 0
        played.sender.let_go[1].set()
        await until(lambda: played.done("logins") == 1, "the second commit")
        assert played.task.burying_bytes == 0


async def test_the_next_owner_holds_on_and_ends_what_the_former_told() -> None:
    played = Played(CHURNWATCH_TIME__HEARTBEAT_TIMEOUT_S="60")
    async with played.running():
        played.buys(0, *SILENT_FOR_MONTHS)
        played.probed(NOW_MS, purchases=6)
        await until(lambda: len(played.told()) == 1, "the ingestion alert")
    async with played.running():
        played.probed(NOW_MS, purchases=6)
        await until(played.commits(5), "five commits of the next owner")
        assert len(played.told()) == 1
        assert played.fired() == []
        played.receives("clock", 0, HEARTBEAT, key=b"3")
        await until(lambda: len(played.told()) == 2, "its end")
    async with played.running():
        played.probed(NOW_MS + 1_000, purchases=6)
        await until(lambda: played.watermark_ms() == NOW_MS + 1_000, "an owner who knows the last heartbeat")
        assert len(played.told()) == 2


async def test_the_end_of_a_hold_is_told_before_what_was_held_also_when_that_takes_several_commits() -> None:
    async with Played(CHURNWATCH_TIME__HEARTBEAT_TIMEOUT_S="60", CHURNWATCH_ENGINE__MAX_ROWS="1").running() as played:
        for number, customer in enumerate(("anna", "berta", "carla")):
            played.buys(6 * number, *SILENT_FOR_MONTHS, customer=customer)
        played.probed(NOW_MS, purchases=18)
        await until(lambda: played.told() == [("firing", "heartbeat_missing")], "the ingestion alert")
        before = len(played.sender.alerts)
        played.receives("clock", 0, HEARTBEAT, key=b"3")
        await until(lambda: set(played.fired()) == {"anna", "berta", "carla"}, "the alerts that were held")
        assert isinstance(played.sender.alerts[before], IngestionAlert)
