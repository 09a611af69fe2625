"""Fixtures with partition stores; tests/conftest.py takes them in.

`store_case` runs a test over every implementation. What cannot run here fails the run in CI and is skipped aloud elsewhere.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from streams.runtime.backoff import Backoff
from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_store import RedisPartitionStore
from tests.support.broker_fixtures import missing
from tests.support.redis_servers import (
    RedisMissing,
    RunningCluster,
    RunningRedis,
    redis_cluster,
    redis_server,
    valkey_server,
)
from tests.support.store_cases import MemoryCase, RedisCase, StoreCase

IMPLEMENTATIONS = ("memory", "redis", "valkey", "cluster")


@pytest.fixture(scope="session")
def real_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    """One redis-server for the whole run; tests keep apart by prefix. Leave it running."""
    yield from _or_missing("Redis", redis_server(tmp_path_factory.mktemp("redis")))


@pytest.fixture(scope="session")
def embedded_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    """One Valkey from the wheel for the whole run. Leave it running."""
    yield from _or_missing("Valkey", valkey_server(tmp_path_factory.mktemp("valkey")))


@pytest.fixture(scope="session")
def real_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    """One Redis Cluster of three nodes for the whole run. Leave it running."""
    yield from _or_missing("Redis Cluster", redis_cluster(tmp_path_factory.mktemp("cluster")))


def _or_missing(what: str, server: AbstractContextManager[Any]) -> Iterator[Any]:
    try:
        running = server.__enter__()
    except RedisMissing as why:
        missing(what, why)
    try:
        yield running
    finally:
        server.__exit__(None, None, None)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Callable[..., RunningRedis]]:
    """Makes servers that the test may do anything to."""
    with contextlib.ExitStack() as running:

        def start(*options: str, kind: str = "redis") -> RunningRedis:
            folder = tmp_path / secrets.token_hex(4)
            return running.enter_context(redis_server(folder, options) if kind == "redis" else valkey_server(folder))

        try:
            yield start
        except RedisMissing as why:
            missing("Redis", why)


@pytest_asyncio.fixture(params=IMPLEMENTATIONS)
async def store_case(request: pytest.FixtureRequest) -> AsyncIterator[StoreCase]:
    """A store with nothing in it, of each implementation in turn."""
    if request.param == "memory":
        yield MemoryCase()
        return
    name = {"redis": "real_redis", "valkey": "embedded_valkey", "cluster": "real_cluster"}[request.param]
    server = request.getfixturevalue(name)
    link = RedisLink(server.url, cluster=request.param == "cluster")
    prefix = "test" + secrets.token_hex(4)
    yield RedisCase(link, prefix, RedisPartitionStore(link, prefix=prefix, backoff=Backoff(patience_s=20.0)))
    await link.close()
