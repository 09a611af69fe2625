"""What a replica that takes over may have lost, and how that shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from streams.runtime.backoff import Backoff, Retrying
from streams.runtime.store import LostCommits
from tests.support.eventually import DEADLINE_S, wait_until
from tests.support.redis_servers import RunningRedis
from tests.support.store_load import assert_whole, numbered, store_on

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(600)]


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


@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_what_replicas_confirmed_is_there_after_the_failover(own_redis: Callable[..., RunningRedis], kind: str) -> None:
    primary, replica = own_redis(kind=kind), own_redis(kind=kind)
    replicate(replica, primary)
    async with store_on(primary.url, wait_replicas=1, wait_ms=300) as before, store_on(replica.url) as after:
        await before.take_epoch(0, 1, 1, "owner")
        confirmed = 0
        for seq in range(1, 21):
            await before.commit(0, 1, "owner", numbered(seq))
            async with asyncio.timeout(DEADLINE_S):
                while (confirmed := await before.confirmed(0) or 0) < seq:
                    pass
        replica.freeze()
        await before.commit(0, 1, "owner", numbered(21))
        assert await before.confirmed(0) == 0, "no replica answers, so nothing newer may leave"
        async with store_on(primary.url, wait_replicas=1, wait_ms=300) as other:
            assert await other.confirmed(0) == 0, "nor does it on a connection that wrote nothing of this"
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
