"""Connections to Redis by the settings; the store for commands that look at a running system without owning anything of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.customer import VERSION
from streams.runtime.backoff import Backoff
from streams.runtime.redis_link import RedisLink, Sentinels
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.settings import RedisSettings, Settings

PATIENCE_S = 5.0


def link_to(redis: RedisSettings) -> RedisLink:
    """Opens nothing yet."""
    return RedisLink(
        redis.url.get_secret_value(),
        cluster=redis.cluster,
        cluster_nodes=redis.further_nodes(),
        sentinels=_sentinels(redis),
        timeout_s=redis.timeout_s,
        tls=redis.tls_options(),
    )


def _sentinels(redis: RedisSettings) -> Sentinels | None:
    addresses, password = redis.sentinel_addresses(), redis.sentinel_password
    login = (redis.sentinel_username, None if password is None else password.get_secret_value())
    return Sentinels(addresses, redis.sentinel_master, *login) if addresses else None


@asynccontextmanager
async def connected_store(settings: Settings, patience_s: float = PATIENCE_S) -> AsyncIterator[RedisPartitionStore]:
    """The store of these settings; gives up with StoreUnavailable when Redis stays away."""
    link = link_to(settings.redis)
    try:
        backoff = Backoff(patience_s=patience_s)
        yield RedisPartitionStore(link, prefix=settings.redis.prefix, record_version=VERSION, backoff=backoff)
    finally:
        await link.close()
