"""The way to a key's owner in a Redis Cluster whose slots move and whose primaries are replaced.

redis-py's own cluster client sends ASKING over another connection than the command it is meant for, does not know a node
that owns nothing yet (one that was just added), and on an error closes connections under the hands of other tasks.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, ClusterError, ConnectionError, MovedError, ResponseError, TimeoutError

from streams.runtime.redis_connections import Access, Address, close, execute, in_row

REDIRECTIONS = 5
"""Most that one call follows; then the cluster changes too fast, and the store tries again later."""

_AWAY = (ClusterDownError, ConnectionError, OSError, TimeoutError)


class ClusterRoute:
    """Sends to the primary that owns a key's slot.

    access   how to get into every node; the node at its own address is one to ask who owns what
    more     further nodes to ask when that one is away
    """

    def __init__(self, access: Access, more: Iterable[Address] = ()) -> None:
        self._access = access.but(db=None)
        self._seeds = [access.address, *more]
        self._clients: dict[Address, Redis] = {}
        self._owners: list[tuple[int, int, Address]] = []
        self._moved: dict[int, Address] = {}  # slots of which we were told since the owners were asked
        self._doubted: Address | None = None  # a node that failed, so that what we know of owners may be old
        self._stale, self._rounds, self._asking = True, 0, asyncio.Lock()

    async def send(self, key: str, command: Sequence[Any]) -> Any:
        """The answer of the owner; a slot that has moved, or is moving, is followed."""
        for _ in range(REDIRECTIONS):
            address = await self._owner(key)
            try:
                return await self._execute(address, command)
            except MovedError as moved:
                self._moved[key_slot(key.encode())] = _address(moved, address)
            except AskError as elsewhere:
                return await self._execute(_address(elsewhere, address), command, asking=True)
        raise _not_found(key)

    async def send_in_row(self, key: str, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The raw answers of the owner, over one connection.

        Raises AskError as long as the slot is half moved: no part of the row may be answered by one node and a part by another.
        """
        for _ in range(REDIRECTIONS):
            address = await self._owner(key)
            try:
                with self._doubting(address):
                    return await in_row(self._client(address), commands)
            except MovedError as moved:
                self._moved[key_slot(key.encode())] = _address(moved, address)
        raise _not_found(key)

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*map(close, self._clients.values()))

    async def _execute(self, address: Address, command: Sequence[Any], *, asking: bool = False) -> Any:
        with self._doubting(address):
            return await execute(self._client(address), command, asking=asking)

    def _client(self, address: Address) -> Redis:
        if address not in self._clients:
            self._clients[address] = self._access.at(address).client()
        return self._clients[address]

    # -- who owns what ----------------------------------------------------------------------------------------------

    @contextmanager
    def _doubting(self, address: Address) -> Iterator[None]:
        """Ask again who owns what, before the next command, if the node fails."""
        try:
            yield
        except _AWAY:
            self._stale, self._doubted = True, address
            raise

    async def _owner(self, key: str) -> Address:
        slot = key_slot(key.encode())
        if self._stale:
            await self._ask_who_owns_what()
        if (told := self._moved.get(slot)) is not None:
            return told
        for begin, end, address in self._owners:
            if begin <= slot <= end:
                return address
        self._stale = True
        raise ClusterError(f"no node owns slot {slot} at present")

    async def _ask_who_owns_what(self) -> None:
        rounds = self._rounds
        async with self._asking:
            if self._rounds == rounds:  # nobody else has asked while we waited
                self._owners = await self._slots()
                self._moved.clear()
                self._stale, self._rounds = False, self._rounds + 1

    async def _slots(self) -> list[tuple[int, int, Address]]:
        """Begin, end and primary of each range of slots, as the first node tells that answers; the doubted one is asked last."""
        known = list(dict.fromkeys([*(address for _, _, address in self._owners), *self._seeds]))
        asked = sorted(random.sample(known, len(known)), key=lambda address: address == self._doubted)
        failures: list[str] = []
        for address in asked:
            try:
                [ranges] = await in_row(self._client(address), [("CLUSTER", "SLOTS")])
                return [(begin, end, _primary(primary, address)) for begin, end, primary, *_ in ranges]
            except _AWAY as error:
                failures.append(str(error))
            except ResponseError as error:
                if "cluster support disabled" in str(error):
                    raise ResponseError("cluster mode is not enabled on this node: set redis.cluster to false") from None
                raise
        raise ConnectionError(f"no node of the cluster answers: {'; '.join(failures)}")


def _primary(told: Sequence[Any], asked: Address) -> Address:
    host = (told[0] or b"").decode()
    return (host if host not in ("", "?") else asked[0]), int(told[1])  # no host: the one that was asked


def _address(redirection: AskError, asked: Address) -> Address:
    return redirection.host or asked[0], int(redirection.port)


def _not_found(key: str) -> ClusterError:
    return ClusterError(f"slot {key_slot(key.encode())} was not found: {REDIRECTIONS} nodes said that it is elsewhere")
