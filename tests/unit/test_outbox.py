"""The outbox publisher against a broker that fails as it is told to; the store is the fake that passes the contract."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.runtime.backoff import Backoff, Retrying
from streams.runtime.outbox import OutboxPublisher
from streams.runtime.store import CommitRequest, Fenced, Meta, OutboxEntry, Removal
from tests.support.memory_store import MemoryStore
from tests.support.one_by_one import one_by_one

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(30)]


class Broker:
    """Keeps what arrives in order of arrival. `fail` are outcomes of the next sends: lost, or stored without an answer."""

    def __init__(self, fail: list[str] | None = None) -> None:
        self.log: list[tuple[str, bytes, bytes]] = []
        self.fail = fail or []
        self.up = asyncio.Event()
        self.up.set()
        self.together: Counter[tuple[str, bytes]] = Counter()

    async def publish(self, topic: str, key: bytes, value: bytes, /) -> None:
        self.together[topic, key] += 1
        assert self.together[topic, key] == 1, "two messages of one key are on their way together"
        try:
            await asyncio.sleep(0)
            outcome = self.fail.pop(0) if self.fail else "ok"
            if outcome == "lost" or not self.up.is_set():
                raise ConnectionError("no broker")
            self.log.append((topic, key, value))
            if outcome == "unanswered":
                raise TimeoutError("no answer")
        finally:
            self.together[topic, key] -= 1


class Reads(MemoryStore):
    """Counts how often the outbox is read back."""

    reads = 0

    async def outbox_read(self, partition: int, after_no: int, count: int) -> list[OutboxEntry]:
        self.reads += 1
        await asyncio.sleep(0)
        return await super().outbox_read(partition, after_no, count)


class Writer:
    """Commits entries as the worker does."""

    def __init__(self, store: MemoryStore) -> None:
        self.store, self.seq, self.number = store, 0, 0

    async def commit(self, keys: list[bytes]) -> list[OutboxEntry]:
        if self.seq == 0:
            await self.store.take_epoch(0, 1, 1, "w")
        self.seq += 1
        entries = [OutboxEntry(self.number + at, "t", key, b"%d" % (self.number + at)) for at, key in enumerate(keys, 1)]
        self.number += len(keys)
        await self.store.commit(0, 1, "w", CommitRequest(self.seq, f"c{self.seq}", outbox=entries))
        return entries


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


def owner(outbox_no: int) -> Meta:
    return Meta(epoch=1, nonce="w", outbox_no=outbox_no)


def publisher(store: MemoryStore, broker: Broker, committed_no: int = 0, **more: int) -> OutboxPublisher:
    return OutboxPublisher(store, 0, owner(committed_no), one_by_one(broker.publish), backoff=Backoff(sleep=no_pause), **more)


@contextlib.asynccontextmanager
async def running(publisher: OutboxPublisher) -> AsyncIterator[None]:
    task = asyncio.create_task(publisher.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def first_arrivals(broker: Broker, key: bytes) -> list[int]:
    return list(dict.fromkeys(int(value) for _, at, value in broker.log if at == key))


async def test_what_a_predecessor_left_goes_first() -> None:
    store, broker = Reads(), Broker()
    writer = Writer(store)
    await writer.commit([b"a"] * 7)
    await store.outbox_ack(0, 1, "w", 3)
    mine = publisher(store, broker, committed_no=7, batch=2)
    assert mine.depth is None
    async with running(mine):
        mine.committed(await writer.commit([b"a"]))
        await mine.drained()
    assert first_arrivals(broker, b"a") == [4, 5, 6, 7, 8]
    assert (mine.depth, await store.outbox_depth(0)) == (0, 0)


async def test_in_the_steady_state_redis_is_not_read_back() -> None:
    store, broker = Reads(), Broker()
    writer, mine = Writer(store), publisher(store, broker)
    async with running(mine):
        await mine.drained()
        while mine.depth is None:
            await asyncio.sleep(0)
        for _ in range(50):
            mine.committed(await writer.commit([b"a", b"b", b"a"]))
            await asyncio.sleep(0)
        await mine.drained()
    assert store.reads == 1, "only to see what a predecessor left"
    assert len(broker.log) == 150


async def test_memory_is_bounded_and_the_rest_read_back_from_the_store() -> None:
    store, broker = Reads(), Broker()
    writer, mine = Writer(store), publisher(store, broker, memory_bytes=5_000, batch=10)
    broker.up.clear()
    async with running(mine):
        for _ in range(100):
            mine.committed(await writer.commit([b"a", b"b"]))
            await asyncio.sleep(0)
            assert mine.memory_used <= 5_000
        assert mine.depth == 200
        assert broker.log == []
        broker.up.set()
        await mine.drained()
    assert first_arrivals(broker, b"a") == list(range(1, 200, 2))
    assert first_arrivals(broker, b"b") == list(range(2, 201, 2))
    assert mine.memory_used == 0
    assert store.reads > 1


async def test_retries_are_reported_with_growing_pauses() -> None:
    store, broker = MemoryStore(), Broker(fail=["lost", "unanswered", "lost"])
    told: list[Retrying] = []
    mine = OutboxPublisher(
        store,
        0,
        owner(0),
        one_by_one(broker.publish),
        backoff=Backoff(first_s=1, cap_s=3, patience_s=0, on_retry=told.append, sleep=no_pause),
    )
    async with running(mine):
        mine.committed(await Writer(store).commit([b"a"]))
        await mine.drained()
    assert [(at.attempt, at.pause_s) for at in told] == [(1, 1), (2, 2), (3, 3)]
    assert "ConnectionError: no broker" in told[0].error
    assert len(broker.log) == 2, "the unanswered one is repeated, not lost"


async def test_only_what_replicas_hold_leaves() -> None:
    store, broker = MemoryStore(), Broker()
    store.replicas_hold = 0
    writer, mine = Writer(store), publisher(store, broker)
    async with running(mine):
        mine.committed(await writer.commit([b"a", b"b", b"c"]))
        for _ in range(50):
            await asyncio.sleep(0)
        assert broker.log == []
        store.replicas_hold = 2
        while mine.depth != 1:
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        assert first_arrivals(broker, b"c") == []
        store.replicas_hold = 3
        await mine.drained()
    assert [value for *_, value in broker.log] == [b"1", b"2", b"3"]


async def test_one_that_lost_its_epoch_forgets_nothing_and_ends() -> None:
    store, broker = MemoryStore(), Broker()
    writer, mine = Writer(store), publisher(store, broker)
    mine.committed(await writer.commit([b"a", b"b"]))
    await store.take_epoch(0, 2, 1, "successor")
    with pytest.raises(Fenced):
        await mine.run()
    assert (len(broker.log), await store.outbox_depth(0)) == (2, 2)


async def test_numbers_out_of_step_are_refused() -> None:
    with pytest.raises(ValueError, match="9 after 7"):
        publisher(MemoryStore(), Broker(), committed_no=7).committed([OutboxEntry(9, "t", b"k", b"v")])


KEYS = st.lists(st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=6), max_size=12)
FAILURES = st.lists(st.sampled_from(["ok", "lost", "unanswered"]), max_size=40)


@settings(max_examples=200, deadline=None)
@given(
    commits=KEYS, fail=FAILURES, memory_bytes=st.sampled_from([0, 700, 10_000]), batch=st.integers(1, 5), crash=st.integers(0, 12)
)
async def test_no_failure_loses_or_swaps_messages(
    commits: list[list[bytes]], fail: list[str], memory_bytes: int, batch: int, crash: int
) -> None:
    """With the publisher crashing once, at any commit: each key's messages arrive, first time round, in their order."""
    store, broker = MemoryStore(), Broker(fail)
    writer = Writer(store)
    await store.take_epoch(0, 1, 1, "w")
    for part in (commits[:crash], commits[crash:]):
        mine = publisher(store, broker, writer.number, memory_bytes=memory_bytes, batch=batch)
        async with running(mine):
            for keys in part:
                mine.committed(await writer.commit(keys))
                await asyncio.sleep(0)
            if part is not commits[:crash] or crash >= len(commits):
                await mine.drained()
        broker.together.clear()
    mine = publisher(store, broker, writer.number)
    async with running(mine):
        await mine.drained()
    keys = [key for commit in commits for key in commit]
    for name in (b"a", b"b", b"c"):
        assert first_arrivals(broker, name) == [at for at, key in enumerate(keys, 1) if key == name]
    assert await store.outbox_depth(0) == 0


async def test_what_was_erased_while_it_waited_does_not_leave_and_the_rest_does_in_order() -> None:
    """Also what was on its way to a broker that was out of reach."""
    store, broker = MemoryStore(), Broker()
    writer, mine = Writer(store), publisher(store, broker, batch=3)
    broker.up.clear()
    async with running(mine):
        mine.committed(await writer.commit([b"a", b"b", b"a", b"b", b"a"]))
        while not broker.together:
            await asyncio.sleep(0)
        await take_away(store, writer, mine, 1, 3)
        mine.committed(await writer.commit([b"a", b"b"]))
        await take_away(store, writer, mine, 7)
        for _ in range(50):
            await asyncio.sleep(0)
        broker.up.set()
        await mine.drained()
        assert (mine.depth, mine.memory_used, await store.outbox_depth(0)) == (0, 0, 0)
    assert [value for *_, value in broker.log] == [b"2", b"4", b"5", b"6"]


async def take_away(store: MemoryStore, writer: Writer, mine: OutboxPublisher, *numbers: int) -> None:
    """As an erasure commits it."""
    writer.seq += 1
    await store.commit(0, 1, "w", CommitRequest(writer.seq, f"c{writer.seq}", removal=Removal(outbox=numbers)))
    mine.forget(numbers)


ERASED = st.lists(st.tuples(st.integers(0, 8), st.sampled_from([b"a", b"b"])), max_size=3)


@settings(max_examples=200, deadline=None)
@given(commits=KEYS, fail=FAILURES, erased=ERASED, memory_bytes=st.sampled_from([0, 700, 10_000]), batch=st.integers(1, 5))
async def test_erasing_what_waits_loses_and_swaps_nothing_else(
    commits: list[list[bytes]], fail: list[str], erased: list[tuple[int, bytes]], memory_bytes: int, batch: int
) -> None:
    """After some commits all that waits under a key is taken away: it may have left before, and never leaves later."""
    store, broker = MemoryStore(), Broker(fail)
    writer, gone = Writer(store), dict[int, int]()
    await store.take_epoch(0, 1, 1, "w")
    mine = publisher(store, broker, memory_bytes=memory_bytes, batch=batch)
    async with running(mine):
        for at, keys in enumerate(commits):
            mine.committed(await writer.commit(keys))
            await asyncio.sleep(0)
            for _, key in [one for one in erased if one[0] == at]:
                numbers = [entry.number for entry in await store.outbox_read(0, 0, 10_000) if entry.key == key]
                await take_away(store, writer, mine, *numbers)
                gone |= dict.fromkeys(numbers, len(broker.log))
        await mine.drained()
    everything = [key for commit in commits for key in commit]
    for name in (b"a", b"b", b"c"):
        numbers = [at for at, key in enumerate(everything, 1) if key == name and at not in gone]
        assert [number for number in first_arrivals(broker, name) if number not in gone] == numbers
    late = [int(value) for at, (*_, value) in enumerate(broker.log) if at > gone.get(int(value), at) + batch]
    assert not late, "no more than was on its way"
    assert (await store.outbox_depth(0), mine.depth) == (0, 0)
