"""What the partition store keeps of its promises while servers are killed, frozen, filled up, promoted and resharded."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from redis.exceptions import ResponseError

from streams.runtime.backoff import Backoff, Retrying
from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.redis_wire import Script, pack_commit
from streams.runtime.store import CommitRequest, LostCommits, OutboxEntry, StoreUnavailable
from tests.support.broker_fixtures import missing
from tests.support.redis_servers import RedisMissing, RunningCluster, RunningRedis, redis_server, wait_until
from tests.support.store_cases import RedisCase

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]

CUSTOMERS = [f"c{at}" for at in range(200)]


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Callable[..., RunningRedis]]:
    """Makes servers that the test may do anything to."""
    with contextlib.ExitStack() as running:

        def start(*options: str) -> RunningRedis:
            folder = tmp_path / secrets.token_hex(4)
            return running.enter_context(redis_server(folder, options))

        try:
            yield start
        except RedisMissing as why:
            missing("Redis", why)


@contextlib.asynccontextmanager
async def store_on(url: str, **options: Any) -> AsyncIterator[RedisPartitionStore]:
    link = RedisLink(url, cluster=options.pop("cluster", False), timeout_s=options.pop("timeout_s", 2.0))
    backoff = options.pop("backoff", Backoff(cap_s=0.1, patience_s=30.0))
    try:
        yield RedisPartitionStore(link, backoff=backoff, **options)
    finally:
        await link.close()


def numbered(seq: int, *, fresh: int = 0) -> CommitRequest:
    """Commit `seq`: every record, look and risk says which commit wrote it; and one outbox entry."""
    ids = CUSTOMERS + [f"fresh{seq}.{at}" for at in range(fresh)]
    mark = b"%d" % seq
    return CommitRequest(
        seq, f"id{seq}", [(name, mark) for name in ids], [(name, seq) for name in ids], [(name, seq / 1e6) for name in ids],
        {"purchases": seq}, mark, [OutboxEntry(seq, "t", b"k", mark)],
    )  # fmt: skip


async def assert_whole(store: RedisPartitionStore, acked: int, *, fresh: int = 0) -> None:
    """Exactly the commits 1..acked are there, each once and whole."""
    meta = await store.read_meta(0)
    assert (meta.seq, meta.offsets, meta.state) == (acked, {"purchases": acked}, b"%d" % acked)
    assert set(await store.load(0, CUSTOMERS)) == {b"%d" % acked}
    assert await store.due(0, acked - 1, 1_000) == [f"fresh{seq}.{at}" for seq in range(1, acked) for at in range(fresh)][:1000]
    assert {risk for _, risk in await store.riskiest(0, len(CUSTOMERS))} == {acked / 1e6}
    assert [entry.number for entry in await store.outbox_read(0, 0, acked + 10)] == list(range(1, acked + 1))
    for seq in range(1, acked + 1) if fresh else ():
        assert await store.load(0, [f"fresh{seq}.{at}" for at in range(fresh)]) == [b"%d" % seq] * fresh


async def commit_until(store: RedisPartitionStore, epoch: int, stop: Callable[[], bool], *, fresh: int = 0, seq: int = 0) -> int:
    """Commit on and on; returns the last acknowledged number."""
    while not stop():
        await store.commit(0, epoch, "owner", numbered(seq + 1, fresh=fresh))
        seq += 1
    return seq


async def test_every_acknowledged_commit_survives_sigkill_and_none_counts_twice(own_redis: Callable[..., RunningRedis]) -> None:
    server, told = own_redis(), []
    async with store_on(server.url, backoff=Backoff(cap_s=0.1, patience_s=30.0, on_retry=told.append)) as store:
        await store.take_epoch(0, 1, 1, "owner")
        acked = 0
        for _ in range(5):
            errors, goal = len(told), acked + 20
            load = asyncio.create_task(commit_until(store, 1, lambda: False, seq=acked))
            async with asyncio.timeout(20):
                while (await store.read_meta(0)).seq < goal:
                    await asyncio.sleep(0)
            server.kill()
            async with asyncio.timeout(20):
                while len(told) == errors:
                    await asyncio.sleep(0.001)
            await asyncio.to_thread(server.start)
            load.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await load
            meta = await store.read_meta(0)
            assert meta.seq >= goal, "an acknowledged commit is gone"
            # The one that was cut off may have been applied or not; offered again, it counts once.
            acked = meta.seq
            await store.commit(0, 1, "owner", numbered(acked))
            await assert_whole(store, acked)
    assert any("Connection" in at.error for at in told)


async def test_copies_of_one_commit_that_pile_up_at_a_frozen_server_count_once(own_redis: Callable[..., RunningRedis]) -> None:
    server, told = own_redis(), []
    async with store_on(server.url, timeout_s=0.1, backoff=Backoff(cap_s=0.05, on_retry=told.append)) as store:
        await store.take_epoch(0, 1, 1, "owner")
        await store.commit(0, 1, "owner", numbered(1))
        server.freeze()
        stuck = asyncio.create_task(store.commit(0, 1, "owner", numbered(2)))
        async with asyncio.timeout(20):
            while len(told) < 5:
                await asyncio.sleep(0.01)
        server.thaw()
        await stuck
        await assert_whole(store, 2)
        await store.commit(0, 1, "owner", numbered(3))
        await assert_whole(store, 3)


async def test_a_cancelled_commit_ends_at_whatever_moment(real_redis: RunningRedis) -> None:
    """A rebalance cancels the partition's task; before Python 3.12 redis-py alone swallows some of these cancellations."""
    async with store_on(real_redis.url, prefix="end" + secrets.token_hex(3)) as store:
        await store.take_epoch(0, 1, 1, "owner")
        for moment in range(300):
            load = asyncio.create_task(commit_until(store, 1, lambda: False, seq=(await store.read_meta(0)).seq))
            for _ in range(moment % 60):
                await asyncio.sleep(0)
            load.cancel()
            done, _ = await asyncio.wait([load], timeout=5)
            assert done, f"still running after a cancellation {moment % 60} turns in"
            assert load.cancelled(), load
            # The one under way may have been applied: the next load begins where Redis is, and must not be refused.
        await assert_whole(store, (await store.read_meta(0)).seq)


async def test_patience_ends_where_the_caller_says(own_redis: Callable[..., RunningRedis]) -> None:
    server = own_redis()
    async with store_on(server.url) as store:
        await store.take_epoch(0, 1, 1, "owner")
        server.kill()
        with pytest.raises(StoreUnavailable, match="gave up after"):
            await store.with_patience(0.2).commit(0, 1, "owner", numbered(1))


async def test_a_promoted_replica_that_lost_commits_is_noticed_and_worked_on(own_redis: Callable[..., RunningRedis]) -> None:
    primary, replica = own_redis(), own_redis()
    replicate(replica, primary)
    async with store_on(primary.url) as before, store_on(replica.url) as after:
        await before.take_epoch(0, 3, 1, "owner")
        for seq in (1, 2):
            await before.commit(0, 1, "owner", numbered(seq))
        caught_up(primary)
        promote(replica)
        for seq in (3, 4):
            await before.commit(0, 1, "owner", numbered(seq))
        primary.kill()
        with pytest.raises(LostCommits, match="commit 2"):
            await after.commit(0, 1, "owner", numbered(5))
        await assert_whole(after, 2)
        meta = await after.take_epoch(0, 3, 1, "owner, again")
        assert (meta.seq, meta.epoch, meta.outbox_no) == (2, 2, 2)
        await after.commit(0, 2, "owner, again", numbered(3))
        await assert_whole(after, 3)


async def test_what_replicas_confirmed_is_there_after_the_failover(own_redis: Callable[..., RunningRedis]) -> None:
    primary, replica = own_redis(), own_redis()
    replicate(replica, primary)
    async with store_on(primary.url, wait_replicas=1, wait_ms=300) as before, store_on(replica.url) as after:
        await before.take_epoch(0, 1, 1, "owner")
        confirmed = 0
        for seq in range(1, 21):
            await before.commit(0, 1, "owner", numbered(seq))
            async with asyncio.timeout(20):
                while (confirmed := await before.confirmed(0) or 0) < seq:
                    pass
        replica.freeze()
        await before.commit(0, 1, "owner", numbered(21))
        assert await before.confirmed(0) == 0, "no replica answers, so nothing newer may leave"
        primary.kill()
        replica.thaw()
        promote(replica)
        assert (await after.read_meta(0)).outbox_no >= confirmed == 20


def replicate(replica: RunningRedis, primary: RunningRedis) -> None:
    with replica.client() as client:
        client.replicaof("127.0.0.1", primary.port)
        wait_until(lambda: client.info("replication")["master_link_status"] == "up", "the replica follows")


def caught_up(primary: RunningRedis) -> None:
    with primary.client() as client:
        client.set("probe", 1)
        assert client.wait(1, 10_000) == 1


def promote(replica: RunningRedis) -> None:
    with replica.client() as client:
        client.replicaof("NO", "ONE")


@pytest.mark.parametrize(
    ("broken", "mended", "error"),
    [
        ({"maxmemory": "1mb"}, {"maxmemory": "0"}, "OutOfMemoryError"),
        ({"min-replicas-to-write": "1"}, {"min-replicas-to-write": "0"}, "NOREPLICAS"),
    ],
    ids=["out of memory", "too few replicas"],
)
async def test_a_server_that_refuses_writes_is_waited_for(
    own_redis: Callable[..., RunningRedis], broken: dict[str, str], mended: dict[str, str], error: str
) -> None:
    server, told = own_redis("--enable-debug-command", "local"), []
    with server.client() as admin:

        def mend_after_two(retrying: Retrying) -> None:
            told.append(retrying)
            states.append(admin.execute_command("DEBUG", "DIGEST"))
            if len(told) == 2:
                admin.config_set(*next(iter(mended.items())))

        states: list[bytes] = []
        async with store_on(server.url, backoff=Backoff(cap_s=0.05, on_retry=mend_after_two)) as store:
            await store.take_epoch(0, 1, 1, "owner")
            await store.commit(0, 1, "owner", numbered(1))
            whole = admin.execute_command("DEBUG", "DIGEST")
            admin.config_set(*next(iter(broken.items())))
            await store.commit(0, 1, "owner", numbered(2))
            await assert_whole(store, 2)
    assert states == [whole, whole], "the refused attempts wrote something"
    assert all(error in at.error for at in told)


async def test_a_read_only_replica_is_waited_for_until_it_is_promoted(own_redis: Callable[..., RunningRedis]) -> None:
    primary, replica, told = own_redis(), own_redis(), []
    replicate(replica, primary)

    def promote_after_two(retrying: Retrying) -> None:
        told.append(retrying.error)
        if len(told) == 2:
            promote(replica)

    async with store_on(replica.url, backoff=Backoff(cap_s=0.05, on_retry=promote_after_two)) as store:
        await store.take_epoch(0, 1, 1, "owner")
        await store.commit(0, 1, "owner", numbered(1))
        await assert_whole(store, 1)
    assert all("ReadOnlyError" in error for error in told)


async def test_a_slot_that_moves_under_commits_tears_none(real_cluster: RunningCluster) -> None:
    """Every commit brings customers that no node has seen yet, so some of its keys are always missing where it arrives."""
    prefix, fresh, told = "move" + secrets.token_hex(3), 3, []
    backoff = Backoff(cap_s=0.1, patience_s=60.0, on_retry=told.append)
    async with store_on(real_cluster.url, cluster=True, prefix=prefix, backoff=backoff, timeout_s=5.0) as store:
        await store.take_epoch(0, 1, 1, "owner")
        with real_cluster.nodes[0].client() as client:
            slot = int(client.execute_command("CLUSTER KEYSLOT", store.key(0, "meta")))
        acked, redirections = 0, real_cluster.redirections()
        for _ in range(3):
            moves = [node for node in real_cluster.nodes if node is not real_cluster.owner(slot)]
            done = asyncio.Event()
            goal = acked + 20
            load = asyncio.create_task(commit_until(store, 1, lambda done=done: done.is_set(), fresh=fresh, seq=acked))
            async with asyncio.timeout(30):
                while (await store.read_meta(0)).seq < goal:
                    await asyncio.sleep(0)
            moved = await asyncio.to_thread(real_cluster.move_slot, slot, moves[0])
            assert moved > len(CUSTOMERS)
            after = (await store.read_meta(0)).seq
            async with asyncio.timeout(30):
                while (await store.read_meta(0)).seq < after + 5:
                    await asyncio.sleep(0)
            done.set()
            acked = await load
            await assert_whole(store, acked, fresh=fresh)
            assert real_cluster.owner(slot) is moves[0]
        assert real_cluster.redirections() > redirections, "no commit met a half-moved slot: the test shows nothing"


async def test_a_restarted_server_is_given_the_scripts_again(own_redis: Callable[..., RunningRedis]) -> None:
    server = own_redis()
    async with store_on(server.url) as store:
        await store.take_epoch(0, 1, 1, "owner")
        for seq in (1, 2, 3):
            await store.commit(0, 1, "owner", numbered(seq))
            with server.client() as admin:
                admin.script_flush()
        await assert_whole(store, 3)


TEXT, LIST = (None, 1, 1.5, True, [], {"a": 1}), (None, 1, True, "x", [None], [[]])
WRONG: dict[int, tuple[Any, ...]] = {
    0: (*TEXT, "", "-1", "1.0"), 1: TEXT, 2: (*TEXT, "", "x"), 3: TEXT,
    4: (*LIST, [], [b"1"], [b"1", 2], [b"1", b"2", b"3"]),
    5: (*LIST, [], ["x"], [1, 2]), 6: (*LIST, [], [1], ["1", "2"], [1, float("nan")], [1, float("inf")]),
    7: (None, 1, True, "x", [[]], [1]),
    8: (*LIST, [], ["x"]), 9: (*LIST, [], [0.5], [0.5, float("-inf")], [0.5, float("nan")]),
    10: (*LIST, ["t"], ["t", 5], ["t", "x"], ["t", "1.5"]), 11: (None, 1, True, [], {"a": 1}),
    12: (*LIST, [1], [1, "t", b"k"], [1, "t", b"k", 5], [2, "t", b"k", b"v"], ["1", "t", b"k", b"v"], [1.5, "t", b"k", b"v"]),
    13: (*LIST, [], [2, 2, 2, 0, 2, 2, 2, 5], [2, 2, 2, 0, 2, 2, 2], [1, 1, 1, 1, 1, 1, 1, 1]),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_a_malformed_blob_writes_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue("real_redis" if kind == "redis" else "embedded_valkey")
    async with store_on(server.url, prefix="bad" + secrets.token_hex(3)) as store:
        await store.take_epoch(0, 1, 1, "owner")
        good = msgpack.unpackb(pack_commit(1, "owner", CommitRequest(
            1, "c1", [("x", b"1"), ("y", b"2")], [("x", 1), ("y", 2)], [("x", 0.1), ("y", 0.2)], {"t": 5}, b"s",
            [OutboxEntry(1, "t", b"k", b"v")],
        )))  # fmt: skip
        link = RedisLink(server.url)
        case = RedisCase(link, store.key(0, "meta").split(":")[0], store)
        before = await case.save(0)
        keys = [store.key(0, name) for name in ("meta", "due", "risk", "outbox", "c:x", "c:y")]

        async def send(blob: bytes) -> Any:
            return await link.send(keys[0], "EVAL", Script("commit").source, len(keys), *keys, blob)

        bodies = [[*good[:at], wrong, *good[at + 1 :]] for at, wrongs in WRONG.items() for wrong in wrongs]
        blobs = [msgpack.packb(body, use_bin_type=False) for body in [*bodies, good[:-1], [*good, 1], {}, 5, None]]
        whole = msgpack.packb(good, use_bin_type=False)
        for blob in [*blobs, b"", b"\xc1", whole[:-1], whole[: len(whole) // 2], whole + b"\x01"]:
            with pytest.raises(ResponseError):
                await send(blob)
            assert await case.save(0) == before, blob
        assert await send(whole) == [b"ok"]
        await link.close()


@pytest.mark.parametrize("name", ["due", "risk", "outbox"])
async def test_a_key_of_another_type_refuses_the_whole_commit(real_redis: RunningRedis, name: str) -> None:
    async with store_on(real_redis.url, prefix="type" + secrets.token_hex(3)) as store:
        await store.take_epoch(0, 1, 1, "owner")
        with real_redis.client() as admin:
            admin.set(store.key(0, name), "not mine")
            with pytest.raises(Exception, match="is a string"):
                await store.commit(0, 1, "owner", numbered(1))
            assert (await store.read_meta(0)).seq == 0
            assert await store.load(0, CUSTOMERS[:1]) == [None]
