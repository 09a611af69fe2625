"""Who owns which partitions: claims them after a rebalance, hands fetched chunks to their tasks, lets go of what is lost.

A claim takes the partition's epoch in Redis, so a worker that was frozen or cut off finds out at its next commit. Each
claim has a new lease number: chunks fetched under an older one, still on their way through Faust, are dropped.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import structlog
from faust.types import TP

from streams.columns import TOPIC_RANKS
from streams.runtime.intake import Chunk, end_offset
from streams.runtime.live_clock import Probe
from streams.runtime.partition import PartitionTask
from streams.runtime.shop import Shop
from streams.runtime.store import Fenced, LostCommits, Meta, StaleGeneration
from streams.runtime.topics import CLOCK, INPUTS

log = structlog.get_logger()

STOP_PATIENCE_S = 20.0


class LostState(Exception):
    """Kafka remembers progress of which Redis knows nothing: going on would forget customers silently."""


class PartitionOwner:
    """The partitions of one worker.

    shop        what all tasks share
    app         () -> the Faust app, for offsets, positions and seeks
    committed   offset that the consumer group has committed for a topic-partition, None when it has none
    on_failure  called once when the worker cannot go on
    """

    def __init__(
        self,
        shop: Shop,
        app: Callable[[], Any],
        committed: Callable[[TP], Awaitable[int | None]],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.shop, self._app, self._committed, self._on_failure = shop, app, committed, on_failure
        self._prefix = shop.settings.kafka.topic_prefix
        self._short = {self._prefix + name: name for name in INPUTS} | {self._prefix + CLOCK: "clock"}
        self.tasks: dict[int, PartitionTask] = {}
        self.assigned: frozenset[int] = frozenset()
        self.joined = False
        self.dead: dict[int, str] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._leases: Counter[int] = Counter()
        self._coming: Counter[tuple[TP, int]] = Counter()
        self._coming_bytes: Counter[tuple[TP, int]] = Counter()
        self._positions: dict[TP, int] = {}
        self._generation = 0
        self._claiming: asyncio.Task[None] | None = None
        self._claimed: frozenset[TP] = frozenset()

    # -- what intake asks (see intake.Owner) ------------------------------------------------------------------------

    async def claim(self, assigned: frozenset[TP], generation: int) -> None:
        """Begin to let go of what is owned and to own these instead, from the offsets that Redis knows.

        Returns at once: faust's rebalance gives up waiting after a while, and then never reads again, but Redis may be away
        for longer. Nothing is fetched until all is taken (see `held`). The next claim, or `release`, takes this one's place.
        """
        self.joined, self._claimed = False, frozenset(tp for tp in assigned if tp.topic in self._short)
        former = self._claiming
        self._claiming = asyncio.create_task(self._claim(former, self._claimed, generation), name="claim")

    async def _claim(self, former: asyncio.Task[None] | None, inputs: frozenset[TP], generation: int) -> None:
        try:
            await _ended_early(former)
            await self._let_go()
            await self._take_all(inputs, generation)
        except Exception as problem:  # noqa: BLE001 - whatever it is: without a claim nothing may be read
            self.fail(problem)

    async def _take_all(self, inputs: frozenset[TP], generation: int) -> None:
        partitions = sorted({tp.partition for tp in inputs})
        self._check_co_partitioned(inputs, partitions)
        self._generation, self.assigned = generation, frozenset(partitions)
        for partition in partitions:
            await self._take(partition, await self._own(partition))
        self.joined = True
        self.shop.metrics.partitions_owned.set(len(partitions))
        log.info("partitions assigned", partitions=partitions, generation=generation)

    def lease(self, tp: TP) -> int:
        """Number of the present claim on this partition."""
        return self._leases[tp.partition]

    def fetched(self, tp: TP, nbytes: int) -> None:
        """A chunk of so many bytes is on its way to its task."""
        key = TP(tp.topic, tp.partition), self._leases[tp.partition]
        self._coming[key] += 1
        self._coming_bytes[key] += nbytes

    def reached(self, positions: Mapping[TP, int]) -> None:
        """A fetch has ended at these positions; what it brought is counted by `fetched` before anything else happens."""
        self._positions = dict(positions)

    def held(self) -> frozenset[TP]:
        """What not to fetch from now: what is ahead of the others, sends dead letters faster than they leave, or is lost."""
        if not self.joined:
            return self._claimed
        limit = self.shop.settings.engine.intake_bytes // max(1, len(self.tasks))
        held = {TP(self._name(rank), partition) for partition, task in self.tasks.items() for rank in task.merge.held_back(limit)}
        held |= {tp for (tp, lease), n in self._coming_bytes.items() if n > limit // 4 and lease == self._leases[tp.partition]}
        stuck = {partition for partition, task in self.tasks.items() if task.burying_bytes > limit // 4}
        held |= {TP(name, partition) for partition in stuck | (self.assigned - self.tasks.keys()) for name in self._short}
        return frozenset(held)

    def fail(self, problem: BaseException) -> None:
        """The worker cannot go on."""
        log.error("worker cannot go on", error=str(problem))
        self._on_failure(problem)

    # -- what the agent calls ---------------------------------------------------------------------------------------

    async def receive(self, stream: Any, event: Any) -> None:
        """Hand a chunk to its partition's task."""
        chunk: Chunk = event.value
        key = TP(chunk.tp.topic, chunk.tp.partition), chunk.lease
        self._coming[key] -= 1
        self._coming_bytes[key] -= chunk.nbytes
        task = self.tasks.get(chunk.tp.partition)
        if task is None or chunk.lease != task.lease:
            return
        loop = asyncio.get_running_loop()

        def acknowledge() -> None:
            loop.create_task(stream.ack(event))  # noqa: RUF006 - faust's bookkeeping; nothing depends on when it is done

        try:
            task.receive(self._short[chunk.tp.topic], chunk, acknowledge)
        except Exception as problem:  # noqa: BLE001 - faust would acknowledge the chunk and go on without it
            self.fail(problem)

    # -- what the tasks ask -----------------------------------------------------------------------------------------

    def ends(self, partition: int) -> dict[int, int | None]:
        """Topic rank -> end of what is committed, as the last fetch told."""
        return {TOPIC_RANKS[short]: end_offset(self._app(), TP(name, partition)) for name, short in self._short.items()}

    def positions(self, partition: int) -> dict[int, int | None]:
        """Topic rank -> the consumer's position at the end of a fetch, None while chunks are on their way to the task."""
        lease = self._leases[partition]
        return {
            TOPIC_RANKS[short]: None if self._coming[TP(name, partition), lease] else self._positions.get(TP(name, partition))
            for name, short in self._short.items()
        }

    def probed(self, asked_ms: int, ends: Mapping[TP, int]) -> None:
        """The broker has told these ends. A partition of which it was not asked in full learns nothing."""
        for partition, task in self.tasks.items():
            told = {TOPIC_RANKS[short]: ends.get(TP(name, partition)) for name, short in self._short.items()}
            seen = self.ends(partition)  # the embedded broker names some ends too low, but not in fetches
            known = {rank: max(end, seen[rank] or 0) for rank, end in told.items() if end is not None}
            if len(known) == len(told):
                task.probe = Probe(asked_ms, known)
                task.wake.set()

    # -- coming and going -------------------------------------------------------------------------------------------

    async def release(self) -> None:
        """Let every task finish its commit and end; forget them, and the claim under way."""
        self.joined = False
        await _ended_early(self._claiming)
        await self._let_go()

    async def _let_go(self) -> None:
        for task in self.tasks.values():
            task.stop()
        if self._running:
            _, late = await asyncio.wait(self._running.values(), timeout=STOP_PATIENCE_S)
            for running in late:
                running.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for partition in [*self.tasks]:
            self._forget(partition)
        self.dead.clear()
        self.assigned = frozenset()
        self.shop.metrics.partitions_owned.set(0)

    async def _take(self, partition: int, meta: Meta) -> None:
        # a fetch under way would bring what lies behind the seek, under the new lease
        async with self._app().consumer.fetching:
            await self._take_unfetched(partition, meta)

    async def _take_unfetched(self, partition: int, meta: Meta) -> None:
        self._leases[partition] += 1
        for key in [key for key in self._coming if key[0].partition == partition]:
            del self._coming[key], self._coming_bytes[key]
        # a topic that Redis does not know is read from its beginning, whatever the group has committed for it
        starts = {TP(name, partition): meta.offsets.get(short, -1) + 1 for name, short in self._short.items()}
        if meta.exists:
            for tp, offset in starts.items():
                await self._app().consumer.seek(tp, offset)
        for tp in starts:  # where the consumer stood before says nothing now; a task must not see it
            self._positions.pop(tp, None)
        task = PartitionTask(partition, meta, self._leases[partition], self.shop)
        self.tasks[partition] = task
        self.shop.metrics.own(partition)
        self.shop.metrics.epoch.labels(str(partition)).set(meta.epoch)
        running = asyncio.create_task(task.run(), name=f"partition-{partition}")
        self._running[partition] = running
        running.add_done_callback(lambda ended: self._ended(partition, task, ended))

    async def _own(self, partition: int) -> Meta:
        count = self.shop.settings.kafka.partitions
        try:
            meta = await self.shop.store.take_epoch(partition, self._generation, count, secrets.token_hex(8))
        except StaleGeneration as problem:
            raise LostState(
                f"partition {partition}: {problem}; if the consumer group was deleted on purpose, "
                "run `churnwatch rebuild --keep-state`"
            ) from None
        if not meta.exists:
            known = [name for name in self._short if (await self._committed(TP(name, partition)) or 0) > 0]
            if known:
                raise LostState(
                    f"partition {partition}: Redis knows nothing, but group {self.shop.settings.kafka.group} has read "
                    f"{known[0]} before: state was lost; restore Redis from its backup, or run `churnwatch rebuild` to read "
                    "the topics from their beginning"
                )
        return meta

    def _ended(self, partition: int, task: PartitionTask, ended: asyncio.Task[None]) -> None:
        """A task has ended, asked to or not."""
        problem = None if ended.cancelled() else ended.exception()
        if problem is None or self.tasks.get(partition) is not task:
            return
        if isinstance(problem, Fenced):
            log.warning("partition lost to a newer owner", partition=partition, error=str(problem))
            self._forget(partition)
        elif isinstance(problem, LostCommits):
            log.warning("redis lost commits; reading them again", partition=partition, error=str(problem))
            self._forget(partition)
            retaking = asyncio.get_running_loop().create_task(self._retake(partition))
            self._running[partition] = retaking
        else:
            self.dead[partition] = f"{type(problem).__name__}: {problem}"
            log.error("partition task died", partition=partition, exc_info=problem)
            self.fail(problem)

    async def _retake(self, partition: int) -> None:
        try:
            meta = await self._own(partition)
            if not meta.exists:
                raise LostState(f"partition {partition}: Redis lost all it had; restore its backup, or run `churnwatch rebuild`")
            await self._take(partition, meta)
        except Exception as problem:  # noqa: BLE001 - whatever it is: the partition cannot be read
            self.fail(problem)

    def _forget(self, partition: int) -> None:
        self.tasks.pop(partition, None)
        self._running.pop(partition, None)
        self.shop.metrics.lose(partition)

    def _name(self, rank: int) -> str:
        return next(name for name, short in self._short.items() if TOPIC_RANKS[short] == rank)

    def _check_co_partitioned(self, inputs: Iterable[TP], partitions: list[int]) -> None:
        """One worker must see all events of a customer: every input's partition p, or none."""
        expected = {(name, partition) for name in self._short for partition in partitions}
        missing = expected - {(tp.topic, tp.partition) for tp in inputs}
        if missing:
            name, partition = min(missing)
            raise LostState(
                f"partition {partition} of {name} is not assigned with the others: give every input topic the same "
                "number of partitions (`churnwatch topics check`)"
            )


async def _ended_early(work: asyncio.Task[None] | None) -> None:
    """Cancel and wait until it is over."""
    if work is not None:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
