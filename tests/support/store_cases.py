"""A store under test, with what the contract needs beside the port: going back in time, and another program version."""

from __future__ import annotations

import copy
from typing import Any, Protocol

from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.store import PartitionStore
from tests.support.memory_store import MemoryStore


class StoreCase(Protocol):
    """store   the implementation; empty at the beginning"""

    store: PartitionStore

    async def save(self, partition: int) -> Any:
        """All that is stored of a partition, in a form that compares."""

    async def restore(self, partition: int, saved: Any) -> None:
        """Make it so again, as a replica would that takes over without the last commits."""

    def with_record_version(self, version: int, newest: int | None = None) -> PartitionStore:
        """The same data under a program that writes this record version, and reads up to `newest`."""


class MemoryCase:
    def __init__(self) -> None:
        self.store = MemoryStore()

    async def save(self, partition: int) -> Any:
        return copy.deepcopy(self.store.of(partition))

    async def restore(self, partition: int, saved: Any) -> None:
        self.store.partitions[partition] = copy.deepcopy(saved)

    def with_record_version(self, version: int, newest: int | None = None) -> MemoryStore:
        other = MemoryStore(version, newest)
        other.partitions = self.store.partitions
        return other


class RedisCase:
    def __init__(self, link: RedisLink, prefix: str, store: RedisPartitionStore) -> None:
        self.link, self.prefix, self.store = link, prefix, store

    async def save(self, partition: int) -> dict[bytes, bytes]:
        meta = self.store.key(partition, "meta")
        keys = await self._keys(partition)
        return {key: await self.link.send(meta, "DUMP", key) for key in keys}

    async def restore(self, partition: int, saved: dict[bytes, bytes]) -> None:
        meta = self.store.key(partition, "meta")
        for key in await self._keys(partition):
            await self.link.send(meta, "DEL", key)
        for key, dump in saved.items():
            await self.link.send(meta, "RESTORE", key, 0, dump)

    async def _keys(self, partition: int) -> list[bytes]:
        meta = self.store.key(partition, "meta")
        [keys] = await self.link.send_in_row(meta, ("KEYS", f"{self.prefix}:{{{partition}}}:*"))
        return sorted(keys)

    def with_record_version(self, version: int, newest: int | None = None) -> RedisPartitionStore:
        return RedisPartitionStore(self.link, prefix=self.prefix, record_version=version, newest_record=newest)
