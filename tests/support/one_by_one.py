"""A way to Kafka that sends each entry by itself, for publishers under test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from streams.runtime.outbox import Publish
from streams.runtime.store import OutboxEntry


def one_by_one(publish: Callable[[str, bytes, bytes], Awaitable[object]]) -> Publish:
    """All entries at once, each by its own `publish(topic, key, value)`; an exception is that entry's outcome."""

    async def publish_all(entries: Sequence[OutboxEntry], /) -> Sequence[BaseException | None]:
        sends = (publish(entry.topic, entry.key, entry.value) for entry in entries)
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
        return [outcome if isinstance(outcome, BaseException) else None for outcome in outcomes]

    return publish_all
