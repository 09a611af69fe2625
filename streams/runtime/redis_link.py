"""Connections to Redis, behind two calls: send to a key's owner, and hold one connection to it.

One server, a cluster or a primary that sentinels name: which it is, is told by the settings and by nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from streams.runtime import redis_errors
from streams.runtime.redis_cluster import ClusterRoute
from streams.runtime.redis_connections import Access, Address, PackingConnection, close, execute, in_row
from streams.runtime.redis_errors import mask
from streams.runtime.redis_sentinel import SentinelRoute, Sentinels

__all__ = ["PackingConnection", "RedisLink", "Sentinels", "mask"]


class Route(Protocol):
    """A way to servers. Every call raises redis-py's errors."""

    async def send(self, key: str, command: Sequence[Any], /) -> Any:
        """The answer of the key's owner, as redis-py parses it."""
        ...

    async def send_in_row(self, key: str, commands: Sequence[Sequence[Any]], /) -> list[Any]:
        """Raw answers of the key's owner over one connection."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


class ServerRoute:
    """One server, which owns every key."""

    def __init__(self, access: Access) -> None:
        self._client = access.client()

    async def send(self, _key: str, command: Sequence[Any]) -> Any:
        """See `Route`."""
        return await execute(self._client, command)

    async def send_in_row(self, _key: str, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """See `Route`."""
        return await in_row(self._client, commands)

    async def close(self) -> None:
        """See `Route`."""
        await close(self._client)


class RedisLink:
    """Redis, of whatever kind; answers are redis-py's for RESP2. `connect.link_to` makes one by the settings.

    url             redis://, rediss:// or unix://PATH, with user and password if any
    cluster         the address is one node of a cluster (not with unix://)
    cluster_nodes   further nodes of it
    sentinels       who names the primary (not with unix://); the address in the URL does not count then
    timeout_s       longest wait for an answer or a connection
    tls             for rediss://: what redis-py calls ssl_ca_certs and so on
    Opens nothing until the first call. Raises ValueError for a URL it cannot use, without the password.
    """

    def __init__(
        self,
        url: str,
        *,
        cluster: bool = False,
        cluster_nodes: Iterable[Address] = (),
        sentinels: Sentinels | None = None,
        timeout_s: float = 5.0,
        tls: Mapping[str, Any] | None = None,
    ) -> None:
        self.cluster = cluster
        access = Access.of(url, timeout_s).but(**(tls or {}))
        if not access.by_address and (cluster or sentinels):
            field = "cluster" if cluster else "sentinels"
            raise ValueError(f"redis.{field}: needs redis:// or rediss:// in redis.url, not unix://")
        self._route: Route = ServerRoute(access)
        if cluster:
            self._route = ClusterRoute(access, cluster_nodes)
        elif sentinels is not None:
            self._route = SentinelRoute(access, sentinels, timeout_s)

    async def send(self, key: str, *command: Any) -> Any:
        """The answer of whoever owns this key's slot. Raises redis-py's errors."""
        with _heeding_cancellation():
            return await self._route.send(key, command)

    async def send_in_row(self, key: str, *commands: Sequence[Any]) -> list[Any]:
        """Several commands to the owner of key over one and the same connection; raw answers, one a command.

        Not a transaction. In a cluster, a slot that is half moved shows as an error worth retrying.
        """
        with _heeding_cancellation():
            return await self._route.send_in_row(key, commands)

    async def close(self) -> None:
        """Close every connection; a later call opens new ones."""
        await self._route.close()

    def passing(self, error: BaseException) -> str | None:
        """What to say of an error that waiting may cure; None if it will not."""
        return redis_errors.passing(error, cluster=self.cluster)


@contextmanager
def _heeding_cancellation() -> Iterator[None]:
    """Raise CancelledError if the task was cancelled within the block and the block went on regardless.

    redis-py sends under asyncio.wait_for, which before Python 3.12 swallows a cancellation that arrives as the sending ends.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    finally:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError
