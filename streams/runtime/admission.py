"""May this worker go on with what Redis holds of a partition? Judged against Kafka before anything is written."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from faust.types import TP

from streams.runtime import losses
from streams.runtime.claim import Claim
from streams.runtime.log_range import LogRange
from streams.runtime.losses import Gap
from streams.runtime.mode import check_mode, recorded
from streams.runtime.sender import passing
from streams.runtime.shop import Shop
from streams.runtime.store import Meta, StaleGeneration, StoreDamaged, System
from streams.runtime.store_rules import check_system
from streams.runtime.topics import COMMANDS
from streams.voids import Voids

REBUILD = "run `churnwatch rebuild` to read the topics from their beginning"


class LostState(Exception):
    """Kafka and Redis do not fit each other: going on would forget customers or events silently. Says what to do."""


class NotCoPartitioned(LostState):
    """Not every input's partition is here: another number of partitions, or a topic is gone, which Kafka may mend yet."""


class Admitted(NamedTuple):
    """What the broker holds of partitions that may be taken.

    ranges      of each topic's partition
    topic_ids   topic without prefix -> Kafka's id of it, of those that have one
    damaged     partition -> what is wrong with what Redis holds of it; it may not be taken now
    """

    ranges: dict[TP, LogRange]
    topic_ids: dict[str, str]
    damaged: dict[int, StoreDamaged]


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
        self.short = {kafka.topic_prefix + name: short for name, short in kafka.read.items()}
        self.system = System(kafka.group, kafka.topic_prefix)
        self.voids: dict[int, Voids] = {}

    def co_partitioned(self, assigned: Iterable[TP]) -> list[int]:
        """The partitions among these. One worker must see all events of a customer: raises NotCoPartitioned else."""
        inputs = {(tp.topic, tp.partition) for tp in assigned if tp.topic in self.short}
        partitions = sorted({partition for _, partition in inputs})
        missing = {(name, partition) for name in self.short for partition in partitions} - inputs
        if missing:
            name, partition = min(missing)
            raise NotCoPartitioned(
                f"partition {partition} of {name} is not assigned with the others: give every input topic the same "
                "number of partitions (`churnwatch topics check`)"
            )
        return partitions

    async def judge(self, partitions: Sequence[int], generation: int, *, had_commits: bool = False) -> Admitted:
        """What the broker holds of these partitions, all of which may be taken.

        had_commits   this worker has committed to them itself, so that they cannot be new
        Raises LostState, OtherSystem, StaleGeneration, WrongMode; nothing was written. Waits for Redis and the broker as long
        as it takes.
        """
        metas, damaged = await self._read_metas(partitions)
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
        self.voids |= await self._shop.backoff.run("read the marks", lambda: self._shop.read_voids(partitions), passing)
        topic_ids = await self._shop.sender.topic_ids(self.short)
        for meta in metas.values():
            self.check_same(topic_ids_in(meta), topic_ids)
        known = {self.short[name]: topic_id for name, topic_id in topic_ids.items() if topic_id}
        return Admitted(await self._checked_ranges(nexts), known, damaged)

    async def _read_metas(self, partitions: Sequence[int]) -> tuple[dict[int, Meta], dict[int, StoreDamaged]]:
        metas, damaged = {}, {}
        for partition in partitions:
            try:
                metas[partition] = await self._shop.store.read_meta(partition)
            except StoreDamaged as problem:
                damaged[partition] = problem
        return metas, damaged

    async def look_again(self, tp: TP, offset: int, known: Mapping[str, str]) -> LogRange:
        """What the broker holds of one that is being read, and that has no such offset now.

        known   ids of the topics as they were when it was taken
        Raises LostState where going on would pass over what it should not.
        """
        self.check_same(known, await self._shop.sender.topic_ids(self.short))
        return (await self._checked_ranges({tp: offset}))[tp]

    async def _checked_ranges(self, nexts: Mapping[TP, int]) -> dict[TP, LogRange]:
        ranges = await self._shop.backoff.run("ask the topics' ranges", lambda: self._ranges(nexts), passing)
        for tp, found in ranges.items():
            if nexts[tp] > found.end:
                raise LostState(
                    f"partition {tp.partition} of {tp.topic} ends at offset {found.end}, but was read up to {nexts[tp]} before: "
                    f"the topic was made anew or cut; {REBUILD}"
                )
        return ranges

    async def topics_exist(self) -> bool:
        """Whether the broker has every topic that is read."""
        return self.short.keys() <= (await self._shop.sender.topic_ids(self.short)).keys()

    def check_same(self, known: Mapping[str, str], asked: Mapping[str, str]) -> None:
        """Raise LostState for a topic that has another id than it had. One without an id then or now passes.

        known   topic without prefix -> id; asked   topic -> id, "" for none
        """
        for name, short in self.short.items():
            before, now = known.get(short), asked.get(name)
            if before and now and before != now:
                raise LostState(
                    f"topic {name} was made anew (its id was {before}, now {now}), so what was read "
                    f"of it says nothing of this one; {REBUILD}"
                )

    def nexts(self, partition: int, meta: Meta) -> dict[TP, int]:
        """Offset to read next of each topic. One that Redis does not know is read whole, whatever Kafka remembers."""
        return {TP(name, partition): meta.offsets.get(short, -1) + 1 for name, short in self.short.items()}

    def over_what_is_gone(self, partition: int, meta: Meta, ranges: Mapping[TP, LogRange]) -> tuple[Meta, list[Gap]]:
        """The meta to go on from, where retention has deleted what was never read: from the earliest event that is left.

        No waiting brings those events back, and the customers of all others need their looks. So it is told, counted, and passed.
        """
        offsets, gaps = dict(meta.offsets), []
        for tp, at in self.nexts(partition, meta).items():
            short, begin = self.short[tp.topic], ranges[tp].begin
            if short not in meta.offsets or at >= begin:
                continue  # what was gone before anything was read is no loss: the system began there
            offsets[short] = begin - 1
            gaps.append(Gap(tp.topic, short, partition, at, begin))
            losses.found(gaps[-1])
        return dataclasses.replace(meta, offsets=offsets), gaps

    def claim(self, partition: int, admitted: Admitted, gaps: Sequence[Gap]) -> Claim:
        """What the task is to know of a partition that was judged."""
        commands = admitted.ranges[TP(self._shop.settings.kafka.topic_prefix + COMMANDS, partition)]
        return Claim(admitted.topic_ids, gaps, commands.end, self.voids.get(partition, Voids()))

    async def _check_never_read(self, partition: int) -> None:
        for name in self.short:
            tp = TP(name, partition)
            found = await self._shop.backoff.run("read committed offsets", functools.partial(self._committed, tp), passing)
            if (found or 0) > 0:
                raise LostState(
                    f"partition {partition}: Redis knows nothing, but group {self.system.group} has read {name} before: state "
                    "was lost; restore Redis from its backup, or run `churnwatch rebuild` to read the topics from their beginning"
                )


def topic_ids_in(meta: Meta) -> dict[str, str]:
    """Topic without prefix -> its id when the last commit was made; none for what earlier builds wrote."""
    stored = recorded(meta)
    return {} if stored is None else stored.topic_ids
