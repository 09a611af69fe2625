"""Calls to Redis that are made again while it is away; what is left of an error is one of the store's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from redis.exceptions import NoScriptError, RedisError

from streams.runtime.backoff import Backoff
from streams.runtime.redis_errors import mask
from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_refused import refused_for_good
from streams.runtime.redis_wire import Script, damaged
from streams.runtime.store import StoreDamaged, StoreMisconfigured, StoreUnavailable


class RedisCalls:
    """Each raises StoreUnavailable where patience ran out, StoreDamaged or StoreMisconfigured where waiting will not help.

    link      connections
    backoff   pauses, patience and reporting while Redis is away
    """

    def __init__(self, link: RedisLink, backoff: Backoff) -> None:
        self._link, self._backoff = link, backoff

    async def run(self, script: Script, keys: list[str], *args: Any) -> Any:
        """The reply of a script."""

        async def once() -> Any:
            try:
                return await self._link.send(keys[0], "EVALSHA", script.sha, len(keys), *keys, *args)
            except NoScriptError:
                # A server that restarted, or the one that a slot moved to. EVAL loads the script where it runs.
                return await self._link.send(keys[0], "EVAL", script.source, len(keys), *keys, *args)

        return await self._retried(script.name, once)

    async def send(self, operation: str, key: str, *command: Any) -> Any:
        """The answer to one command about a key; `operation` says what it is for."""
        return await self._retried(operation, lambda: self._link.send(key, *command))

    async def in_row(self, operation: str, key: str, *commands: Sequence[Any]) -> list[Any]:
        """The answers to several commands over one connection."""
        return cast("list[Any]", await self._retried(operation, lambda: self._link.send_in_row(key, *commands)))

    async def _retried(self, operation: str, call: Any) -> Any:
        try:
            return await self._backoff.run(operation, call, self._link.passing)
        except TimeoutError as error:
            raise StoreUnavailable(str(error)) from None
        except RedisError as error:
            refused = refused_for_good(error)
            told = f"{type(error).__name__}: {error}" if refused is None else f"redis: {refused.what}; {refused.fix}"
            what = mask(f"{operation}: {told}")
            raise (StoreDamaged(what) if damaged(error) else StoreMisconfigured(what)) from None
