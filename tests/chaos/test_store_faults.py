"""What the partition store keeps of its promises while its server is killed, frozen, filled up and resharded."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable

import pytest

from streams.runtime.backoff import Backoff, Retrying
from streams.runtime.store import StoreUnavailable
from tests.support.eventually import DEADLINE_S
from tests.support.redis_servers import RunningCluster, RunningRedis
from tests.support.store_load import CUSTOMERS, assert_whole, commit_until, numbered, store_on

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(600)]


async def test_every_acknowledged_commit_survives_sigkill_and_none_counts_twice(own_redis: Callable[..., RunningRedis]) -> None:
    # with everysec, Redis puts off even the write to the file while the disk is busy
    server, told = own_redis("--appendfsync", "always"), []
    async with store_on(server.url, backoff=Backoff(cap_s=0.1, patience_s=30.0, on_retry=told.append)) as store:
        await store.take_epoch(0, 1, 1, "owner")
        acked = 0
        for _ in range(5):
            errors, goal = len(told), acked + 20
            load = asyncio.create_task(commit_until(store, 1, lambda: False, seq=acked))
            async with asyncio.timeout(DEADLINE_S):
                while (await store.read_meta(0)).seq < goal:
                    await asyncio.sleep(0)
            server.kill()
            async with asyncio.timeout(DEADLINE_S):
                while len(told) == errors:
                    await asyncio.sleep(0.001)
            server.start()  # from the main thread, to whose life the kernel binds it
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
        async with asyncio.timeout(DEADLINE_S):
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
    async with store_on(server.url, backoff=Backoff(patience_s=0.2)) as store:
        await store.take_epoch(0, 1, 1, "owner")
        server.kill()
        with pytest.raises(StoreUnavailable, match="gave up after"):
            await store.commit(0, 1, "owner", numbered(1))


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
            async with asyncio.timeout(DEADLINE_S):
                while (await store.read_meta(0)).seq < goal:
                    await asyncio.sleep(0)
            moved = await asyncio.to_thread(real_cluster.move_slot, slot, moves[0])
            assert moved > len(CUSTOMERS)
            after = (await store.read_meta(0)).seq
            async with asyncio.timeout(DEADLINE_S):
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
