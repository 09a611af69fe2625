"""What earlier builds left in Redis: read, taken over, and gone on from."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis import Redis

from streams.customer import VERSION
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.store import CommitRequest, OutboxEntry, PartitionStore, StoredCustomer, System, UnknownVersion
from tests.support.golden import Golden, of_kind
from tests.support.redis_servers import RunningRedis
from tests.support.store_load import store_on

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

OURS = System("buyers", "eu.")
WRITTEN_UNDER = "shop"
"""The prefix in the files."""


@pytest.mark.parametrize("golden", of_kind("redis"), ids=str)
async def test_what_was_left_is_read_and_gone_on_from(golden: Golden, real_redis: RunningRedis) -> None:
    (example,) = golden.examples
    means = example["means"]
    async with _store(real_redis) as (store, prefix):
        with real_redis.client() as client:
            for name, kept in example["keys"].items():
                _put(client, name.replace(WRITTEN_UNDER, prefix, 1), kept)
        await _assert_means(store, means)
        meta = await store.take_epoch(1, 8, 4, "next", OURS)
        assert (meta.epoch, meta.seq, meta.outbox_no, meta.system) == (2, means["seq"], means["outbox_no"], OURS)
        for k, (_, topic, key, value) in enumerate(means["outbox"]):
            entry = (await store.outbox_read(1, 0, 10))[k]
            assert (entry.topic, entry.key, entry.value) == (topic, key.encode(), value.encode("latin-1"))
        more = CommitRequest(3, "c3", [("carl", b"\5")], outbox=[OutboxEntry(4, "t", b"", b"")], triggered=[("call\0carl", 9)])
        await store.commit(1, 2, "next", more)
        await store.outbox_ack(1, 2, "next", 3)
        assert [entry.number for entry in await store.outbox_read(1, 0, 10)] == [4]


@asynccontextmanager
async def _store(redis: RunningRedis) -> AsyncIterator[tuple[RedisPartitionStore, str]]:
    prefix = "golden" + secrets.token_hex(4)
    async with store_on(redis.url, prefix=prefix, record_version=VERSION) as store:
        yield store, prefix


async def _assert_means(store: PartitionStore, means: dict[str, Any]) -> None:
    meta = await store.read_meta(1)
    for name in ("epoch", "nonce", "generation", "seq", "commit_id", "offsets", "outbox_no", "partition_count"):
        assert getattr(meta, name) == means[name], name
    assert (meta.state, meta.system) == (means["state"].encode(), System(*means["system"]))
    assert {name async for name, _ in store.scan_records(1)} == means["records"].keys()
    assert await store.due(1, 2**40, 10) == [name for name, _ in means["due"]]
    due, risk = dict(means["due"]), dict(means["risk"])
    for name, record in means["records"].items():
        stored = StoredCustomer(record.encode("latin-1"), due.get(name), risk.get(name))
        assert await store.read_customer(1, name) == stored
    assert await store.riskiest(1, 10) == [tuple(pair) for pair in means["risk"]]
    assert [entry.number for entry in await store.outbox_read(1, 0, 10)] == [number for number, *_ in means["outbox"]]
    assert await store.triggered(1, list(means["triggered"])) == list(means["triggered"].values())
    waiting = [value if value is None else value.encode("latin-1") for value in means.get("pending", {}).values()]
    assert await store.pending(1, list(means.get("pending", {}))) == waiting


async def test_today_leaves_in_redis_what_stands_in_the_newest_file(real_redis: RunningRedis) -> None:
    (example,) = of_kind("redis")[-1].examples
    async with _store(real_redis) as (store, prefix):
        await store.take_epoch(1, 7, 4, "0123456789abcdef", OURS)
        first = [OutboxEntry(1, "eu.churn.alerts", b"anna", b"{}"), OutboxEntry(2, "eu.churn.journal", b"1", b"{\xff}")]
        await store.commit(1, 1, "0123456789abcdef", CommitRequest(
            1, "c1", [("anna", b"\1\2"), ("bert", b"\3")], [("anna", 1_700_000_000), ("bert", 5)],
            [("anna", 0.25), ("bert", 0.5)], {"purchases": 41, "clock": 0}, b"state-1", first,
            [("call\0anna", 1_700_000_000), ("mail\0bert", 7)], pending=[("19700:anna", b"\1"), ("19690:bert", b"\3")],
        ))  # fmt: skip
        await store.commit(1, 1, "0123456789abcdef", CommitRequest(
            2, "c2", [("anna", b"\1\4")], [("bert", None)], [("anna", 0.75)], {"purchases": 2**53 + 1}, b"state-2",
            [OutboxEntry(3, "eu.churn.alerts", b"bert", b"[]")], [("call\0anna", 1_700_000_060)], 8,
            [("19700:anna", b"\1\2")], ["19690:bert"],
        ))  # fmt: skip
        await store.outbox_ack(1, 1, "0123456789abcdef", 1)
        with real_redis.client() as client:
            found = {key.decode().replace(prefix, WRITTEN_UNDER, 1): _kept(client, key) for key in client.keys(f"{prefix}:*")}
    assert found == example["keys"]


@pytest.mark.parametrize("golden", of_kind("redis"), ids=str)
async def test_a_program_that_reads_older_records_only_is_refused(golden: Golden, real_redis: RunningRedis) -> None:
    (example,) = golden.examples
    written = example["means"]["record_version"]
    prefix = "golden" + secrets.token_hex(4)
    async with store_on(real_redis.url, prefix=prefix, record_version=written - 1, newest_record=written - 1) as older:
        with real_redis.client() as client:
            for name, kept in example["keys"].items():
                _put(client, name.replace(WRITTEN_UNDER, prefix, 1), kept)
        with pytest.raises(UnknownVersion, match=f"record version {written} in Redis"):
            await older.take_epoch(1, 8, 4, "older", OURS)


def _put(client: Redis, name: str, kept: dict[str, Any]) -> None:
    [(kind, value)] = kept.items()
    if kind == "string":
        client.set(name, value.encode("latin-1"))
    elif kind == "hash":
        client.hset(name, mapping={field: text.encode("latin-1") for field, text in value.items()})
    elif kind == "zset":
        client.zadd(name, dict(value))
    else:
        for number, entry in value["entries"]:
            client.xadd(name, {field: text.encode("latin-1") for field, text in entry.items()}, id=number)


def _kept(client: Redis, key: bytes) -> dict[str, Any]:
    kind = client.type(key).decode()
    if kind == "string":
        return {kind: client.get(key).decode("latin-1")}
    if kind == "hash":
        return {kind: {name.decode(): text.decode("latin-1") for name, text in client.hgetall(key).items()}}
    if kind == "zset":
        return {kind: [[member.decode(), score] for member, score in client.zrange(key, 0, -1, withscores=True)]}
    entries = [[at.decode(), {name.decode(): v.decode("latin-1") for name, v in e.items()}] for at, e in client.xrange(key)]
    return {kind: {"last-generated-id": client.xinfo_stream(key)["last-generated-id"].decode(), "entries": entries}}
