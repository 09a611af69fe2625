"""Random histories of owners, retries, duplicates and zombies, on the fake and on a real Redis, against a model in ten lines."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.store import CommitRequest, ErasedCustomers, OutboxEntry, PartitionStore, Removal, StoreError
from tests.support.memory_store import MemoryStore
from tests.support.redis_servers import RunningRedis


@dataclass
class Model:
    """The history is the list of commits that were applied; the last who took the epoch owns it."""

    applied: list[CommitRequest] = field(default_factory=list)
    epoch: int = 0
    owner: str = ""
    generation: int = -1

    def take(self, generation: int, nonce: str) -> str:
        if generation < self.generation:
            return "StaleGeneration"
        if (generation, nonce) != (self.generation, self.owner):
            self.epoch, self.generation, self.owner = self.epoch + 1, generation, nonce
        return "ok"

    def commit(self, epoch: int, nonce: str, request: CommitRequest) -> str:
        if (epoch, nonce) != (self.epoch, self.owner):
            return "Fenced"
        if self.applied and (self.applied[-1].seq, self.applied[-1].commit_id) == (request.seq, request.commit_id):
            return "ok"
        if request.seq != len(self.applied) + 1:
            return "LostCommits"
        self.applied.append(request)
        return "ok"


WORKERS = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), WORKERS, st.integers(0, 5)),
        st.tuples(st.just("commit"), WORKERS, st.integers(0, 4)),
        st.tuples(st.just("again"), WORKERS, st.just(0)),
        st.tuples(st.just("commit late copy"), WORKERS, st.integers(0, 20)),
    ),
    max_size=40,
)


def request(seq: int, worker: int, customers: int, outbox_no: int) -> CommitRequest:
    """What a worker who believes in this seq and outbox number would commit."""
    mark = f"{seq} by {worker}"
    ids = [f"c{at}" for at in range(customers)]
    return CommitRequest(
        seq, f"{mark} {customers} {secrets.token_hex(3)}", [(name, mark.encode()) for name in ids],
        [(name, seq if at % 2 else None) for at, name in enumerate(ids)], [(name, seq / 1000) for name in ids],
        {f"t{customers}": seq}, mark.encode() if customers % 2 else None,
        [OutboxEntry(outbox_no + 1 + at, "t", b"k", mark.encode()) for at in range(customers)],
        [(f"p{at}\0c{at}", seq) for at in range(0, customers, 2)], seq - 3 if customers % 2 else None,
        [(f"{seq % 5}:{name}", mark.encode()) for name in ids], [f"{(seq + 2) % 5}:c{at}" for at in range(0, 5, 2)],
        *leaving(seq, customers, outbox_no),
    )  # fmt: skip


def leaving(seq: int, customers: int, outbox_no: int) -> tuple[list[str], Removal | None]:
    """Every fourth commit erases a customer that earlier ones may have written, and an entry that may wait."""
    if seq % 4:
        return [], None
    gone = f"c{customers}"
    digest, older = (b"%16d" % at for at in (customers, customers + 1))
    return [gone], Removal([f"p{customers}\0{gone}"], [max(1, outbox_no)], {digest: seq}, "f", [older])


async def play(store: PartitionStore, steps: list[tuple[str, int, int]]) -> None:
    model = Model()
    epochs, sent = dict.fromkeys(range(3), 0), {worker: [] for worker in range(3)}
    takes = 0
    for what, worker, number in steps:
        nonce = f"w{worker}"
        if what == "take":
            takes += 1
            expected = model.take(number, nonce)
            got = await outcome(store.take_epoch(0, number, 3, nonce))
            if expected == "ok":
                epochs[worker] = model.epoch
                sent[worker] = []
        else:
            if epochs[worker] == 0:
                continue
            if what == "commit":
                outbox_no = sum(len(at.outbox) for at in model.applied)
                sent[worker].append(request(len(model.applied) + 1, worker, number, outbox_no))
            if not sent[worker]:
                continue
            copy = sent[worker][-1 if what != "commit late copy" else number % len(sent[worker])]
            expected = model.commit(epochs[worker], nonce, copy)
            got = await outcome(store.commit(0, epochs[worker], nonce, copy))
        assert got == expected, (what, worker, number)
    await assert_same(store, model)


async def outcome(call: object) -> str:
    try:
        await call  # type: ignore[misc] # any coroutine of the store
    except StoreError as error:
        return type(error).__name__
    return "ok"


async def assert_same(store: PartitionStore, model: Model) -> None:
    records: dict[str, bytes] = {}
    due: dict[str, int | None] = {}
    offsets: dict[str, int] = {}
    triggered: dict[str, int] = {}
    outbox: list[OutboxEntry] = []
    erased: dict[bytes, int] = {}
    pending: dict[str, bytes] = {}
    states = [at.state for at in model.applied if at.state is not None]
    for at in model.applied:
        records |= dict(at.records)
        due |= dict(at.due)
        offsets |= at.offsets
        triggered |= dict(at.triggered)
        forgotten_s = -1 if at.forget_triggered_before_s is None else at.forget_triggered_before_s
        triggered = {name: time_s for name, time_s in triggered.items() if time_s >= forgotten_s}
        pending = {name: kept for name, kept in pending.items() if name not in at.settled} | dict(at.pending)
        removal = at.removal or Removal()
        for name in at.gone:
            records.pop(name, None)
            due.pop(name, None)
        triggered = {name: time_s for name, time_s in triggered.items() if name not in removal.triggered}
        outbox = [entry for entry in outbox if entry.number not in removal.outbox] + list(at.outbox)
        erased = {digest: at_ms for digest, at_ms in erased.items() if digest not in removal.forgotten} | dict(removal.erased)
    meta = await store.read_meta(0)
    assert (meta.epoch, meta.nonce, meta.generation) == (model.epoch, model.owner, model.generation)
    assert (meta.seq, meta.offsets, meta.state) == (len(model.applied), offsets, states[-1] if states else None)
    assert {name: record async for name, record in store.scan_records(0)} == records
    kept = {name: at for name, at in due.items() if at is not None}
    assert await store.due(0, 1_000, 1_000) == sorted(kept, key=lambda name: (kept[name], name))
    names = [f"p{at}\0c{at}" for at in range(5)]
    assert set(await store.triggered_of(0, {f"c{at}" for at in range(5)})) == triggered.keys()
    assert await store.erased(0) == ErasedCustomers("f" if any(at.removal for at in model.applied) else "", erased)
    assert await store.triggered(0, names) == [triggered.get(name) for name in names]
    waiting = [f"{day}:c{at}" for day in range(5) for at in range(5)]
    assert await store.pending(0, waiting) == [pending.get(name) for name in waiting]
    assert await store.outbox_read(0, 0, 1_000) == outbox


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_any_history_on_the_fake(steps: list[tuple[str, int, int]]) -> None:
    asyncio.run(play(MemoryStore(), steps))


@pytest.mark.timeout(120)
@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_any_history_on_redis(real_redis: RunningRedis, steps: list[tuple[str, int, int]]) -> None:
    async def on_redis() -> None:
        link = RedisLink(f"unix://{real_redis.socket}")
        try:
            await play(RedisPartitionStore(link, prefix="model" + secrets.token_hex(4)), steps)
        finally:
            await link.close()

    asyncio.run(on_redis())
