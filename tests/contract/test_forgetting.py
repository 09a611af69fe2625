"""A rebuild forgets all that a partition has in Redis, save what was triggered for whom and who was erased."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import pytest

from streams.runtime.forgetting import forget_partition
from streams.runtime.redis_link import RedisLink
from streams.runtime.settings import load_settings
from streams.runtime.store import CommitRequest, ErasedCustomers, Removal
from tests.support.redis_servers import RunningRedis
from tests.support.store_load import assert_whole, numbered, store_on

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def test_the_partitions_keys_go_but_what_was_triggered_and_the_others_stay(real_redis: RunningRedis) -> None:
    prefix = "forget" + secrets.token_hex(3)
    settings = load_settings(None, {"CHURNWATCH_REDIS__URL": real_redis.url, "CHURNWATCH_REDIS__PREFIX": prefix})
    async with store_on(real_redis.url, prefix=prefix) as store:
        for partition in (0, 1):
            await store.take_epoch(partition, 1, 2, "owner")
        await store.commit(0, 1, "owner", numbered(1))
        records = [("x", b"1"), ("triggered", b"2")]
        erased = Removal(erased={b"d" * 16: 7}, fingerprint="f")
        triggered = [("call\0x", 5), ("call\0y", 9)]
        await store.commit(1, 1, "owner", CommitRequest(1, "c", records, triggered=triggered, removal=erased))
        assert await forget_partition(settings, 1) == 3, "meta and the records"
        assert not (await store.read_meta(1)).exists
        assert await store.load(1, ["x", "triggered"]) == [None, None]
        assert await store.erased(1) == ErasedCustomers("f", {b"d" * 16: 7}), "or the topics would bring them back"
        await assert_whole(store, 1)


async def test_one_that_is_cut_short_leaves_nothing_that_looks_whole(
    real_redis: RunningRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = "forget" + secrets.token_hex(3)
    settings = load_settings(None, {"CHURNWATCH_REDIS__URL": real_redis.url, "CHURNWATCH_REDIS__PREFIX": prefix})
    async with store_on(real_redis.url, prefix=prefix) as store:
        await store.take_epoch(1, 1, 2, "owner")
        await store.commit(1, 1, "owner", CommitRequest(1, "c", [("x", b"1")]))
        sent = RedisLink.send_in_row

        async def cut(link: RedisLink, key: str, *commands: Sequence[Any]) -> list[Any]:
            if commands[0][0] == "SCAN":
                raise ConnectionError("cut")
            return await sent(link, key, *commands)

        with monkeypatch.context() as patched:
            patched.setattr(RedisLink, "send_in_row", cut)
            with pytest.raises(ConnectionError):
                await forget_partition(settings, 1)
        assert not (await store.read_meta(1)).exists, "a worker refuses it, or is told to begin anew"
        assert await store.load(1, ["x"]) == [b"1"]


async def test_a_partition_that_begins_anew_knows_what_was_triggered_and_forgets_it_as_ever(real_redis: RunningRedis) -> None:
    prefix = "forget" + secrets.token_hex(3)
    settings = load_settings(None, {"CHURNWATCH_REDIS__URL": real_redis.url, "CHURNWATCH_REDIS__PREFIX": prefix})
    names = ["call\0x", "call\0y"]
    async with store_on(real_redis.url, prefix=prefix) as store:
        await store.take_epoch(1, 1, 2, "owner")
        await store.commit(1, 1, "owner", CommitRequest(1, "c", triggered=[("call\0x", 5), ("call\0y", 9)]))
        await forget_partition(settings, 1)
        await store.take_epoch(1, 1, 2, "next")
        for seq, before_s, known in ((1, 4, [5, 9]), (2, 7, [None, 9])):
            await store.commit(1, 1, "next", CommitRequest(seq, f"c{seq}", forget_triggered_before_s=before_s))
            assert await store.triggered(1, names) == known
