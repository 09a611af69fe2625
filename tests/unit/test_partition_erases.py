"""One partition at work on a store in memory: commands are carried out before anything else, whole, and hold for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from faust.types import TP

from streams.columns import DAY_MS, TOPIC_RANKS
from streams.customer import read_records
from streams.erasure import ErasureNotice, decode_notice
from streams.runtime.claim import Claim
from streams.runtime.commits import unpack_state
from streams.runtime.erasing import ErasureKeyError
from streams.runtime.intake import Chunk
from streams.runtime.losses import Gap
from streams.runtime.partition import PartitionTask
from streams.runtime.topics import ALERTS, ERASURES
from streams.state import PartitionState
from streams.tombstones import digest
from tests.support.intake_app import until
from tests.support.played import NOW_MS, SILENT_FOR_MONTHS, Played
from tests.support.records import FakeRecord

KEY = "a secret of the tests"
COMMANDS = TOPIC_RANKS["commands"]


class Erasing(Played):
    """A live partition whose broker's commands, receipts and outage are at hand.

    blocked   while it is set, nothing leaves
    """

    def __init__(self, **more: str) -> None:
        super().__init__(**({"CHURNWATCH_ERASURE__KEY": KEY} | more))
        self.notices: list[ErasureNotice] = []
        self.blocked = False
        self._send_together = self.sender.send_together
        self.sender.send_together = self._sent  # type: ignore[method-assign] # receipts are collected, and nothing leaves while blocked

    async def _sent(self, topic: str, partition: int, messages: Any) -> list[BaseException | None]:
        if self.blocked:
            return [ConnectionError("no broker")] * len(messages)
        if topic == ERASURES:
            self.notices += [decode_notice(value) for _, value in messages]
        return await self._send_together(topic, partition, messages)

    def asks(self, offset: int, *customers: str, at_ms: int | None = None) -> None:
        """Commands from this offset on, taken by the broker then (None: now)."""
        records = []
        for number, customer in enumerate(customers, offset):
            fields = {"type": "erase", "command_id": f"e{number}", "customer_id": customer, "asked_at": 1_600_000_000_000}
            stamp = self.now_ms if at_ms is None else at_ms
            records.append(FakeRecord("churn.commands", 3, number, stamp, 1, customer.encode(), json.dumps(fields).encode()))
        self.positions[COMMANDS] = offset + len(records)
        self.task.receive("commands", Chunk(TP("churn.commands", 3), records, 1, 100 * len(records), 1))

    @asynccontextmanager
    async def again(self, commands_end: int) -> AsyncIterator[None]:
        """The next owner of the partition."""
        meta = await self.store.take_epoch(3, 1, 4, f"nonce{self.store.of(3).meta.epoch}")
        self.task = PartitionTask(3, meta, 1, self.shop, Claim(commands_end=commands_end))
        running = asyncio.create_task(self.task.run())
        try:
            yield
        finally:
            self.task.stop()
            await asyncio.wait_for(running, 20)

    def has(self, customer: str) -> int | None:
        """Purchases that are kept of a customer; None where nothing is."""
        blob = self.store.of(3).records.get(customer)
        return None if blob is None else int(read_records([blob])["purchases"][0])

    def state(self) -> PartitionState:
        blob = self.store.of(3).meta.state
        assert blob is not None
        return PartitionState.from_bytes(unpack_state(blob).engine)

    def traces(self, customer: str) -> list[str]:
        """What in the store holds the id."""
        at, name = self.store.of(3), customer.encode()
        kept = {"records": at.records, "due": at.due, "risk": at.risk, "triggered": at.triggered}
        found = [what for what, keys in kept.items() if any(customer in key for key in keys)]
        return found + [entry.topic for entry in at.outbox if name in entry.key or name in entry.value]


async def test_an_erased_customer_leaves_nothing_and_the_others_are_as_they_were() -> None:
    async with Erasing().running() as played:
        played.buys(0, *SILENT_FOR_MONTHS)
        played.buys(6, *SILENT_FOR_MONTHS[:3], customer="berta")
        await until(lambda: played.done() == 8, "nine purchases folded")
        assert played.store.of(3).due.keys() == {"anna", "berta"}
        before = played.store.of(3).records["berta"]
        played.asks(0, "anna")
        await until(lambda: played.notices != [], "the notice")
        assert (played.has("anna"), played.store.of(3).records["berta"]) == (None, before)
        assert played.traces("anna") == []
        assert played.done("commands") == 0
        assert played.store.of(3).erased == {digest(KEY.encode(), "anna"): NOW_MS}
        state = played.state()
        assert (int(state.customers.sum()), int(state.quintiles.frequency.sum()), int(state.quintiles.recency.sum())) == (1, 1, 1)
        assert played.shop.metrics.erasures._value.get() == 1
        [notice] = played.notices
        assert (notice.command_id, notice.customer_id, notice.partition) == ("e0", "anna", 3)
        assert (notice.removed.record, notice.removed.messages) == (True, 0)
        assert {"purchases", "churn.commands", "churn.alerts"} <= {one.where for one in notice.remains}


async def test_the_past_does_not_come_back_and_what_is_later_is_a_new_customers() -> None:
    async with Erasing().running() as played:
        played.buys(0, *SILENT_FOR_MONTHS)
        played.asks(0, "anna", at_ms=NOW_MS - DAY_MS)
        await until(lambda: played.done("commands") == 0, "the erasure")
        played.buys(6, *(at_ms + 1 for at_ms in SILENT_FOR_MONTHS), NOW_MS - DAY_MS)
        await until(lambda: played.done() == 12, "the same and another sent again")
        assert (played.has("anna"), played.traces("anna")) == (None, [])
        played.buys(13, NOW_MS - DAY_MS + 1)
        played.buys(14, NOW_MS - DAY_MS - 5, NOW_MS)
        await until(lambda: played.done() == 15, "a return, with something of the past after it")
        assert played.has("anna") == 2
        erased = {topic: counter._value.get() for topic, counter in played.shop.metrics.events_erased.items()}
        assert erased["purchases"] >= 8
        assert (erased["logins"], erased["complaints"]) == (0, 0)


async def test_one_who_returned_and_whose_row_is_out_of_memory_is_still_known_by_its_hash() -> None:
    async with Erasing(CHURNWATCH_ENGINE__CACHED_CUSTOMERS="1").running() as played:
        played.asks(0, "anna", at_ms=NOW_MS - DAY_MS)
        await until(lambda: played.done("commands") == 0, "the erasure")
        played.buys(0, NOW_MS - 1)
        for number in range(4):
            played.buys(1 + number, NOW_MS, customer=f"other-{number}")
            await until(lambda n=number: played.done() == 1 + n, "one folded")  # type: ignore[misc] # bound now
        assert "anna" not in played.task.committer.table.row_of, "it was to be dropped from memory"
        played.buys(5, NOW_MS - 2 * DAY_MS, NOW_MS)
        await until(lambda: played.done() == 6, "both passed")
        assert played.has("anna") == 2


async def test_messages_that_wait_are_taken_back_and_the_notice_says_how_many() -> None:
    async with Erasing().running() as played:
        played.blocked = True
        played.buys(0, *SILENT_FOR_MONTHS)
        played.buys(6, *SILENT_FOR_MONTHS, customer="berta")
        await until(lambda: played.done() == 11, "all folded")
        played.probed(NOW_MS - 5_000, purchases=12)
        alerted = lambda: {entry.key for entry in played.store.of(3).outbox if entry.topic == ALERTS}  # noqa: E731 - read thrice
        await until(lambda: alerted() == {b"anna", b"berta"}, "alerts about both wait")
        waiting = sum(entry.key == b"anna" and entry.topic == ALERTS for entry in played.store.of(3).outbox)
        played.asks(0, "anna")
        await until(lambda: played.done("commands") == 0, "the erasure")
        assert alerted() == {b"berta"}
        assert played.traces("anna") == [ERASURES], "the notice waits to leave"
        played.blocked = False
        await until(lambda: played.notices != [] and played.store.of(3).outbox == [], "all left")
        assert set(played.fired()) == {"berta"}
        assert played.notices[0].removed.messages == waiting > 0


async def test_commands_of_one_chunk_are_one_commit_and_each_has_its_notice() -> None:
    async with Erasing().running() as played:
        played.buys(0, *SILENT_FOR_MONTHS)
        await until(lambda: played.done() == 5, "folded")
        played.asks(0, "anna", "nobody", "anna")
        await until(lambda: len(played.notices) == 3, "three notices")
        assert [(one.command_id, one.removed.record) for one in played.notices] == [("e0", True), ("e1", False), ("e2", False)]


async def test_no_event_is_folded_before_the_commands_that_were_there_at_the_claim() -> None:
    """Redis was lost, or is rebuilt: all events come again, and the erasures stand behind them in time."""
    played = Erasing()
    played.positions[COMMANDS] = None
    async with played.again(commands_end=2):
        played.buys(0, *SILENT_FOR_MONTHS)
        played.buys(6, NOW_MS, customer="berta")
        await until(played.commits(3), "three heartbeats")
        assert played.done() == -1
        played.asks(0, "carla")
        played.positions[COMMANDS] = None
        await until(played.commits(3), "three more")
        assert played.done() == -1, "one of two was read"
        played.asks(1, "anna", at_ms=NOW_MS - 1)
        await until(lambda: played.done() == 6, "folded")
    assert (played.has("anna"), played.has("berta")) == (None, 1)
    assert played.fired() == []


async def test_positions_beyond_the_last_command_count_for_the_end() -> None:
    """A transaction's marker is no record."""
    played = Erasing()
    async with played.again(commands_end=2):
        played.positions[COMMANDS] = 1
        played.buys(0, NOW_MS)
        await until(played.commits(3), "three heartbeats")
        assert played.done() == -1
        played.positions[COMMANDS] = 2
        await until(lambda: played.done() == 0, "folded")


async def test_commands_read_again_after_a_rebuild_tell_nobody_again_and_spare_who_returned() -> None:
    played = Erasing()
    async with played.again(commands_end=0):
        played.asks(0, "anna", at_ms=NOW_MS - DAY_MS)
        await until(lambda: len(played.notices) == 1, "the notice")
        played.buys(0, NOW_MS - 2 * DAY_MS, NOW_MS)
        await until(lambda: played.done() == 1, "a return")
    at = played.store.of(3)
    at.meta, at.records, at.due, at.risk = type(at.meta)(), {}, {}, {}
    async with played.again(commands_end=1):
        played.asks(0, "anna", at_ms=NOW_MS - DAY_MS)
        played.buys(0, NOW_MS - 2 * DAY_MS, NOW_MS)
        await until(lambda: played.done() == 1, "all read again")
        await until(lambda: played.done("commands") == 0, "the command passed by")
    assert (played.has("anna"), len(played.notices)) == (1, 1)


async def test_a_bad_command_is_a_dead_letter_that_is_safe_before_it_is_passed() -> None:
    async with Erasing().running() as played:
        played.receives("commands", 0, b"no command")
        played.asks(1, "anna")
        for _ in range(50):
            await asyncio.sleep(0)
        assert (played.done("commands"), played.store.of(3).erased) == (-1, {})
        played.sender.let_go[0].set()
        await until(lambda: played.done("commands") == 1, "passed, and the next carried out")
        assert played.sender.letters == [0]


async def test_without_a_key_the_partition_ends_with_what_to_do_and_nothing_is_passed() -> None:
    played = Erasing(CHURNWATCH_ERASURE__KEY="")
    played.task = PartitionTask(3, await played.store.take_epoch(3, 1, 4, "nonce"), 1, played.shop)
    played.asks(0, "anna")
    with pytest.raises(ErasureKeyError, match=r"erasure\.key is not set; set it"):
        await asyncio.wait_for(played.task.run(), 5)
    assert played.done("commands") == -1


@pytest.mark.parametrize(("key", "says"), [("", "is not set"), ("another secret of tests", "is not the one")])
async def test_under_another_key_or_none_a_partition_with_erased_customers_is_refused(key: str, says: str) -> None:
    first = Erasing()
    async with first.running():
        first.asks(0, "anna")
        await until(lambda: first.notices != [], "the notice")
    second = Erasing(CHURNWATCH_ERASURE__KEY=key)
    second.store.partitions = first.store.partitions
    second.task = PartitionTask(3, await second.store.take_epoch(3, 2, 4, "next"), 1, second.shop)
    with pytest.raises(ErasureKeyError, match=says):
        await asyncio.wait_for(second.task.run(), 5)


async def test_old_tombstones_are_forgotten_when_event_time_has_come_so_far() -> None:
    async with Erasing(CHURNWATCH_ERASURE__FORGET_AFTER_DAYS="30").running() as played:
        played.asks(0, "anna", at_ms=NOW_MS - 100 * DAY_MS)
        played.asks(1, "berta", at_ms=NOW_MS - 10 * DAY_MS)
        await until(lambda: played.done("commands") == 1, "both")
        assert len(played.store.of(3).erased) == 2
        played.buys(0, NOW_MS, customer="carla")
        await until(lambda: len(played.store.of(3).erased) == 1, "the old one forgotten")
        assert played.store.of(3).erased.keys() == {digest(KEY.encode(), "berta")}
        assert np.isclose(played.watermark_ms(), NOW_MS)


async def test_events_that_were_gone_at_the_claim_are_told_though_an_erasure_comes_first() -> None:
    """The claim has stepped over them, so the very first commit passes them by."""
    played = Erasing()
    meta = await played.store.take_epoch(3, 1, 4, "nonce")
    meta = replace(meta, offsets={"purchases": 19})
    gap = Gap("purchases", "purchases", 3, 5, 20)
    played.task = PartitionTask(3, meta, 1, played.shop, Claim(gaps=[gap], commands_end=1))
    played.asks(0, "anna")
    running = asyncio.create_task(played.task.run())
    await until(lambda: played.done("commands") == 0, "carried out")
    played.task.stop()
    await asyncio.wait_for(running, 20)
    assert played.shop.metrics.events_lost["purchases"]._value.get() == 15
    assert played.done() == 19


async def test_commands_that_retention_deleted_are_passed_and_the_next_is_carried_out() -> None:
    async with Erasing().running() as played:
        played.task.skip(Gap("churn.commands", "commands", 3, 0, 7))
        played.asks(7, "anna")
        await until(lambda: played.done("commands") == 7, "the next")
        assert played.store.of(3).erased.keys() == {digest(KEY.encode(), "anna")}
