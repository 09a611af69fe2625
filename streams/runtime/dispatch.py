"""From a partition's outbox to the topics, all of them at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streams.runtime.kafka_refused import refused_for_good
from streams.runtime.shop import Shop
from streams.runtime.store import OutboxEntry
from streams.runtime.topics import LABELS


class Dispatch:
    """Of one partition."""

    def __init__(self, partition: int, shop: Shop) -> None:
        self._partition, self._shop = partition, shop

    async def publish(self, entries: Sequence[OutboxEntry]) -> list[BaseException | None]:
        """Send entries of different topics and keys; for each None, or why it may not have arrived.

        Raises what no repetition would mend.
        """
        topics = sorted({entry.topic for entry in entries})
        outcomes = dict(zip(topics, await asyncio.gather(*(self._send(topic, entries) for topic in topics)), strict=True))
        ordered = {topic: iter(found) for topic, found in outcomes.items()}
        return [next(ordered[entry.topic]) for entry in entries]

    async def _send(self, topic: str, entries: Sequence[OutboxEntry]) -> list[BaseException | None]:
        # outputs have the inputs' partitions (the worker checks it at the start), so this is where the keys belong anyway
        short = topic.removeprefix(self._shop.settings.kafka.topic_prefix)
        mine = [(entry.key, entry.value) for entry in entries if entry.topic == topic]
        outcomes = await self._shop.sender.send_together(topic, 0 if short == LABELS else self._partition, mine)
        self._shop.metrics.outbox_published[short].inc(outcomes.count(None))
        if for_ever := next((problem for problem in outcomes if problem and refused_for_good(problem)), None):
            raise for_ever
        return outcomes
