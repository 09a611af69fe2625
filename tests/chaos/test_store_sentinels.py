"""Whom the store writes to while sentinels replace the primary, and what it says when they do not let it in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.runtime.backoff import Backoff, Retrying
from streams.runtime.redis_diagnosis import diagnose_redis
from streams.runtime.redis_link import RedisLink, Sentinels
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.settings import load_settings
from streams.runtime.store import StoreMisconfigured, StoreUnavailable
from tests.support.broker_fixtures import missing
from tests.support.eventually import DEADLINE_S, wait_until
from tests.support.redis_sentinels import NAME, PASSWORD, RunningSentinel, WatchedRedis, redis_sentinels
from tests.support.redis_servers import RedisMissing
from tests.support.store_load import assert_whole, numbered

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedRedis]:
    """For the tests of this file in their order: one replaces its primary, and the last freezes sentinels, which may then doubt
    their clocks for half a minute.
    """
    try:
        with redis_sentinels(tmp_path_factory.mktemp("sentinels")) as found:
            yield found
    except RedisMissing as why:
        missing("Redis", why)


def store_of(watched: WatchedRedis, backoff: Backoff, prefix: str = "watched", **other: str | None) -> RedisPartitionStore:
    """A store that knows the sentinels and nothing else."""
    addresses = tuple(("127.0.0.1", sentinel.port) for sentinel in watched.sentinels)
    given: dict[str, Any] = {"name": NAME, "password": PASSWORD} | other
    sentinels = Sentinels(addresses, **given)
    link = RedisLink("redis://nowhere.invalid:1/0", sentinels=sentinels, timeout_s=20.0)
    return RedisPartitionStore(link, prefix=prefix, wait_replicas=1, wait_ms=300, backoff=backoff)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"name": "theirs"}, "sentinel_master theirs: No such master"),
        ({"password": "wrong-s3cret"}, r"redis\.sentinel_password: .*invalid"),
        ({"password": None}, r"redis\.sentinel_password: .*required"),
    ],
)
async def test_a_wrong_name_or_password_is_said_at_once(watched: WatchedRedis, other: dict[str, str | None], told: str) -> None:
    store = store_of(watched, Backoff(patience_s=5.0), **other)
    with pytest.raises(StoreMisconfigured, match=told) as caught:
        await store.read_meta(0)
    assert "s3cret" not in str(caught.value)
    await store.close()


async def test_no_sentinel_at_all_is_waited_for(watched: WatchedRedis, tmp_path: Path) -> None:
    away = RunningSentinel(tmp_path / "never-started", watched.servers[0], quorum=2)
    store = store_of(WatchedRedis(watched.servers, [away]), Backoff(patience_s=0.2))
    with pytest.raises(StoreUnavailable, match="no sentinel answers"):
        await store.read_meta(0)
    await store.close()


def test_the_doctor_looks_at_every_sentinel(watched: WatchedRedis) -> None:
    sound = diagnose_redis(load_settings(None, watched.environment | {"CHURNWATCH_REDIS__WAIT_REPLICAS": "2"}))
    assert [f for f in sound if f.status == "error"] == []
    assert len([f for f in sound if f.subject.startswith("redis sentinel 127.0.0.1:") and f.status == "ok"]) == 3
    assert any(f.what == "3 agree; replicas: 2" for f in sound)
    few = diagnose_redis(load_settings(None, watched.environment | {"CHURNWATCH_REDIS__WAIT_REPLICAS": "3"}))
    assert [f.subject for f in few if f.status == "error"] == ["redis replicas"]
    wrong = watched.environment | {"CHURNWATCH_REDIS__SENTINEL_PASSWORD": "wrong-s3cret"}
    refused = diagnose_redis(load_settings(None, wrong))
    assert {f.status for f in refused} == {"error"}
    assert len(refused) == 3
    assert "s3cret" not in str(refused)


async def test_commits_go_to_the_new_primary_only_once_there_is_one(watched: WatchedRedis) -> None:
    """The former one was frozen, and wakes before it is demoted: it would take them."""
    told: list[Retrying] = []
    store = store_of(watched, Backoff(cap_s=0.1, patience_s=60.0, on_retry=told.append))
    await store.take_epoch(0, 1, 1, "owner")
    for seq in (1, 2, 3):
        await store.commit(0, 1, "owner", numbered(seq))
    async with asyncio.timeout(DEADLINE_S):
        while (await store.confirmed(0) or 0) < 3:
            pass
    former = watched.primary()
    former.freeze()
    stuck = asyncio.create_task(store.commit(0, 1, "owner", numbered(4)))
    await asyncio.to_thread(wait_until, lambda: watched.primary() is not former, "a replica is promoted")
    former.thaw()  # with commit 4 in its socket, once or several times
    await stuck
    assert told, "the frozen primary was waited for"
    async with asyncio.timeout(DEADLINE_S):
        while (await store.confirmed(0) or 0) < 4:
            await asyncio.sleep(0.01)  # until the other replica has turned to the new primary
    for seq in range(5, 50):
        await store.commit(0, 1, "owner", numbered(seq))
    with former.client() as client:
        assert client.info("replication")["role"] == "master", "it does not know yet"
        assert int(client.hget("watched:{0}:meta", "seq")) <= 4
    await assert_whole(store, 49)
    await store.close()


async def test_a_known_primary_is_used_on_while_sentinels_hang(watched: WatchedRedis) -> None:
    store = store_of(watched, Backoff(patience_s=5.0), prefix="hang")
    await store.take_epoch(0, 1, 1, "owner")
    for sentinel in watched.sentinels:
        sentinel.freeze()
    try:
        async with asyncio.timeout(DEADLINE_S):
            for seq in range(1, 200):
                await store.commit(0, 1, "owner", numbered(seq))
    finally:
        for sentinel in watched.sentinels:
            sentinel.thaw()
    await assert_whole(store, 199)
    await store.close()
