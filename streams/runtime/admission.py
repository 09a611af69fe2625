"""May this worker go on with what Redis holds of a partition? Judged against Kafka before anything is written."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import structlog
from faust.types import TP

from streams.runtime.log_range import LogRange
from streams.runtime.mode import check_mode
from streams.runtime.sender import passing
from streams.runtime.shop import Shop
from streams.runtime.store import Meta, StaleGeneration, System
from streams.runtime.store_rules import check_system
from streams.runtime.topics import CLOCK, INPUTS
from streams.voids import Voids

log = structlog.get_logger()


class LostState(Exception):
    """Kafka and Redis do not fit each other: going on would forget customers or events silently. Says what to do."""


class Admission:
    """The rules by which partitions are taken.

    shop        settings, store and metrics
    committed   offset that the consumer group has committed for a topic-partition, None when it has none
    ranges      what the broker holds of partitions, see `log_ranges`
    short       name of each topic read -> its name without prefix
    system      group and prefix that we are
    voids       partition -> what its dead letters' marks take out of it, as read when it was judged
    """

    def __init__(
        self,
        shop: Shop,
        committed: Callable[[TP], Awaitable[int | None]],
        ranges: Callable[[Mapping[TP, int]], Awaitable[dict[TP, LogRange]]],
    ) -> None:
        self._shop, self._committed, self._ranges = shop, committed, ranges
        kafka = shop.settings.kafka
        self.short = {kafka.topic_prefix + name: name for name in INPUTS} | {kafka.topic_prefix + CLOCK: "clock"}
        self.system = System(kafka.group, kafka.topic_prefix)
        self.voids: dict[int, Voids] = {}

    def co_partitioned(self, assigned: Iterable[TP]) -> list[int]:
        """The partitions among these. One worker must see all events of a customer: raises LostState unless every input's."""
        inputs = {(tp.topic, tp.partition) for tp in assigned if tp.topic in self.short}
        partitions = sorted({partition for _, partition in inputs})
        missing = {(name, partition) for name in self.short for partition in partitions} - inputs
        if missing:
            name, partition = min(missing)
            raise LostState(
                f"partition {partition} of {name} is not assigned with the others: give every input topic the same "
                "number of partitions (`churnwatch topics check`)"
            )
        return partitions

    async def judge(self, partitions: Sequence[int], generation: int, *, had_commits: bool = False) -> dict[TP, LogRange]:
        """What the broker holds of these partitions, all of which may be taken.

        had_commits   this worker has committed to them itself, so that they cannot be new
        Raises LostState, OtherSystem, StaleGeneration, WrongMode; nothing was written. Waits for Redis and the broker as long
        as it takes.
        """
        metas = {partition: await self._shop.store.read_meta(partition) for partition in partitions}
        for partition, meta in metas.items():
            check_system(partition, meta.system, self.system)
            check_mode(partition, meta, self._shop.settings.time)
            if meta.generation > generation:
                raise StaleGeneration(f"partition {partition}: Kafka generation {generation} is older than {meta.generation}")
            if had_commits and not meta.exists:
                raise LostState(f"partition {partition}: Redis lost all it had; restore its backup, or run `churnwatch rebuild`")
            if not meta.exists:
                await self._check_never_read(partition)
        nexts = {tp: at for partition, meta in metas.items() for tp, at in self.nexts(partition, meta).items()}
        ranges = await self._shop.backoff.run("ask the topics' ranges", lambda: self._ranges(nexts), passing)
        self.voids |= await self._shop.backoff.run("read the marks", lambda: self._shop.read_voids(partitions), passing)
        for tp, found in ranges.items():
            if nexts[tp] > found.end:
                raise LostState(
                    f"partition {tp.partition} of {tp.topic} ends at offset {found.end}, but was read up to {nexts[tp]} before: "
                    "the topic was made anew or cut; run `churnwatch rebuild` to read the topics from their beginning"
                )
        return ranges

    def nexts(self, partition: int, meta: Meta) -> dict[TP, int]:
        """Offset to read next of each topic. One that Redis does not know is read whole, whatever Kafka remembers."""
        return {TP(name, partition): meta.offsets.get(short, -1) + 1 for name, short in self.short.items()}

    def over_what_is_gone(self, partition: int, meta: Meta, ranges: Mapping[TP, LogRange]) -> Meta:
        """The meta to go on from, where retention has deleted what was never read: from the earliest event that is left.

        No waiting brings those events back, and the customers of all others need their looks. So it is told, counted, and passed.
        """
        offsets = dict(meta.offsets)
        for tp, at in self.nexts(partition, meta).items():
            short, begin = self.short[tp.topic], ranges[tp].begin
            if short not in meta.offsets or at >= begin:
                continue  # what was gone before anything was read is no loss: the system began there
            offsets[short] = begin - 1
            if short in INPUTS:
                self._shop.metrics.events_lost[short].inc(begin - at)
                log.error(
                    "events were deleted before they were read; going on without them",
                    topic=tp.topic, partition=partition, first_offset=at, events=begin - at,
                    remedy="lengthen the topic's retention; `churnwatch rebuild` if a source can send them again",
                )  # fmt: skip
        return dataclasses.replace(meta, offsets=offsets)

    async def _check_never_read(self, partition: int) -> None:
        for name in self.short:
            tp = TP(name, partition)
            found = await self._shop.backoff.run("read committed offsets", functools.partial(self._committed, tp), passing)
            if (found or 0) > 0:
                raise LostState(
                    f"partition {partition}: Redis knows nothing, but group {self.system.group} has read {name} before: state "
                    "was lost; restore Redis from its backup, or run `churnwatch rebuild` to read the topics from their beginning"
                )
