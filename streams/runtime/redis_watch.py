"""Redis must not evict: a customer who vanishes when memory is short is forgotten silently. Asked at the start and at work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from redis.exceptions import NoPermissionError, RedisError

from streams.runtime.redis_link import RedisLink

log = structlog.get_logger()

EVERY_S = 5.0


class EvictingRedis(Exception):
    """This Redis deletes keys when memory is short. Says what to do."""


def evicts(policy: str | None, maxmemory: int) -> bool:
    """Whether keys of ours may vanish: only keys with an expiry are subject to volatile-*, and ours have none.

    >>> evicts("allkeys-lru", 1000), evicts("allkeys-lru", 0), evicts("volatile-lru", 1000), evicts("noeviction", 1000)
    (True, False, False, False)
    """
    return policy is not None and policy.startswith("allkeys-") and maxmemory > 0


class RedisWatch:
    """Asks the servers of these keys.

    keys    one of each partition that this system has
    fail    told of a server that evicts
    """

    def __init__(
        self, link: RedisLink, keys: list[str], fail: Callable[[BaseException], None], *, every_s: float = EVERY_S
    ) -> None:
        self._link, self._keys, self._fail, self._every_s = link, keys, fail, every_s
        self._unknown_told = False

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                await self.look()
            except EvictingRedis as problem:
                self._fail(problem)
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Raise EvictingRedis if one of them does. One that does not answer is asked again next time."""
        try:
            for key in self._keys:
                self._judge(await self._link.send(key, "INFO", "memory"))
        except NoPermissionError:
            self._unknown()
        except (RedisError, OSError):
            return  # whoever needs an answer waits for it, and says so

    def _judge(self, info: Mapping[str, Any]) -> None:
        policy, maxmemory = info.get("maxmemory_policy"), int(info.get("maxmemory", 0))
        if policy is None:
            self._unknown()
        if evicts(policy, maxmemory):
            raise EvictingRedis(
                f"redis: maxmemory-policy is {policy} and maxmemory {maxmemory} bytes, so customers vanish when memory is short: "
                "set maxmemory-policy to noeviction; if keys were evicted already (`churnwatch doctor`), run `churnwatch rebuild`"
            )

    def _unknown(self) -> None:
        if not self._unknown_told:
            self._unknown_told = True
            log.warning("redis does not tell its maxmemory-policy; make sure that it is noeviction")
