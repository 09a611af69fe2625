"""What scenarios need of the Redis that they run on: one server, a cluster or what sentinels watch."""

from __future__ import annotations

from typing import Any, Protocol


class RedisForTests(Protocol):
    """Redis of any kind, as workers and tests find it."""

    @property
    def environment(self) -> dict[str, str]:
        """The settings by which a worker finds it."""
        ...

    def client(self) -> Any:
        """A synchronous client of whoever owns the data now."""
        ...
