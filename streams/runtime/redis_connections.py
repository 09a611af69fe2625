"""How a connection to one Redis server is made, and what it packs.

redis-py's own retries are off (the store retries, its fence makes that safe), and long commands are packed by hiredis:
a commit of thousands of keys costs 0.1 us a key instead of 0.8, and its blob is not copied.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import (
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

MAX_CONNECTIONS = 256
_MANY_ARGUMENTS = 32
_LARGE_BYTES = 16_384

Address = tuple[str, int]
"""Host and port."""


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


@dataclass(frozen=True, slots=True)
class Access:
    """How to get into a server: the kind of connection, and its options as redis-py names them."""

    kind: type[Connection]
    options: dict[str, Any]

    @classmethod
    def of(cls, url: str, timeout_s: float) -> Access:
        """What a URL says. Raises ValueError, without the password, for one that cannot be used."""
        try:
            options = dict(parse_url(url))
        except ValueError:  # its text may quote a part of the password
            raise ValueError(
                "redis.url: cannot be read: write redis://user:password@host:port/0, rediss://... or unix:///path, "
                "signs like / @ : in the password as %2F %40 %3A"
            ) from None
        kind = _PACKING[cast("type[Connection]", options.pop("connection_class", Connection))]
        options |= {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, "protocol": 2}
        options |= {"driver_info": None}  # else each connection names its library, which needs a right of its own
        return cls(kind, options)

    @property
    def address(self) -> Address:
        """Where the URL points."""
        return self.options.get("host", "localhost"), int(self.options.get("port", 6379))

    @property
    def by_address(self) -> bool:
        """Whether it is reached by host and port."""
        return "path" not in self.options

    def at(self, address: Address) -> Access:
        """The same at another place."""
        host, port = address
        return replace(self, options=self.options | {"host": host, "port": port})

    def but(self, **options: Any) -> Access:
        """The same with other options; None takes one away."""
        merged = self.options | options
        return replace(self, options={name: value for name, value in merged.items() if value is not None or name not in options})

    def client(self, kind: type[Connection] | None = None) -> Redis:
        """A client with a pool of its own. Opens nothing."""
        pool = ConnectionPool(
            connection_class=kind or self.kind, max_connections=MAX_CONNECTIONS, retry=Retry(NoBackoff(), 0), **self.options
        )
        return Redis(connection_pool=pool)


async def close(client: Redis) -> None:
    """Close every connection; a later call opens new ones."""
    await client.aclose()
    await client.connection_pool.disconnect()


async def execute(client: Redis, command: Sequence[Any], *, asking: bool = False) -> Any:
    """The answer as redis-py parses it. Raises its errors.

    asking   say ASKING before, over the same connection: the key's slot is on its way to this server
    """
    async with connection_of(client) as connection:
        if asking:
            await ask(connection, ("ASKING",))
        await connection.send_command(*command)
        return await client.parse_response(connection, command[0])


async def in_row(client: Redis, commands: Iterable[Sequence[Any]]) -> list[Any]:
    """The raw answers to several commands over one and the same connection. Not a transaction."""
    async with connection_of(client) as connection:
        return [await ask(connection, command) for command in commands]


@asynccontextmanager
async def connection_of(client: Redis) -> AsyncIterator[Any]:
    """An open connection of the client's pool, for the length of the block."""
    connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call] # redis-py leaves it untyped
    try:
        yield connection
    finally:
        await client.connection_pool.release(connection)


async def ask(connection: Any, command: Sequence[Any]) -> Any:
    """The raw answer to one command. Raises redis-py's errors."""
    await connection.send_command(*command)
    return await connection.read_response()
