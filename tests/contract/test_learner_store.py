"""What every store of the learner promises: the fake, Redis, Valkey and Redis Cluster."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from streams.runtime.backoff import Backoff
from streams.runtime.learner_store import LearnerRecord, LearnerStore, RedisLearnerStore
from streams.runtime.redis_link import RedisLink
from streams.runtime.store import Fenced, LostCommits, OtherSystem, StaleGeneration, StoreDamaged, System, UnknownVersion
from tests.support.memory_learner import MemoryLearnerStore
from tests.support.redis_fixtures import IMPLEMENTATIONS
from tests.support.redis_servers import RunningRedis

pytestmark = pytest.mark.timeout(60)

OURS = System("shop", "shop.")
EVERY_BYTE = bytes(range(256))


@pytest_asyncio.fixture(params=IMPLEMENTATIONS)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[LearnerStore]:
    if request.param == "memory":
        yield MemoryLearnerStore()
        return
    name = {"redis": "real_redis", "valkey": "embedded_valkey", "cluster": "real_cluster"}[request.param]
    link = RedisLink(request.getfixturevalue(name).url, cluster=request.param == "cluster")
    yield RedisLearnerStore(link, prefix="test" + secrets.token_hex(4), backoff=Backoff(patience_s=20.0))
    await link.close()


async def test_nobody_was_ever_the_learner(store: LearnerStore) -> None:
    assert await store.read() == LearnerRecord()
    assert not (await store.read()).exists
    assert await store.reset_generation() is False


async def test_what_is_committed_is_there_for_the_next(store: LearnerStore) -> None:
    mine = await store.take(1, "a", OURS)
    assert mine == LearnerRecord(epoch=1, nonce="a")
    await store.commit(mine, 1, {"learner": EVERY_BYTE, "next_offset": b"7", "order": b""})
    await store.commit(mine, 2, {"next_offset": b"9"})
    expected = {"learner": EVERY_BYTE, "next_offset": b"9", "order": b""}
    assert await store.take(2, "b", OURS) == LearnerRecord(2, "b", 2, expected)
    assert await store.read() == LearnerRecord(2, "b", 2, expected)


async def test_a_retry_changes_nothing(store: LearnerStore) -> None:
    mine = await store.take(1, "a", OURS)
    assert await store.take(1, "a", OURS) == mine
    await store.commit(mine, 1, {"learner": b"one"})
    await store.commit(mine, 1, {"learner": b"one"})
    assert (await store.read()).seq == 1


async def test_who_was_replaced_writes_nothing(store: LearnerStore) -> None:
    former = await store.take(1, "a", OURS)
    await store.commit(former, 1, {"learner": b"mine"})
    newer = await store.take(2, "b", OURS)
    for seq in (1, 2):
        with pytest.raises(Fenced):
            await store.commit(former, seq, {"learner": b"late"})
    with pytest.raises(StaleGeneration):
        await store.take(1, "c", OURS)
    await store.commit(newer, 2, {"learner": b"newer's"})
    assert (await store.read()).fields == {"learner": b"newer's"}


async def test_the_same_generation_by_another_fences_the_first(store: LearnerStore) -> None:
    first = await store.take(1, "a", OURS)
    await store.take(1, "b", OURS)
    with pytest.raises(Fenced):
        await store.commit(first, 1, {"learner": b"x"})


@pytest.mark.parametrize("seq", [1, 3, 9])
async def test_a_commit_that_does_not_follow_is_refused(store: LearnerStore, seq: int) -> None:
    """Redis went back, or forward under a clone of ours: either way what it holds is not what we think."""
    mine = await store.take(1, "a", OURS)
    if seq == 1:
        await store.commit(mine, 1, {"learner": b"x"})
        await store.commit(mine, 2, {"learner": b"y"})
    with pytest.raises(LostCommits):
        await store.commit(mine, seq, {"learner": b"z"})


async def test_another_system_is_refused_until_the_generation_is_reset(store: LearnerStore) -> None:
    mine = await store.take(5, "a", OURS)
    await store.commit(mine, 1, {"learner": b"kept"})
    with pytest.raises(OtherSystem, match="group shop on topics shop"):
        await store.take(6, "b", System("other", "shop."))
    assert await store.reset_generation() is True
    with pytest.raises(Fenced):
        await store.commit(mine, 2, {"learner": b"late"})
    assert (await store.take(0, "c", System("other", "shop."))).fields == {"learner": b"kept"}


@pytest.mark.parametrize("fields", [{}, {"epoch": b"9"}, {"learner": b"", "seq": b"4"}])
async def test_fields_of_its_own_are_not_the_callers(store: LearnerStore, fields: dict[str, bytes]) -> None:
    mine = await store.take(1, "a", OURS)
    with pytest.raises(ValueError, match="must be some, and none of"):
        await store.commit(mine, 1, fields)


async def test_a_key_of_another_layout_or_type_is_refused(real_redis: RunningRedis) -> None:
    link = RedisLink(real_redis.url)
    store = RedisLearnerStore(link, prefix="test" + secrets.token_hex(4), backoff=Backoff(patience_s=20.0))
    with real_redis.client() as client:
        client.hset(store.key, "layout", "2")
        with pytest.raises(UnknownVersion, match="layout version 2"):
            await store.take(1, "a", OURS)
        client.delete(store.key)
        client.set(store.key, "a string")
        with pytest.raises(StoreDamaged):
            await store.take(1, "a", OURS)
    await link.close()
