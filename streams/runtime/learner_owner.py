"""Who is the learner: takes its epoch when Kafka assigns the one partition, seeks to where Redis says, hands chunks on.

One process of the group has the partition; the others stand by. A learner that was frozen or cut off finds out at its next
commit (see learner_store.py).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiokafka.errors import IllegalStateError  # type: ignore[import-untyped] # aiokafka ships no types
from faust.types import TP

from streams.runtime.arrivals import ChunkNumbers, LostChunk
from streams.runtime.fetch_state import end_offset
from streams.runtime.intake import Chunk
from streams.runtime.learner_store import LearnerRecord, LearnerStore
from streams.runtime.learner_task import TOPIC_ID, LearnerTask
from streams.runtime.log_range import LogRange
from streams.runtime.store import Fenced, LostCommits, StaleGeneration, System

log = structlog.get_logger()

QUEUE_BYTES = 64 * 2**20
"""Fetched and not yet learnt; beyond that nothing is fetched."""
STOP_S = 15.0


class LearnerOwner:
    """topic       churn.labels, with its prefix
    store       where the learner's state is
    system      whose it must be
    make        (record, lease, id of the topic) -> the task that goes on from it
    app         () -> the Faust app
    ranges      what the broker holds of a partition, see `log_ranges`
    topic_id    asks for Kafka's id of the topic, "" where there is none
    on_failure  called once when the process cannot go on
    session_s   so long at most a member of the group may live without knowing that it is none any more

    joined      the group has given an assignment, and no rebalance is under way
    assigned    whether the partition is ours
    task        the work on it; None while it is not taken
    """

    def __init__(
        self,
        topic: str,
        store: LearnerStore,
        system: System,
        make: Callable[[LearnerRecord, int, str], LearnerTask],
        app: Callable[[], Any],
        ranges: Callable[[Mapping[TP, int]], Awaitable[dict[TP, LogRange]]],
        topic_id: Callable[[], Awaitable[str]],
        on_failure: Callable[[BaseException], None],
        session_s: float,
    ) -> None:
        self._tp, self._store, self._system, self._make = TP(topic, 0), store, system, make
        self._app, self._ranges, self._topic_id, self._on_failure, self._session_s = app, ranges, topic_id, on_failure, session_s
        self.joined = self.assigned = False
        self.task: LearnerTask | None = None
        self._running: asyncio.Task[None] | None = None
        self._claiming: asyncio.Task[None] | None = None
        self._numbers = ChunkNumbers()
        self._at_end: dict[TP, int] = {}
        self._lease = self._generation = 0

    # -- what intake asks (see intake.Owner) ------------------------------------------------------------------------

    async def claim(self, assigned: frozenset[TP], generation: int) -> None:
        """Begin to let go of what is owned and to take the partition where it is ours. Returns at once, see `Owner.claim`."""
        self.joined, self.assigned = False, self._tp in assigned
        former, self._generation = self._claiming, generation
        if former is not None:
            former.cancel()
        self._claiming = asyncio.create_task(self._claim(former), name="claim")

    def rebalancing(self) -> None:
        """A rebalance has begun: what is ours will be told by the next claim, and the one under way is out of date."""
        self.joined = False
        if self._claiming is not None:
            self._claiming.cancel()

    def lease(self, _tp: TP) -> int:
        """Number of the present claim."""
        return self._lease

    def fetched(self, tp: TP, nbytes: int) -> int:  # noqa: ARG002 - the task counts the bytes it was given
        """See `Owner.fetched`."""
        return self._numbers.next(tp)

    def reached(self, positions: Mapping[TP, int]) -> None:
        """See `Owner.reached`; nothing depends on it."""

    def out_of_range(self, offsets: Mapping[TP, int]) -> None:
        """Messages were deleted before they were learnt: begin anew where the topic begins."""
        log.error("churn.labels does not hold what is to be read next", offsets=list(offsets.values()))
        self._again()

    def held(self) -> frozenset[TP]:
        """Nothing is fetched before the claim is done, nor more than may wait."""
        free = self.joined and self.task is not None and self.task.queued_bytes <= QUEUE_BYTES
        return frozenset() if free else frozenset({self._tp})

    def passed(self) -> Mapping[TP, int]:
        """See `LearnerTask.passed`; nothing while a rebalance is under way."""
        return {self._tp: self.task.passed} if self.task is not None and self.joined else self._at_end

    async def receive(self, chunk: Chunk) -> None:
        """Hand a chunk to the task."""
        # in a rebalance chunks may have been dropped; all that is not committed comes again
        if not self.joined or self.task is None or chunk.lease != self.task.lease:
            return
        try:
            self._numbers.arrived(chunk)
        except LostChunk as problem:
            self._on_failure(problem)
        else:
            self.task.receive(chunk)

    def seen(self, topic_id: str) -> None:
        """The topic has this id now, "" where that is not known: where it is another one, begin where that begins."""
        if self.task is not None and _another(self.task.topic_id, topic_id):
            self._again()

    # -- what the task asks -----------------------------------------------------------------------------------------

    def caught_up(self, offset: int) -> bool:
        """Whether the topic ends at this offset, as far as the latest fetch saw."""
        end = end_offset(self._app(), self._tp)
        return end is not None and offset >= end

    def lag(self) -> int:
        """Messages that are not learnt; 0 where that is not known."""
        end = end_offset(self._app(), self._tp) if self.task is not None else None
        return 0 if end is None or self.task is None else max(0, end - self.task.desk.next_offset)

    # -- coming and going -------------------------------------------------------------------------------------------

    async def release(self) -> None:
        """Let the round under way finish and end; forget the claim."""
        task, self.joined = self.task if self.joined else None, False
        if self._claiming is not None:
            self._claiming.cancel()
            await asyncio.gather(self._claiming, return_exceptions=True)
        await self._let_go()
        if task is not None:
            self._at_end = {self._tp: task.passed}

    async def _let_go(self) -> None:
        running, self._running = self._running, None
        if self.task is not None:
            self.task.stop()
        self.task = None
        if running is not None:
            done, _ = await asyncio.wait((running,), timeout=STOP_S)
            if not done:  # it waits for a server; what it has not committed is learnt again
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    async def _claim(self, former: asyncio.Task[None] | None) -> None:
        generation = self._generation
        try:
            if former is not None:
                await asyncio.gather(former, return_exceptions=True)
            await self._let_go()
            if self.assigned:
                await self._take(generation)
            self.joined = True
        except (StaleGeneration, IllegalStateError) as problem:
            # somebody has joined, and Kafka has not told us yet; it will within the session, and then this claim is cancelled
            log.warning("claim out of date; waiting for the next", generation=generation, error=str(problem))
            await asyncio.sleep(self._session_s)
            if self._generation == generation:
                self._on_failure(problem)
        except Exception as problem:  # noqa: BLE001 - whatever it is: without a claim nothing may be read
            self._on_failure(problem)

    async def _take(self, generation: int) -> None:
        record = await self._store.take(generation, secrets.token_hex(8), self._system)
        task = self._make(record, self._lease + 1, await self._topic_id())
        offset = await self._begin(record, task)
        async with self._app().consumer.fetching:  # a fetch under way would bring what lies behind the seek, under the new lease
            self._lease += 1
            self._numbers.begin(self._tp)
            await self._app().consumer.seek(self._tp, offset)
            self.task, task.passed = task, offset
        log.info("learner taken", epoch=record.epoch, generation=generation, offset=offset, labels=task.desk.learner.logit.labels)
        self._running = asyncio.create_task(task.run(), name="learner")
        self._running.add_done_callback(lambda running: self._ended(task, running))

    async def _begin(self, record: LearnerRecord, task: LearnerTask) -> int:
        """Where to read from: what was not learnt, as far as the topic has it."""
        desk, before = task.desk, record.fields.get(TOPIC_ID, b"").decode()
        held = (await self._ranges({self._tp: desk.next_offset}))[self._tp]
        another = _another(before, task.topic_id)
        if held.begin <= desk.next_offset <= held.end and not another:
            return desk.next_offset
        if record.exists:
            log.error(
                "churn.labels does not hold what is to be read next: deleted, or another topic; what was learnt counts once",
                next_offset=desk.next_offset, begin=held.begin, end=held.end, id_before=before, id_now=task.topic_id,
            )  # fmt: skip
        desk.read_from(held.begin)
        return held.begin

    def _ended(self, task: LearnerTask, running: asyncio.Task[None]) -> None:
        if running.cancelled() or task is not self.task:
            return
        self.task, problem = None, running.exception()
        if isinstance(problem, Fenced):
            log.warning("another process is the learner", error=str(problem))
        elif isinstance(problem, LostCommits):
            log.warning("redis lost commits; learning on from what it has", error=str(problem))
            self._again()
        elif problem is not None:
            self._on_failure(problem)

    def _again(self) -> None:
        """Take the partition once more, under the same generation; in a rebalance the next claim does."""
        if not self.joined:
            return
        former = self._claiming
        self._claiming = asyncio.create_task(self._claim(former), name="claim")


def _another(before: str, now: str) -> bool:
    """Whether these are ids of two topics; one without an id then or now passes."""
    return bool(before and now) and before != now
