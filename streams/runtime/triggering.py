"""From a step's alerts to its triggers: what the playbook asks for, and what the store remembers of earlier ones."""

from __future__ import annotations

from alerts.triggers import Decided, candidates, decide
from streams.runtime.shop import Shop
from streams.step import Step


class Triggering:
    """The triggers of one partition. It keeps nothing: what was triggered is read when an alert asks for it."""

    def __init__(self, partition: int, shop: Shop) -> None:
        self._partition, self._shop = partition, shop
        self._source = f"/churnwatch/{shop.settings.kafka.group}"

    async def decide(self, step: Step) -> Decided:
        """What the step's alerts set off. Raises what the store raises; nothing is written."""
        playbook = self._shop.playbook
        if playbook is None or not step.alerts:
            return Decided()
        wanting = candidates(step.alerts, playbook)
        names = wanting.names
        times = await self._shop.store.triggered(self._partition, names) if names else []
        earlier_s = {name: time_s for name, time_s in zip(names, times, strict=True) if time_s is not None}
        return decide(wanting, earlier_s, playbook, self._source)
