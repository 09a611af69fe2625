"""The store on a Redis Cluster whose slots go to new nodes and whose primaries are replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis.crc import key_slot

from streams.runtime.backoff import Backoff, Retrying
from streams.runtime.connect import link_to
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.settings import load_settings
from tests.support.broker_fixtures import missing
from tests.support.eventually import DEADLINE_S
from tests.support.redis_servers import (
    RedisMissing,
    RunningCluster,
    RunningRedis,
    node_of_cluster,
    redis_cluster,
    running,
)
from tests.support.slot_moves import carry, settle
from tests.support.store_load import CUSTOMERS, assert_whole, numbered

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def replicated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    """For the tests of this file in their order: one replaces a primary, the last one sends a slot away."""
    try:
        with redis_cluster(tmp_path_factory.mktemp("replicated"), replicas=1) as found:
            yield found
    except RedisMissing as why:
        missing("Redis Cluster", why)


def store_of(cluster: RunningCluster, prefix: str, backoff: Backoff) -> RedisPartitionStore:
    """As a worker has it."""
    settings = load_settings(None, cluster.environment | {"CHURNWATCH_REDIS__TIMEOUT_S": "2"})
    return RedisPartitionStore(link_to(settings.redis), prefix=prefix, wait_replicas=1, wait_ms=300, backoff=backoff)


async def test_a_replica_of_the_owner_confirms_before_a_failover_and_after(replicated: RunningCluster) -> None:
    told: list[Retrying] = []
    store = store_of(replicated, "wait", Backoff(cap_s=0.1, patience_s=60.0, on_retry=told.append))
    slot = key_slot(store.key(0, "meta").encode())
    await store.take_epoch(0, 1, 1, "owner")
    await store.commit(0, 1, "owner", numbered(1))
    await confirmed(store, 1)
    owner = replicated.owner(slot)
    replica = replica_of(replicated, owner)
    replica.freeze()
    await store.commit(0, 1, "owner", numbered(2))
    assert await store.confirmed(0) == 0, "the others' replicas do not count"
    replica.thaw()
    await confirmed(store, 2)
    owner.kill()
    await store.commit(0, 1, "owner", numbered(3))  # waits for the failover
    assert replicated.owner(slot) is replica
    assert await store.confirmed(0) == 0, "nobody is left to confirm it"
    await store.close()
    late = store_of(replicated_from(replicated, owner), "wait", Backoff(patience_s=10.0))
    await assert_whole(late, 3)
    owner.start()
    await confirmed(late, 3)
    assert told, "the failover was waited for"
    await late.close()


async def test_a_slot_may_go_to_a_node_that_owned_nothing(replicated: RunningCluster, tmp_path: Path) -> None:
    """Nobody knows it as an owner yet, and half way through some keys are there and some are not."""
    told: list[Retrying] = []
    store = store_of(replicated, "new", Backoff(cap_s=0.1, patience_s=60.0, on_retry=told.append))
    slot = key_slot(store.key(0, "meta").encode())
    await store.take_epoch(0, 1, 1, "owner")
    await store.commit(0, 1, "owner", numbered(1, fresh=3))
    origin = replicated.owner(slot)
    with running(node_of_cluster(tmp_path / "joined")) as joined:
        replicated.join(joined)
        with origin.client() as source, joined.client() as target:
            assert carry(slot, source, target, joined.port, 50) > len(CUSTOMERS)
            assert (await store.read_meta(0)).seq == 1
            assert await store.outbox_depth(0) == 1
            assert told == [], "a key that has moved is asked for there"
            commit = asyncio.create_task(store.commit(0, 1, "owner", numbered(2, fresh=3)))
            row = asyncio.create_task(store.read_customer(0, CUSTOMERS[0]))
            await until(lambda: {"commit", "read customer"} <= {retrying.operation for retrying in told})
            settle(slot, source, target)
            await asyncio.gather(commit, row)
        assert {retrying.error.split(":")[0] for retrying in told} == {"TryAgainError", "AskError"}
        await assert_whole(store, 2, fresh=3)
        assert replicated.owner(slot) is joined
    await store.close()


def replicated_from(cluster: RunningCluster, first: RunningRedis) -> RunningCluster:
    """The same, with this node in redis.url."""
    return RunningCluster([first, *(node for node in cluster.nodes if node is not first)], "")


def replica_of(cluster: RunningCluster, owner: RunningRedis) -> RunningRedis:
    ports = {}
    for node in cluster.nodes:
        with node.client() as client:
            ports[client.info("replication").get("master_port")] = node
    return ports[owner.port]


async def confirmed(store: RedisPartitionStore, number: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while (await store.confirmed(0) or 0) < number:
            await asyncio.sleep(0.01)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)
