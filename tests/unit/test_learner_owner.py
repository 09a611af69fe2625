"""The one partition of labels: when it is read, what is handed to the learner, and what Kafka hears of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping

from faust.types import TP

from detectors.parameters import SHIPPED
from streams.runtime.arrivals import LostChunk
from streams.runtime.intake import Chunk
from streams.runtime.learner_desk import LearnerDesk
from streams.runtime.learner_owner import LearnerOwner
from streams.runtime.learner_store import LearnerRecord
from streams.runtime.learner_task import LearnerTask
from streams.runtime.log_range import LogRange
from streams.runtime.store import System
from streams.runtime.topics import LABELS
from tests.support.intake_app import until
from tests.support.owners import App
from tests.support.played_learner import DESK, NoFit, PlayedLearner
from tests.support.records import FakeRecord

LABELS_0 = TP(LABELS, 0)


class Learning:
    """An owner whose topic holds 2,000 messages, of which the first `begin` are gone."""

    def __init__(self, played: PlayedLearner, begin: int) -> None:
        self.app, self.failures, self._played, self._begin = App(), list[BaseException](), played, begin
        self.owner = LearnerOwner(
            LABELS, played.store, System("g", ""), self._make, lambda: self.app, self._ranges, self._topic_id,
            self.failures.append, session_s=0.0,
        )  # fmt: skip

    def _make(self, record: LearnerRecord, lease: int, topic_id: str) -> LearnerTask:
        return LearnerTask(record, LearnerDesk(DESK, SHIPPED, record.fields, NoFit()), lease, self._played.task._shop, topic_id)

    async def _ranges(self, asked: Mapping[TP, int]) -> dict[TP, LogRange]:
        return dict.fromkeys(asked, LogRange(self._begin, 2_000))

    async def _topic_id(self) -> str:
        return ""

    async def takes(self) -> LearnerTask:
        """The group gives the partition."""
        self._played.generation += 1
        await self.owner.claim(frozenset({LABELS_0}), self._played.generation)
        await until(lambda: self.owner.joined, "taken")
        assert self.owner.task is not None
        return self.owner.task

    async def fetches(self, first: int, records: int) -> Chunk:
        """Of messages that say nothing."""
        got = [FakeRecord(LABELS, 0, first + k, 0, 1, b"0", b"{}") for k in range(records)]
        return Chunk(LABELS_0, got, self.owner.lease(LABELS_0), 2 * records, self.owner.fetched(LABELS_0, 2 * records))


@contextlib.asynccontextmanager
async def learning(begin: int = 0) -> AsyncIterator[Learning]:
    played = PlayedLearner()
    await played.start()
    found = Learning(played, begin)
    try:
        yield found
    finally:
        await found.owner.release()


async def test_kafka_hears_where_reading_begins_and_then_what_is_committed_to_the_last() -> None:
    async with learning(begin=40) as found:
        task = await found.takes()
        assert found.app.consumer.seeks == {LABELS_0: 40}
        assert found.owner.passed() == {LABELS_0: 40}
        await found.owner.receive(await found.fetches(40, 60))
        await until(lambda: task.desk.next_offset == 100, "all of it taken")
        assert found.owner.passed() == {LABELS_0: 40}, "nothing was learnt, so nothing is committed"
        await found.owner.receive(await found.fetches(100, 1_000))  # as many as are committed unlearnt
        await until(lambda: found.owner.passed() == {LABELS_0: 1_100}, "what is committed")
        found.owner.rebalancing()
        assert found.owner.passed() == {}
        await found.takes()
        assert found.app.consumer.seeks == {LABELS_0: 1_100}
    assert found.owner.passed() == {LABELS_0: 1_100}, "also after the release"
    assert found.failures == []


async def test_nothing_is_fetched_while_a_rebalance_is_under_way() -> None:
    async with learning() as found:
        assert found.owner.held() == {LABELS_0}
        await found.takes()
        assert found.owner.held() == frozenset()
        found.owner.rebalancing()
        assert found.owner.held() == {LABELS_0}


async def test_a_chunk_that_does_not_come_ends_the_process_and_the_next_is_not_learnt() -> None:
    async with learning() as found:
        task = await found.takes()
        await found.fetches(0, 10)
        await found.owner.receive(await found.fetches(10, 10))
        assert [type(problem) for problem in found.failures] == [LostChunk]
        assert (task.queued_bytes, task.desk.next_offset) == (0, 0)


async def test_chunks_of_a_former_claim_are_dropped_and_do_not_count() -> None:
    async with learning() as found:
        await found.takes()
        former = await found.fetches(0, 10)
        task = await found.takes()
        await found.owner.receive(former)
        await found.owner.receive(await found.fetches(0, 20))
        await until(lambda: task.desk.next_offset == 20, "all of it taken")
        assert found.failures == []


async def test_in_a_rebalance_nothing_is_taken_but_by_the_next_claim() -> None:
    async with learning() as found:
        await found.takes()
        lease = found.owner.lease(LABELS_0)
        found.owner.rebalancing()
        found.owner.out_of_range({LABELS_0: 3})
        await found.owner.receive(await found.fetches(0, 10))
        assert (found.owner.joined, found.owner.lease(LABELS_0)) == (False, lease)
        task = await found.takes()
        assert (found.owner.lease(LABELS_0), task.queued_bytes, found.failures) == (lease + 1, 0, [])
