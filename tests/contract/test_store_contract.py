"""What every partition store promises: the fake, Redis, Valkey and Redis Cluster."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from streams.runtime.redis_link import PackingConnection, RedisLink
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.store import (
    CommitRequest,
    Meta,
    OutboxEntry,
    Removal,
    StoredCustomer,
    StoreMisconfigured,
)
from tests.support.redis_fixtures import IMPLEMENTATIONS
from tests.support.redis_servers import RunningCluster, RunningRedis
from tests.support.store_cases import StoreCase

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

ODD_IDS = ["ann", "{0}:c:x", "客户-7", "with space", "*", "a\r\nb", "\x00", "c" * 128]


def entry(number: int) -> OutboxEntry:
    return OutboxEntry(number, "churn.alerts", b"k%d" % number, b"\x00\xff%d" % number)


async def test_the_implementations_are_the_four_that_we_ship(
    real_redis: RunningRedis, embedded_valkey: RunningRedis, real_cluster: RunningCluster
) -> None:
    assert set(IMPLEMENTATIONS) == {"memory", "redis", "valkey", "cluster"}
    assert real_redis.client().info("server").get("server_name", "redis") == "redis"
    assert embedded_valkey.client().info("server")["server_name"] == "valkey"
    assert [node.client().info("cluster")["cluster_enabled"] for node in real_cluster.nodes] == [1, 1, 1]


async def test_long_commands_are_packed_in_c_on_every_node(
    real_redis: RunningRedis, embedded_valkey: RunningRedis, real_cluster: RunningCluster
) -> None:
    for server in (real_redis, embedded_valkey, real_cluster):
        link = RedisLink(server.url, cluster=server is real_cluster)
        await RedisPartitionStore(link).read_meta(0)
        route: Any = link._route
        clients = route._clients.values() if server is real_cluster else [route._client]
        assert {issubclass(client.connection_pool.connection_class, PackingConnection) for client in clients} == {True}
        await link.close()


async def test_a_partition_never_taken_is_empty(store_case: StoreCase) -> None:
    store = store_case.store
    assert await store.read_meta(3) == Meta()
    assert not (await store.read_meta(3)).exists
    assert await store.load(3, ["ann"]) == [None]
    assert await store.due(3, 2**32, 10) == []
    assert await store.outbox_read(3, 0, 10) == []
    assert await store.outbox_depth(3) == 0
    assert await store.read_customer(3, "ann") is None
    assert await store.triggered(3, ["call\0ann"]) == [None]
    assert await store.triggered(3, []) == []
    assert await store.pending(3, ["5:ann"]) == [None]
    assert await store.pending(3, []) == []
    assert [found async for found in store.scan_records(3)] == []
    assert await store.reset_generation(3) is False


async def test_a_commit_is_all_there(store_case: StoreCase) -> None:
    store = store_case.store
    await store.take_epoch(0, 1, 4, "a")
    every_byte = bytes(range(256))
    await store.commit(0, 1, "a", CommitRequest(
        1, "c1", [(name, every_byte + name.encode()) for name in ODD_IDS],
        [(name, 4_000_000_000 + at) for at, name in enumerate(ODD_IDS)], [(name, 0.1 * at) for at, name in enumerate(ODD_IDS)],
        {"purchases": 2**53 + 1, "logins": 0}, every_byte, [entry(1), entry(2)],
        [(f"call\0{name}", 4_000_000_000 + at) for at, name in enumerate(ODD_IDS)],
    ))  # fmt: skip
    assert await store.triggered(0, [f"call\0{name}" for name in reversed(ODD_IDS)]) == [4_000_000_007 - at for at in range(8)]
    assert await store.load(0, [*ODD_IDS, "nobody"]) == [every_byte + name.encode() for name in ODD_IDS] + [None]
    assert await store.due(0, 4_000_000_002, 10) == ODD_IDS[:3]
    assert await store.due(0, 2**32, 2) == ODD_IDS[:2]
    assert await store.riskiest(0, 2) == [(ODD_IDS[-1], 0.1 * 7), (ODD_IDS[-2], 0.1 * 6)]
    assert await store.read_customer(0, "*") == StoredCustomer(every_byte + b"*", 4_000_000_004, 0.1 * 4)
    assert {found async for found in store.scan_records(0)} == {(name, every_byte + name.encode()) for name in ODD_IDS}
    assert await store.outbox_read(0, 0, 10) == [entry(1), entry(2)]
    meta = await store.read_meta(0)
    assert (meta.seq, meta.commit_id, meta.state, meta.outbox_no) == (1, "c1", every_byte, 2)
    assert meta.offsets == {"purchases": 2**53 + 1, "logins": 0}
    assert await store.load(1, ["ann"]) == [None], "partitions are apart"


async def test_a_later_commit_keeps_what_it_does_not_name(store_case: StoreCase) -> None:
    store = store_case.store
    await store.take_epoch(0, 1, 4, "a")
    first = CommitRequest(1, "c1", [("x", b"1"), ("y", b"1")], [("x", 10), ("y", 20)], [("x", 0.5)], {"p": 1, "q": 1}, b"s")
    await store.commit(0, 1, "a", first)
    await store.commit(0, 1, "a", CommitRequest(2, "c2", [("x", b"")], [("x", None), ("z", 5)], (), {"p": 7}))
    assert await store.load(0, ["x", "y"]) == [b"", b"1"]
    assert await store.due(0, 100, 10) == ["z", "y"]
    meta = await store.read_meta(0)
    assert (meta.offsets, meta.state, meta.seq) == ({"p": 7, "q": 1}, b"s", 2)
    assert await store.read_customer(0, "x") == StoredCustomer(b"", None, 0.5)


async def test_a_trigger_is_remembered_until_a_commit_forgets_what_lies_before_a_time(store_case: StoreCase) -> None:
    store, names = store_case.store, ["a", "b", "c", "d"]
    await store.take_epoch(0, 1, 4, "a")
    await store.commit(0, 1, "a", CommitRequest(1, "c1", triggered=[("a", 9), ("b", 10), ("c", 11)]))
    await store.commit(0, 1, "a", CommitRequest(2, "c2"))
    assert await store.triggered(0, names) == [9, 10, 11, None]
    await store.commit(0, 1, "a", CommitRequest(3, "c3", triggered=[("c", 12), ("d", 8)], forget_triggered_before_s=10))
    assert await store.triggered(0, names) == [None, 10, 12, None]
    await store.commit(0, 1, "a", CommitRequest(4, "c4", forget_triggered_before_s=13))
    assert await store.triggered(0, names) == [None] * 4
    assert await store.triggered(1, names) == [None] * 4, "partitions are apart"


async def test_what_waits_for_its_outcome_is_there_until_it_is_settled(store_case: StoreCase) -> None:
    store, names = store_case.store, [f"5:{name}" for name in ODD_IDS]
    await store.take_epoch(0, 1, 4, "a")
    waiting = [(name, bytes(range(256)) + name.encode()) for name in names]
    await store.commit(0, 1, "a", CommitRequest(1, "c1", pending=waiting))
    assert await store.pending(0, [*names, "6:ann"]) == [*(value for _, value in waiting), None]
    await store.commit(0, 1, "a", CommitRequest(2, "c2", pending=[(names[0], b"")], settled=[*names[1:], "9:nobody"]))
    assert await store.pending(0, names) == [b"", *[None] * (len(names) - 1)]
    assert await store.pending(1, names[:1]) == [None], "partitions are apart"


async def test_looks_that_are_due_at_once_come_in_the_order_of_the_ids_bytes(store_case: StoreCase) -> None:
    store = store_case.store
    await store.take_epoch(0, 1, 4, "a")
    await store.commit(0, 1, "a", CommitRequest(1, "c", due=[("é", 7), ("z", 7), ("Z", 7), ("客", 7), ("a", 8)]))
    assert await store.due(0, 7, 10) == ["Z", "z", "é", "客"]


async def test_the_outbox_is_read_in_pieces_and_forgotten_when_acknowledged(store_case: StoreCase) -> None:
    store = store_case.store
    await store.take_epoch(0, 1, 4, "a")
    await store.commit(0, 1, "a", CommitRequest(1, "c1", outbox=[entry(n) for n in range(1, 12)]))
    assert await store.outbox_read(0, 9, 10) == [entry(10), entry(11)]
    assert await store.outbox_read(0, 0, 2) == [entry(1), entry(2)]
    await store.outbox_ack(0, 1, "a", 10)
    await store.outbox_ack(0, 1, "a", 3)
    assert (await store.outbox_depth(0), await store.outbox_read(0, 0, 9)) == (1, [entry(11)])
    await store.outbox_ack(0, 1, "a", 11)
    assert await store.outbox_depth(0) == 0
    await store.commit(0, 1, "a", CommitRequest(2, "c2", outbox=[entry(12)]))
    assert await store.outbox_read(0, 0, 9) == [entry(12)]
    assert await store.confirmed(0) is None, "no replicas are asked for"


@pytest.mark.parametrize("number", [1, 2, 4], ids=["repeated", "the last", "a gap"])
async def test_outbox_numbers_go_on_from_the_last(store_case: StoreCase, number: int) -> None:
    store = store_case.store
    await store.take_epoch(0, 1, 4, "a")
    await store.commit(0, 1, "a", CommitRequest(1, "c1", outbox=[entry(1), entry(2)]))
    before = await store_case.save(0)
    with pytest.raises(StoreMisconfigured, match="expected 3"):
        await store.commit(0, 1, "a", CommitRequest(2, "c2", [("x", b"1")], outbox=[entry(number)]))
    assert await store_case.save(0) == before


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (CommitRequest(0, "c"), "seq 0"),
        (CommitRequest(1, ""), "commit_id"),
        (CommitRequest(1, "c", [("x", b"1"), ("x", b"2")]), "records"),
        (CommitRequest(1, "c", due=[("x", 1), ("x", None)]), "due"),
        (CommitRequest(1, "c", risk=[("x", 0.1), ("x", 0.2)]), "risk"),
        (CommitRequest(1, "c", risk=[("x", math.nan)]), "risk"),
        (CommitRequest(1, "c", outbox=[entry(1), entry(3)]), "outbox"),
        (CommitRequest(1, "c", triggered=[("call\0x", 1), ("call\0x", 2)]), "triggered"),
        (CommitRequest(1, "c", pending=[("5:x", b""), ("5:x", b"")]), "pending"),
        (CommitRequest(1, "c", pending=[("5:x", b"")], settled=["5:x"]), "pending"),
        (CommitRequest(1, "c", settled=["5:x", "5:x"]), "pending"),
        (CommitRequest(1, "c", gone=["x", "x"]), "gone"),
        (CommitRequest(1, "c", due=[("x", None)], gone=["x"]), "gone"),
        (CommitRequest(1, "c", removal=Removal(erased={b"d": 1})), "fingerprint"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_request_that_breaks_its_own_rules_is_refused(store_case: StoreCase, request_: CommitRequest, says: str) -> None:
    await store_case.store.take_epoch(0, 1, 4, "a")
    before = await store_case.save(0)
    with pytest.raises(ValueError, match=says):
        await store_case.store.commit(0, 1, "a", request_)
    assert await store_case.save(0) == before


async def test_twenty_thousand_records_in_one_commit(store_case: StoreCase, record_property: pytest.RecordProperty) -> None:
    store = store_case.store
    ids = [f"customer-{at:06d}" for at in range(20_000)]
    await store.take_epoch(0, 1, 4, "a")
    began_s = time.perf_counter()
    await store.commit(0, 1, "a", CommitRequest(
        1, "c1", [(name, name.encode() * 32) for name in ids], [(name, at) for at, name in enumerate(ids)],
        [(name, at / 20_000) for at, name in enumerate(ids)], triggered=[(name, at) for at, name in enumerate(ids)],
        pending=[(f"5:{name}", name.encode() * 32) for name in ids],
    ))  # fmt: skip
    record_property("commit_s", round(time.perf_counter() - began_s, 3))
    assert await store.load(0, ids) == [name.encode() * 32 for name in ids]
    assert await store.due(0, 2**32, 30_000) == ids
    assert await store.triggered(0, ids) == list(range(20_000))
    assert {name async for name, _ in store.scan_records(0)} == set(ids)
    assert await store.pending(0, [f"5:{name}" for name in ids]) == [name.encode() * 32 for name in ids]
    more = CommitRequest(2, "c2", due=[(name, None) for name in ids], settled=[f"5:{name}" for name in ids])
    await store.commit(0, 1, "a", more)
    assert await store.pending(0, [f"5:{name}" for name in ids]) == [None] * 20_000
    assert await store.due(0, 2**32, 30_000) == []
