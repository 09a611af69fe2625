"""Who owns which partitions: claims them after a rebalance, hands fetched chunks to their tasks, lets go of what is lost.

A claim takes the partition's epoch in Redis, so a worker that was frozen or cut off finds out at its next commit. What may
be taken is judged by `admission`; chunks that are still on their way from an earlier claim are dropped (`arrivals`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiokafka.errors import IllegalStateError  # type: ignore[import-untyped] # aiokafka ships no types
from faust.types import TP

from streams.runtime.admission import Admission, Admitted, LostState, NotCoPartitioned
from streams.runtime.arrivals import Arrivals
from streams.runtime.command_inbox import COMMANDS_RANK
from streams.runtime.gaps import Gaps
from streams.runtime.intake import Chunk
from streams.runtime.log_range import LogRange
from streams.runtime.offsets import Offsets
from streams.runtime.partition import PartitionTask, WentLive
from streams.runtime.shop import Shop
from streams.runtime.store import Fenced, LostCommits, StaleGeneration, StoreDamaged
from streams.runtime.task_set import TaskSet

log = structlog.get_logger()

ASIDE_S = 30.0


class PartitionOwner:
    """The partitions of one worker.

    shop        what all tasks share
    app         () -> the Faust app, for offsets, positions and seeks
    committed   offset that the consumer group has committed for a topic-partition, None when it has none
    ranges      what the broker holds of partitions, see `log_ranges`
    on_failure  called once when the worker cannot go on
    session_s   so long at most a member of the group may live without knowing that it is none any more
    aside_s     a partition whose state is damaged is tried again after so long
    """

    def __init__(
        self,
        shop: Shop,
        app: Callable[[], Any],
        committed: Callable[[TP], Awaitable[int | None]],
        ranges: Callable[[Mapping[TP, int]], Awaitable[dict[TP, LogRange]]],
        on_failure: Callable[[BaseException], None],
        session_s: float,
        *,
        aside_s: float = ASIDE_S,
    ) -> None:
        self.shop, self._app, self._on_failure, self._session_s = shop, app, on_failure, session_s
        self._aside_s = aside_s
        self._admission = Admission(shop, committed, ranges)
        self._short = self._admission.short
        self._set = TaskSet(shop.metrics, self._failed)
        self.tasks = self._set.tasks
        self.assigned: frozenset[int] = frozenset()
        self.joined = False
        self.dead: dict[int, str] = {}
        self._aside: dict[int, str] = {}
        self._arrivals = Arrivals()
        self._offsets = Offsets(app, self._short, self._arrivals)
        self._gaps = Gaps(self._admission, self._arrivals, app, self.tasks, self.fail)
        self._generation = 0
        self._topic_ids: Mapping[str, str] = {}
        self._claiming: asyncio.Task[None] | None = None
        self._claimed: frozenset[TP] = frozenset()
        self._at_end: Mapping[TP, int] = {}

    # -- what intake asks (see intake.Owner) ------------------------------------------------------------------------

    async def claim(self, assigned: frozenset[TP], generation: int) -> None:
        """Begin to let go of what is owned and to own these instead, from the offsets that Redis knows.

        Returns at once: faust's rebalance gives up waiting after a while, and then never reads again, but Redis may be away
        for longer. Nothing is fetched until all is taken (see `held`). The next claim, or `release`, takes this one's place.
        """
        self.joined, self._claimed = False, frozenset(tp for tp in assigned if tp.topic in self._short)
        former = self._claiming
        if former is not None:
            former.cancel()
        self._claiming = asyncio.create_task(self._claim(former, self._claimed, generation), name="claim")

    def rebalancing(self) -> None:
        """A rebalance has begun: what is ours will be told by the next claim, and the one under way is out of date."""
        self.joined = False
        if self._claiming is not None:
            self._claiming.cancel()

    async def _claim(self, former: asyncio.Task[None] | None, inputs: frozenset[TP], generation: int) -> None:
        try:
            await _ended_early(former)
            await self._let_go()
            await self._take_all(inputs, generation)
        except (StaleGeneration, IllegalStateError, NotCoPartitioned) as problem:
            # Somebody has joined, and Kafka has not told us yet. It will within the session, and then this claim is cancelled.
            log.warning("claim out of date; waiting for the next", generation=generation, error=str(problem))
            await asyncio.sleep(self._session_s)
            if int(self._app().consumer_generation_id) == generation and await self._admission.topics_exist():
                self.fail(_never_replaced(problem))
        except Exception as problem:  # noqa: BLE001 - whatever it is: without a claim nothing may be read
            self.fail(problem)

    async def _take_all(self, inputs: frozenset[TP], generation: int) -> None:
        partitions = self._admission.co_partitioned(inputs)
        self._generation, self.assigned = generation, frozenset(partitions)
        admitted = await self._admission.judge(partitions, generation)  # of all before the first is taken
        self._topic_ids = admitted.topic_ids
        for partition in partitions:
            try:
                await self._take(partition, admitted)
            except StoreDamaged as problem:
                self._set_aside(partition, problem)
        self.joined = True
        self.shop.metrics.partitions_owned.set(len(self.tasks))
        log.info("partitions assigned", partitions=partitions, generation=generation)

    def lease(self, tp: TP) -> int:
        """Number of the present claim on this partition."""
        return self._arrivals.lease(tp.partition)

    def fetched(self, tp: TP, nbytes: int) -> int:
        """A chunk of so many bytes is on its way to its task; returns its number under the present claim."""
        return self._arrivals.fetched(tp, nbytes)

    def reached(self, positions: Mapping[TP, int]) -> None:
        """A fetch has ended at these positions; what it brought was counted by `fetched` before."""
        self._arrivals.reached(positions)

    def out_of_range(self, offsets: Mapping[TP, int]) -> None:
        """See `Gaps`."""
        self._gaps.out_of_range(offsets)

    def check_topics(self, topic_ids: Mapping[str, str]) -> None:
        """Raise LostState if a topic has another id now (topic -> id) than when its partitions were last taken."""
        self._admission.check_same(self._topic_ids, topic_ids)

    def held(self) -> frozenset[TP]:
        """What not to fetch from now: what is ahead of the others, sends dead letters faster than they leave, or is lost."""
        if not self.joined:
            return self._claimed
        limit = self.room
        names = self._offsets.names
        held = {TP(names[rank], partition) for partition, task in self.tasks.items() for rank in task.merge.held_back(limit)}
        held |= {*self._arrivals.above(limit // 4), *self._gaps.held}
        held |= {TP(names[COMMANDS_RANK], partition) for partition, task in self.tasks.items() if task.commands.full}
        stuck = {partition for partition, task in self.tasks.items() if task.burying_bytes > limit // 4}
        held |= {TP(name, partition) for partition in stuck | (self.assigned - self.tasks.keys()) for name in self._short}
        return frozenset(held)

    def passed(self) -> Mapping[TP, int]:
        """See `Offsets.passed`; nothing while a rebalance is under way, and after a release as it was at its end."""
        return self._offsets.passed(self.tasks) if self.joined else self._at_end

    @property
    def aside(self) -> dict[int, str]:
        """Partition -> why it was set aside, until it has been taken again and has committed."""
        mended = {partition for partition, task in self.tasks.items() if task.committer.commits}
        return {partition: why for partition, why in self._aside.items() if partition not in mended}

    @property
    def room(self) -> int:
        """Most that each partition may hold of fetched messages, bytes."""
        return self.shop.settings.engine.intake_bytes // max(1, len(self.tasks))

    def fail(self, problem: BaseException) -> None:
        """The worker cannot go on."""
        log.error("worker cannot go on", error=str(problem))
        self._on_failure(problem)

    # -- what the agent calls ---------------------------------------------------------------------------------------

    async def receive(self, chunk: Chunk) -> None:
        """Hand a chunk to its partition's task."""
        if not self.joined:  # of a claim that ends: its chunks may have been dropped, and all that is not committed comes again
            return
        try:
            self._arrivals.arrived(chunk)
            task = self.tasks.get(chunk.tp.partition)
            if task is not None and chunk.lease == task.lease:
                task.receive(self._short[chunk.tp.topic], chunk)
        except Exception as problem:  # noqa: BLE001 - faust would go on without the chunk
            self.fail(problem)

    # -- what the tasks ask, see `Offsets` ----------------------------------------------------------------------------

    def ends(self, partition: int) -> dict[int, int | None]:
        """Topic rank -> end of what is committed."""
        return self._offsets.ends(partition)

    def positions(self, partition: int) -> dict[int, int | None]:
        """Topic rank -> how far fetching came."""
        return self._offsets.positions(partition)

    def probed(self, asked_ms: int, ends: Mapping[TP, int]) -> None:
        """The broker has told these ends."""
        self._offsets.probed(asked_ms, ends, self.tasks)

    # -- coming and going -------------------------------------------------------------------------------------------

    async def release(self) -> None:
        """Let every task finish its commit and end; forget them, and the claim under way."""
        tasks, self.joined = dict(self.tasks) if self.joined else {}, False
        await _ended_early(self._claiming)
        await self._let_go()
        self._at_end = self._offsets.passed(tasks)

    async def _let_go(self) -> None:
        await self._gaps.stop()
        await self._set.stop_all()
        self.dead.clear()
        self._aside.clear()
        self.assigned = frozenset()
        self.shop.metrics.partitions_owned.set(0)

    async def _take(self, partition: int, admitted: Admitted) -> None:
        if partition in admitted.damaged:
            raise admitted.damaged[partition]
        count, nonce, system = self.shop.settings.kafka.partitions, secrets.token_hex(8), self._admission.system
        meta = await self.shop.store.take_epoch(partition, self._generation, count, nonce, system)
        meta, gaps = self._admission.over_what_is_gone(partition, meta, admitted.ranges)
        # a fetch under way would bring what lies behind the seek, under the new lease
        async with self._app().consumer.fetching:
            lease = self._arrivals.begin(partition)
            for tp, offset in self._admission.nexts(partition, meta).items():
                await self._app().consumer.seek(tp, max(offset, admitted.ranges[tp].begin))
            self._arrivals.forget_positions(partition)
            self.shop.metrics.epoch.labels(str(partition)).set(meta.epoch)
            self._set.start(PartitionTask(partition, meta, lease, self.shop, self._admission.claim(partition, admitted, gaps)))

    def _failed(self, task: PartitionTask, problem: BaseException) -> None:
        partition = task.partition
        if isinstance(problem, Fenced):
            log.warning("partition lost to a newer owner", partition=partition, error=str(problem))
            self._set.forget(partition)
        elif isinstance(problem, LostCommits):
            log.warning("redis lost commits; reading them again", partition=partition, error=str(problem))
            self._set.forget(partition)
            self._set.retake(partition, self._retake(partition, had_commits=task.committer.seq > 0))
        elif isinstance(problem, WentLive):
            log.info("history has ended; going on live", partition=partition)
            self._set.forget(partition)
            self._set.retake(partition, self._retake(partition, had_commits=True))
        elif isinstance(problem, StoreDamaged):
            self._set.forget(partition)
            self._set_aside(partition, problem)
        else:
            self.dead[partition] = f"{type(problem).__name__}: {problem}"
            log.error("partition task died", partition=partition, exc_info=problem)
            self.fail(problem)

    async def _retake(self, partition: int, *, had_commits: bool) -> None:
        try:
            await self._take(partition, await self._admission.judge([partition], self._generation, had_commits=had_commits))
        except (StaleGeneration, IllegalStateError) as problem:
            log.warning("partition lost to a newer owner", partition=partition, error=str(problem))
        except StoreDamaged as problem:
            self._set_aside(partition, problem)
        except Exception as problem:  # noqa: BLE001 - whatever it is: the partition cannot be read
            self.fail(problem)
        else:
            self.shop.metrics.partitions_owned.set(len(self.tasks))

    def _set_aside(self, partition: int, problem: StoreDamaged) -> None:
        """Go on without it: ending the worker would take down the others, here and wherever it went next."""
        log.error("partition is set aside; the others go on", partition=partition, error=str(problem), again_in_s=self._aside_s)
        self._aside[partition] = str(problem)
        self.shop.metrics.partitions_owned.set(len(self.tasks))
        self._set.retake(partition, self._later(partition))

    async def _later(self, partition: int) -> None:
        await asyncio.sleep(self._aside_s)
        await self._retake(partition, had_commits=False)


async def _ended_early(work: asyncio.Task[None] | None) -> None:
    """Cancel and wait until it is over."""
    if work is not None:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def _never_replaced(problem: Exception) -> Exception:
    """What a claim died of that no other one followed."""
    if not isinstance(problem, StaleGeneration):
        return problem
    return LostState(f"{problem}; if the consumer group was deleted on purpose, run `churnwatch rebuild --keep-state`")
