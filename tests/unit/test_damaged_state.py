"""State that cannot be: what of it is noticed, and that nothing is written over it."""

from __future__ import annotations

import asyncio
import copy

import pytest

from streams.columns import DAY_MS
from streams.customer import VERSION, VERSION_OFFSET
from streams.runtime.outbox import OutboxPublisher
from streams.runtime.partition import PartitionTask
from streams.runtime.store import CommitRequest, Fenced, Meta, OutboxEntry, StoreDamaged
from tests.support.memory_store import MemoryStore
from tests.support.one_by_one import one_by_one
from tests.support.played import NOW_MS, Played

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(30)]


async def after_anna_bought() -> Played:
    """Anna bought half a year ago, and a former owner committed that."""
    played = Played()
    async with played.running():
        played.buys(0, *[NOW_MS - days * DAY_MS for days in (200, 193, 186)])
        async with asyncio.timeout(10):
            while played.store.of(3).meta.offsets.get("purchases") != 2:
                await asyncio.sleep(0.005)
    return played


async def ends(played: Played, customer: str, said: str) -> None:
    """A new owner is told of a purchase today, and ends so, with nothing written."""
    at = played.store.of(3)
    before = copy.deepcopy((at.records, at.due, at.outbox, at.meta))
    played.task = PartitionTask(3, await played.store.read_meta(3), 1, played.shop)
    running = asyncio.create_task(played.task.run())
    played.buys(3, NOW_MS, customer=customer)
    with pytest.raises(StoreDamaged, match=said):
        await asyncio.wait_for(running, 10)
    assert (at.records, at.due, at.meta) == (before[0], before[1], before[3])


async def test_a_record_that_was_evicted_is_noticed_when_its_customer_is_due() -> None:
    played = await after_anna_bought()
    del played.store.of(3).records["anna"]
    await ends(played, "bob", "'anna' is due and has no record: keys were evicted or deleted; restore Redis")


async def test_a_record_of_a_newer_version_is_refused_though_meta_is_of_ours() -> None:
    played = await after_anna_bought()
    records = played.store.of(3).records
    newer = bytearray(records["anna"])
    newer[VERSION_OFFSET] = VERSION + 1
    records["anna"] = bytes(newer)
    await ends(played, "anna", f"customer record version {VERSION + 1}, this release reads {VERSION}: upgrade churnwatch")


@pytest.mark.parametrize("newer_owner", [False, True])
async def test_messages_that_are_gone_from_the_outbox_are_not_stepped_over(newer_owner: bool) -> None:
    """A newer owner may have sent them, which is no damage."""
    store, sent = MemoryStore(), list[bytes]()
    meta = await store.take_epoch(0, 1, 1, "owner")

    async def publish(_topic: str, _key: bytes, value: bytes, /) -> None:
        sent.append(value)

    publisher = OutboxPublisher(store, 0, Meta(meta.epoch, "owner"), one_by_one(publish), memory_bytes=0)
    running = asyncio.create_task(publisher.run())
    for number in (1, 2, 3):
        entry = OutboxEntry(number, "alerts", b"k", b"%d" % number)
        await store.commit(0, meta.epoch, "owner", CommitRequest(number, f"c{number}", outbox=[entry]))
        if number == 1:
            publisher.committed([entry])
            await publisher.drained()
    store.of(0).outbox = [entry for entry in store.of(0).outbox if entry.number == 3]
    if newer_owner:
        await store.take_epoch(0, 2, 1, "newer")
    for number in (2, 3):
        publisher.committed([OutboxEntry(number, "alerts", b"k", b"%d" % number)])
    expected, said = (Fenced, "taken by someone else") if newer_owner else (StoreDamaged, "messages 2 to 2 are gone")
    with pytest.raises(expected, match=said):
        await asyncio.wait_for(running, 10)
    assert sent == [b"1"]


async def test_what_predecessors_erased_may_be_missing_and_what_is_missing_of_ours_is_damage() -> None:
    store, sent = MemoryStore(), list[bytes]()
    meta = await store.take_epoch(0, 1, 1, "owner")

    async def publish(_topic: str, _key: bytes, value: bytes, /) -> None:
        sent.append(value)

    entries = [OutboxEntry(number, "alerts", b"k", b"%d" % number) for number in range(1, 8)]
    for entry in entries[:3]:
        await store.commit(0, meta.epoch, "owner", CommitRequest(entry.number, f"c{entry.number}", outbox=[entry]))
    publisher = OutboxPublisher(store, 0, Meta(meta.epoch, "owner", outbox_no=3), one_by_one(publish), memory_bytes=0)
    publisher.expect_gaps()
    store.of(0).outbox = [entry for entry in store.of(0).outbox if entry.number != 2]  # a predecessor erased it
    running = asyncio.create_task(publisher.run())
    await publisher.drained()
    assert sent == [b"1", b"3"]
    for entry in entries[3:]:
        await store.commit(0, meta.epoch, "owner", CommitRequest(entry.number, f"c{entry.number}", outbox=[entry]))
    publisher.may_vanish([4])  # the commit that erases it is applied, and its answer under way
    store.of(0).outbox = [entry for entry in store.of(0).outbox if entry.number in (5, 7)]
    for entry in entries[3:]:
        publisher.committed([entry])
    with pytest.raises(StoreDamaged, match="messages 6 to 6 are gone"):
        await asyncio.wait_for(running, 10)
    assert sent[-1] == b"5"
