"""A rebuild forgets all that a partition has in Redis, and nothing of the others."""

from __future__ import annotations

import secrets

import pytest

from streams.runtime.forgetting import forget_partition
from streams.runtime.settings import load_settings
from streams.runtime.store import CommitRequest
from tests.support.redis_servers import RunningRedis
from tests.support.store_load import assert_whole, numbered, store_on

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def test_every_key_of_the_partition_goes_and_the_others_stay(real_redis: RunningRedis) -> None:
    prefix = "forget" + secrets.token_hex(3)
    settings = load_settings(None, {"CHURNWATCH_REDIS__URL": real_redis.url, "CHURNWATCH_REDIS__PREFIX": prefix})
    async with store_on(real_redis.url, prefix=prefix) as store:
        for partition in (0, 1):
            await store.take_epoch(partition, 1, 2, "owner")
        await store.commit(0, 1, "owner", numbered(1))
        await store.commit(1, 1, "owner", CommitRequest(1, "c", [("x", b"1")], triggered=[("call\0x", 5)]))
        assert await forget_partition(settings, 1) == 3, "meta, the record, what was triggered"
        assert await store.triggered(1, ["call\0x"]) == [None]
        assert not (await store.read_meta(1)).exists
        await assert_whole(store, 1)
