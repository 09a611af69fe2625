"""The way to the primary that sentinels name, through failovers.

A former primary that was frozen or cut off goes on answering as one until sentinels reach it and demote it, seconds later, and
what it takes meanwhile is lost. So sentinels are asked again and again and not only when a connection breaks; as soon as they
name another server no command goes to the former one, and an answer that was still under way from it counts as none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, cast

from redis.asyncio import Redis
from redis.asyncio.connection import Connection
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
)
from redis.sentinel import MasterNotFoundError

from streams.runtime.redis_connections import Access, Address, ask, close, execute, in_row

LOOK_S = 1.0
"""How often sentinels are asked while commands are sent."""
SENTINEL_TIMEOUT_S = 1.0
"""Longest wait for one sentinel: the others are worth hearing."""

_AWAY = (ConnectionError, OSError, ReadOnlyError, TimeoutError)


class Sentinels(NamedTuple):
    """Who knows the primary.

    addresses            of the sentinels
    name                 what they call the primary
    username, password   to get into them, where they ask for it
    """

    addresses: tuple[Address, ...]
    name: str = "mymaster"
    username: str | None = None
    password: str | None = None


class SentinelRoute:
    """Sends to the present primary.

    access      how to get into servers, and by TLS or not into sentinels too; its own address does not count
    sentinels   see there
    timeout_s   longest wait for an answer
    monotonic   time, s
    """

    def __init__(
        self, access: Access, sentinels: Sentinels, timeout_s: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        wait_s = min(timeout_s, SENTINEL_TIMEOUT_S)
        login = {"username": sentinels.username, "password": sentinels.password, "db": None}
        into = access.but(**login, socket_timeout=wait_s, socket_connect_timeout=wait_s)
        self._sentinels = [into.at(address).client() for address in sentinels.addresses]
        self._name, self._monotonic = sentinels.name, monotonic
        self._client = access.but(primary=self._primary).client(_to_primary(access.kind))
        self._address: Address | None = None
        self._doubtful, self._looked_s = True, 0.0
        self._looking: asyncio.Task[None] | None = None

    async def send(self, _key: str, command: Sequence[Any]) -> Any:
        """The primary's answer."""
        return await self._while_primary(lambda: execute(self._client, command))

    async def send_in_row(self, _key: str, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The primary's raw answers, over one connection."""
        return cast("list[Any]", await self._while_primary(lambda: in_row(self._client, commands)))

    async def close(self) -> None:
        """Close every connection, and stop asking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await asyncio.gather(close(self._client), *map(close, self._sentinels))

    async def _while_primary(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """The result, if it came from the server that sentinels name still."""
        await self._look()
        address, began_s = self._address, self._monotonic()
        try:
            found = await call()
            if self._monotonic() - began_s > LOOK_S:  # it may have been frozen, and be replaced
                self._doubtful = True
                await self._look()
        except _AWAY:
            self._doubtful = True
            raise
        if self._address != address:
            raise ConnectionError(f"{_text(address)} is not the primary any more; its answer does not count")
        return found

    # -- who is the primary -----------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Ask the sentinels if it is time, and wait for them only where there is doubt."""
        if not self._doubtful and self._monotonic() - self._looked_s < LOOK_S:
            return
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._ask(), name="sentinels")
            self._looking.add_done_callback(_heard)
        if self._doubtful:
            await asyncio.shield(self._looking)

    async def _ask(self) -> None:
        answers = await asyncio.gather(*map(self._answer, self._sentinels), return_exceptions=True)
        self._looked_s = self._monotonic()
        named = [answer for answer in answers if isinstance(answer, tuple)]
        if named:
            await self._turn_to(max(named)[1])  # a sentinel that was cut off knows an older configuration
        else:
            self._nobody_named([answer for answer in answers if isinstance(answer, BaseException)])
        self._doubtful = False

    async def _answer(self, sentinel: Redis) -> tuple[int, Address]:
        """The configuration's number, and the primary in it. Raises MasterNotFoundError for one that does not answer."""
        state = await execute(sentinel, ("SENTINEL MASTER", self._name))
        if not state["is_master"] or state["is_sdown"] or state["is_odown"]:
            raise MasterNotFoundError(f"{state['ip']}:{state['port']} is down, and no other is primary yet")
        return int(state["config-epoch"]), (str(state["ip"]), int(state["port"]))

    def _nobody_named(self, errors: Sequence[BaseException]) -> None:
        """Raise what there is to say, unless it is only the sentinels that are away: then the primary we know is good enough."""
        told = [error for error in errors if isinstance(error, MasterNotFoundError)]
        refused = [error for error in errors if isinstance(error, AuthenticationError | ResponseError)]
        if told:
            raise MasterNotFoundError(f"{self._name}: {told[0]}")
        if refused:
            login = isinstance(refused[0], AuthenticationError)
            setting = "redis.sentinel_password" if login else f"redis.sentinel_master {self._name}"
            raise ResponseError(f"{setting}: {refused[0]}")
        if lasting := [error for error in errors if not isinstance(error, RedisError | OSError)]:
            raise lasting[0]
        if self._address is None:
            raise MasterNotFoundError(f"no sentinel answers: {'; '.join(map(str, errors))}")

    async def _turn_to(self, address: Address) -> None:
        if address == self._address:
            return
        self._address = address
        pool = self._client.connection_pool
        await pool.update_active_connections_for_reconnect()  # type: ignore[no-untyped-call] # redis-py leaves it untyped
        await pool.disconnect(inuse_connections=False)

    def _primary(self) -> Address:
        if self._address is None:
            raise MasterNotFoundError(f"{self._name}: the primary is not known")
        return self._address


def _heard(looking: asyncio.Task[None]) -> None:
    """What a look in the background found wrong is told to whom it matters: the next one that is waited for."""
    if not looking.cancelled():
        looking.exception()


def _text(address: Address | None) -> str:
    return "nobody" if address is None else f"{address[0]}:{address[1]}"


def _to_primary(kind: type[Connection]) -> type[Connection]:
    """Connections of this kind that go to whoever is the primary when they are opened."""

    class ToPrimary(kind):  # type: ignore[misc, valid-type] # a class made from an argument
        def __init__(self, *, primary: Callable[[], Address], **options: Any) -> None:
            super().__init__(**options)
            self._primary = primary

        async def _connect(self) -> None:
            self.host, self.port = self._primary()
            await super()._connect()

        async def on_connect_check_health(self, check_health: bool = True) -> None:
            await super().on_connect_check_health(check_health=check_health)
            await _check_role(self)

    return ToPrimary


async def _check_role(connection: Any) -> None:
    """Raise ConnectionError unless it leads to a primary: sentinels may be a moment behind."""
    try:
        role, *_ = await ask(connection, ("ROLE",))
    except NoPermissionError:
        return  # a replica refuses writes in any case
    if role != b"master":
        raise ConnectionError(f"{connection.host}:{connection.port} is a {role.decode()} at present")
