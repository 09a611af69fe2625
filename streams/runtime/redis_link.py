"""Connections to one Redis server or to a cluster, behind two calls: send to a key's owner, and hold one connection to it.

redis-py's own retries are off (the store retries, its fence makes that safe), and long commands are packed by hiredis:
a commit of thousands of keys costs 0.1 us a key instead of 0.8, and its blob is not copied.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import hiredis
from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import (
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    ClusterError,
    ConnectionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from streams.runtime.redis_refused import refused_for_good

MAX_CONNECTIONS = 256
_MANY_ARGUMENTS = 32
_LARGE_BYTES = 16_384

_PASSING = (
    AskError,
    ClusterError,
    ConnectionError,
    OSError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    TimeoutError,
    TryAgainError,
)
# Error replies that redis-py has no class for. BUSY: someone else's script runs too long.
_PASSING_REPLIES = ("BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "READONLY", "TRYAGAIN")


class _Packing:
    """Packs commands of many arguments in C, and hands a large last argument on uncopied."""

    def pack_command(self, *args: Any) -> list[bytes]:
        if len(args) < _MANY_ARGUMENTS:
            return cast("list[bytes]", super().pack_command(*args))  # type: ignore[misc] # a mix-in of redis-py's connections
        last = args[-1]
        if not isinstance(last, bytes) or len(last) < _LARGE_BYTES:
            return [hiredis.pack_command(args)]
        head = hiredis.pack_command(args[:-1])
        body_at = head.index(b"\n") + 1  # the count of arguments is one too low there
        return [b"*%d\r\n%b$%d\r\n" % (len(args), head[body_at:], len(last)), last, b"\r\n"]


class PackingConnection(_Packing, Connection):
    """TCP."""


class PackingSSLConnection(_Packing, SSLConnection):
    """TLS."""


class PackingUnixConnection(_Packing, UnixDomainSocketConnection):
    """A socket in the file system."""


_PACKING = {
    Connection: PackingConnection,
    SSLConnection: PackingSSLConnection,
    UnixDomainSocketConnection: PackingUnixConnection,
}


def mask(text: str) -> str:
    """The text without the password of any URL in it.

    >>> mask("no route to rediss://user:s3cr@t@example:6379/0?password=x&db=1")
    'no route to rediss://user:***@example:6379/0?password=***&db=1'
    """
    text = re.sub(r"(\w+://[^:/@\s]*):[^\s/]*@", r"\1:***@", text)
    return re.sub(r"(?i)(password=)[^&\s]*", r"\1***", text)


class RedisLink:
    """One server, or a cluster; answers are redis-py's for RESP2.

    url         redis://, rediss:// or unix://PATH, with user and password if any
    cluster     the address is one node of a cluster (not with unix://)
    timeout_s   longest wait for an answer or a connection
    tls         for rediss://: what redis-py calls ssl_ca_certs and so on
    Opens nothing until the first call. Raises ValueError for a URL it cannot use, without the password.
    """

    def __init__(
        self, url: str, *, cluster: bool = False, timeout_s: float = 5.0, tls: Mapping[str, Any] | None = None
    ) -> None:
        self.cluster = cluster
        try:
            options = dict(parse_url(url))
        except ValueError:  # its text may quote a part of the password
            raise ValueError(
                "redis.url: cannot be read: write redis://user:password@host:port/0, rediss://... or unix:///path, "
                "signs like / @ : in the password as %2F %40 %3A"
            ) from None
        packing = _PACKING[cast("type[Connection]", options.pop("connection_class", Connection))]
        options |= {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, "protocol": 2}
        options |= {"driver_info": None, **(tls or {})}  # else each connection names its library, which needs a right of its own
        self._client = _cluster(options, packing) if cluster else _server(options, packing)

    async def send(self, key: str, *command: Any) -> Any:
        """The answer of whoever owns this key's slot. Raises redis-py's errors."""
        client = self._client
        with _heeding_cancellation():
            if isinstance(client, Redis):
                return await client.execute_command(*command)  # type: ignore[no-untyped-call] # redis-py leaves it untyped
            # Naming the node spares hashing thousands of keys; a slot that moved is followed all the same.
            return await client.execute_command(*command, target_nodes=await self._owner(client, key))

    async def send_in_row(self, key: str, *commands: Sequence[Any]) -> list[Any]:
        """Several commands to the owner of key over one and the same connection; raw answers, one a command.

        Not a transaction. In a cluster, a slot that moved shows as an error worth retrying.
        """
        with _heeding_cancellation():
            return await self._send_in_row(self._client, key, commands)

    async def _send_in_row(self, client: Redis | RedisCluster, key: str, commands: Sequence[Sequence[Any]]) -> list[Any]:
        if isinstance(client, Redis):
            connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call] # as above
            try:
                return [await _ask(connection, command) for command in commands]
            finally:
                await client.connection_pool.release(connection)
        await self.send(key, "EXISTS", key)  # follows a moved slot, so that the owner is known
        node = await self._owner(client, key)
        connection = node.acquire_connection()
        try:
            await node.disconnect_if_needed(connection)
            return [await _ask(connection, command) for command in commands]
        finally:
            node.release(connection)

    async def _owner(self, client: RedisCluster, key: str) -> ClusterNode:
        await client.initialize()
        node = client.get_node_from_key(key)
        if node is None:
            raise ClusterError(f"no node owns slot {client.keyslot(key)} at present")
        return node

    async def close(self) -> None:
        """Close every connection; a later call opens new ones."""
        await self._client.aclose()
        if isinstance(self._client, Redis):
            await self._client.connection_pool.disconnect()

    def passing(self, error: BaseException) -> str | None:
        """What to say of an error that waiting may cure; None if it will not."""
        if refused_for_good(error) is not None or "Cluster mode is not enabled" in str(error):
            return None
        if isinstance(error, AskError) and not self.cluster:
            return None  # MOVED from a cluster's node: the setting is wrong
        if isinstance(error, _PASSING) or (isinstance(error, ResponseError) and str(error).startswith(_PASSING_REPLIES)):
            return mask(f"{type(error).__name__}: {error}")
        return None


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


async def _ask(connection: Any, command: Sequence[Any]) -> Any:
    await connection.send_command(*command)
    return await connection.read_response()


def _server(options: dict[str, Any], packing: type[Connection]) -> Redis:
    pool = ConnectionPool(connection_class=packing, max_connections=MAX_CONNECTIONS, retry=Retry(NoBackoff(), 0), **options)
    return Redis(connection_pool=pool)


def _cluster(options: dict[str, Any], packing: type[Connection]) -> RedisCluster:
    if "path" in options:
        raise ValueError("redis.cluster: needs redis:// or rediss:// in redis.url, not unix://")
    options.setdefault("host", "localhost")
    options.pop("db", None)
    client = RedisCluster(
        **options, ssl=packing is PackingSSLConnection, max_connections=MAX_CONNECTIONS, retry=Retry(NoBackoff(), 0)
    )
    # The constructor takes no connection class, but every node it finds later is made with these.
    client.connection_kwargs["connection_class"] = packing
    for node in client.nodes_manager.startup_nodes.values():
        node.connection_class = packing
    return client
