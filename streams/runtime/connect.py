"""The store for commands that look at a running system without owning anything of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.customer import VERSION
from streams.runtime.backoff import Backoff
from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.settings import Settings

PATIENCE_S = 5.0


@asynccontextmanager
async def connected_store(settings: Settings, patience_s: float = PATIENCE_S) -> AsyncIterator[RedisPartitionStore]:
    """The store of these settings; gives up with StoreUnavailable when Redis stays away."""
    redis = settings.redis
    link = RedisLink.of(redis)
    try:
        yield RedisPartitionStore(link, prefix=redis.prefix, record_version=VERSION, backoff=Backoff(patience_s=patience_s))
    finally:
        await link.close()
