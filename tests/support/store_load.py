"""Commits whose every part says which commit wrote it, so that a torn, lost or doubled one shows."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from streams.runtime.backoff import Backoff
from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.store import CommitRequest, OutboxEntry

CUSTOMERS = [f"c{at}" for at in range(200)]


@contextlib.asynccontextmanager
async def store_on(url: str, **options: Any) -> AsyncIterator[RedisPartitionStore]:
    link = RedisLink(url, cluster=options.pop("cluster", False), timeout_s=options.pop("timeout_s", 2.0))
    backoff = options.pop("backoff", Backoff(cap_s=0.1, patience_s=30.0))
    try:
        yield RedisPartitionStore(link, backoff=backoff, **options)
    finally:
        await link.close()


def numbered(seq: int, *, fresh: int = 0) -> CommitRequest:
    """Commit `seq`: every record, look, risk and trigger says which commit wrote it; and one outbox entry."""
    ids = CUSTOMERS + [f"fresh{seq}.{at}" for at in range(fresh)]
    mark = b"%d" % seq
    return CommitRequest(
        seq, f"id{seq}", [(name, mark) for name in ids], [(name, seq) for name in ids], [(name, seq / 1e6) for name in ids],
        {"purchases": seq}, mark, [OutboxEntry(seq, "t", b"k", mark)], [(name, seq) for name in CUSTOMERS],
    )  # fmt: skip


async def assert_whole(store: RedisPartitionStore, acked: int, *, fresh: int = 0) -> None:
    """Exactly the commits 1..acked are there, each once and whole."""
    meta = await store.read_meta(0)
    assert (meta.seq, meta.offsets, meta.state) == (acked, {"purchases": acked}, b"%d" % acked)
    assert set(await store.load(0, CUSTOMERS)) == {b"%d" % acked}
    assert await store.due(0, acked - 1, 1_000) == [f"fresh{seq}.{at}" for seq in range(1, acked) for at in range(fresh)][:1000]
    assert {risk for _, risk in await store.riskiest(0, len(CUSTOMERS))} == {acked / 1e6}
    assert set(await store.triggered(0, CUSTOMERS)) == {acked}
    assert [entry.number for entry in await store.outbox_read(0, 0, acked + 10)] == list(range(1, acked + 1))
    for seq in range(1, acked + 1) if fresh else ():
        assert await store.load(0, [f"fresh{seq}.{at}" for at in range(fresh)]) == [b"%d" % seq] * fresh


async def commit_until(store: RedisPartitionStore, epoch: int, stop: Callable[[], bool], *, fresh: int = 0, seq: int = 0) -> int:
    """Commit on and on; returns the last acknowledged number."""
    while not stop():
        await store.commit(0, epoch, "owner", numbered(seq + 1, fresh=fresh))
        seq += 1
    return seq
