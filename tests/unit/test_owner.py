"""When an owner takes partitions, when it refuses, and that nothing is written by a refusal or runs on after a release."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError
from faust.types import TP

from streams.columns import TOPIC_RANKS
from streams.runtime.admission import LostState
from streams.runtime.commits import LiveState, pack_state, unpack_state
from streams.runtime.intake import Chunk
from streams.runtime.log_range import LogRange
from streams.runtime.mode import WrongMode
from streams.runtime.store import LostCommits, Meta, OtherSystem, StoreDamaged, System
from streams.state import PartitionState
from tests.support.memory_store import MemoryStore
from tests.support.owners import OURS, TOPICS, Owned
from tests.support.records import record

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(30)]


class LossyStore(MemoryStore):
    """A server that may lose all, or its last commits, and answer slowly.

    loses     the next commit finds that commits were lost
    open      while this is not set, nobody gets an answer from `take_epoch`; `waiting` tells that somebody asked
    """

    def __init__(self) -> None:
        super().__init__()
        self.loses = False
        self.open, self.waiting = asyncio.Event(), asyncio.Event()
        self.open.set()

    async def take_epoch(self, *args: Any, **more: Any) -> Meta:
        self.waiting.set()
        while not self.open.is_set():
            # an answer that is on its way is not called back by a cancellation
            with contextlib.suppress(asyncio.CancelledError):
                await self.open.wait()
        return await super().take_epoch(*args, **more)

    async def commit(self, *args: Any, **more: Any) -> None:
        if self.loses:
            self.loses = False
            raise LostCommits("a replica took over")
        await super().commit(*args, **more)


def tasks_running() -> list[str]:
    return sorted(task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith(("partition-", "retake-")))


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_a_claim_reads_on_where_the_last_owner_stopped_and_the_rest_from_the_beginning() -> None:
    owned = Owned()
    await owned.has_committed(0, purchases=41)
    owned.ranges[TP("logins", 0)] = LogRange(7, 9)
    await owned.claim(0)
    await owned.settled()
    assert owned.failures == []
    assert owned.app.consumer.seeks == {
        TP("purchases", 0): 42, TP("complaints", 0): 0, TP("logins", 0): 7, TP("churn.commands", 0): 0, TP("churn.clock", 0): 0,
    }  # fmt: skip
    assert owned.metrics.events_lost["logins"]._value.get() == 0, "nobody was to read them"
    await owned.owner.release()


async def test_a_topic_that_ends_before_what_was_read_is_refused_and_no_partition_is_taken() -> None:
    owned = Owned()
    await owned.has_committed(0, purchases=3)
    await owned.has_committed(1, purchases=3, logins=9)
    owned.ranges[TP("logins", 1)] = LogRange(0, 9)
    before = copy.deepcopy(owned.store.partitions)
    await owned.claim(0, 1, generation=2)
    await owned.settled()
    (problem,) = owned.failures
    assert isinstance(problem, LostState)
    assert str(problem).startswith("partition 1 of logins ends at offset 9, but was read up to 10 before")
    assert "`churnwatch rebuild`" in str(problem)
    assert owned.store.partitions == before
    await owned.owner.release()


async def test_events_that_were_deleted_unread_are_counted_and_passed() -> None:
    owned = Owned(CHURNWATCH_ENGINE__HEARTBEAT_COMMIT_S="0.1")
    await owned.has_committed(0, purchases=9, clock=9)
    owned.ranges |= {TP("purchases", 0): LogRange(15, 30), TP("churn.clock", 0): LogRange(12, 12)}
    await owned.claim(0)
    await owned.settled()
    assert owned.app.consumer.seeks[TP("purchases", 0)] == 15
    await until(lambda: owned.metrics.events_lost["purchases"]._value.get() > 0)
    assert {topic: counter._value.get() for topic, counter in owned.metrics.events_lost.items()} == {
        "purchases": 5, "complaints": 0, "logins": 0, "cancellations": 0,
    }  # fmt: skip
    assert (await owned.store.read_meta(0)).offsets == {"purchases": 14, "clock": 11}
    await owned.owner.release()
    (alert,) = owned.sender.alerts
    assert b"purchases: 5 events, offsets 10 to 14, deleted" in alert


async def test_a_topic_with_another_id_is_refused_and_one_without_any_is_not() -> None:
    owned = Owned()
    await owned.has_committed(
        0, purchases=3, state=pack_state(LiveState(PartitionState().to_bytes(), b"", topic_ids={"purchases": "A", "logins": "B"}))
    )
    before = copy.deepcopy(owned.store.partitions)
    owned.sender.topic_ids_now |= {"purchases": "C", "logins": ""}
    await owned.claim(0, generation=2)
    await owned.settled()
    (problem,) = owned.failures
    assert "topic purchases was made anew (its id was A, now C)" in str(problem)
    assert "`churnwatch rebuild`" in str(problem)
    assert owned.store.partitions == before
    await owned.owner.release()


async def test_ids_are_adopted_by_a_state_without_and_kept_where_the_broker_tells_none() -> None:
    owned = Owned()
    state = LiveState(PartitionState().to_bytes(), b"", topic_ids={"logins": "B"})
    await owned.has_committed(0, purchases=3, state=pack_state(state))
    owned.sender.topic_ids_now |= {"purchases": "C"}
    await owned.claim(0, generation=2)
    await owned.settled()
    await until(lambda: owned.store.partitions[0].meta.seq > 1)
    await owned.owner.release()
    assert owned.failures == []
    stored = owned.store.partitions[0].meta.state
    assert stored is not None
    assert unpack_state(stored).topic_ids == {"logins": "B", "purchases": "C"}


async def test_what_is_out_of_range_is_passed_once_all_before_it_has_arrived() -> None:
    owned = Owned()
    await owned.claim(0)
    await owned.settled()
    task, tp = owned.owner.tasks[0], TP("purchases", 0)
    owned.owner.fetched(tp, 100)  # a chunk is on its way
    owned.ranges[tp] = LogRange(15, 30)
    owned.owner.out_of_range({tp: 10})
    owned.owner.out_of_range({tp: 10})
    assert owned.owner.held() == {tp}
    for _ in range(100):
        await asyncio.sleep(0)
    assert owned.app.consumer.seeks[tp] == 0
    owned.owner._arrivals.arrived(Chunk(tp, [], task.lease, 100, 1))
    await until(lambda: owned.app.consumer.seeks[tp] == 15)
    await until(lambda: owned.metrics.events_lost["purchases"]._value.get() == 5)
    assert owned.owner.held() == frozenset()
    assert (await owned.store.read_meta(0)).offsets["purchases"] == 14
    await owned.owner.release()
    assert len(owned.sender.alerts) == 1


async def test_an_offset_beyond_the_end_of_a_topic_that_is_read_ends_the_worker() -> None:
    owned = Owned()
    await owned.claim(0)
    await owned.settled()
    owned.ranges[TP("logins", 0)] = LogRange(0, 4)
    owned.owner.out_of_range({TP("logins", 0): 9})
    await until(lambda: owned.failures)
    assert str(owned.failures[0]).startswith("partition 0 of logins ends at offset 4, but was read up to 9 before")
    await owned.owner.release()


async def test_a_partition_whose_history_has_ended_is_taken_again_and_goes_on_live_where_the_switch_stands() -> None:
    owned = Owned()
    await owned.claim(0)
    await owned.settled()
    former = owned.owner.tasks[0]
    switch = record("churn.clock", b'{"type":"go_live","at_ms":1700000000000,"offsets":{"purchases":0}}', offset=4, key=b"0")
    beat = record("churn.clock", b'{"type":"heartbeat","at_ms":1700000000000}', offset=5, key=b"0")
    records = [dataclasses.replace(one, partition=0) for one in (switch, beat)]
    for rank in former.merge.done:
        former.merge.set_end(rank, 0)
    former.receive("clock", Chunk(TP("churn.clock", 0), records, former.lease, 100, 1))
    await until(lambda: owned.owner.tasks.get(0) not in (None, former))
    heir = owned.owner.tasks[0]
    assert (former.clock, heir.clock is not None, heir.lease) == (None, True, former.lease + 1)
    assert owned.app.consumer.seeks[TP("churn.clock", 0)] == 5, "the heartbeat behind the switch is the live clock's"
    assert (owned.failures, owned.owner.joined) == ([], True)
    await owned.owner.release()
    assert tasks_running() == []


async def test_a_setting_that_would_end_a_history_in_the_middle_is_refused() -> None:
    owned = Owned(CHURNWATCH_TIME__CLOCK="wall")
    await owned.has_committed(0, state=pack_state(LiveState(PartitionState().to_bytes(), b"")), purchases=3)
    before = copy.deepcopy(owned.store.partitions)
    await owned.claim(0)
    await owned.settled()
    assert isinstance(owned.failures[0], WrongMode)
    assert "`churnwatch go-live`" in str(owned.failures[0])
    assert owned.store.partitions == before


async def test_another_systems_state_is_refused_and_left_alone() -> None:
    owned = Owned()
    await owned.store.take_epoch(0, 1, 2, "theirs", System("churnwatch", "other."))
    before = await owned.store.read_meta(0)
    await owned.claim(0)
    await owned.settled()
    assert isinstance(owned.failures[0], OtherSystem)
    assert await owned.store.read_meta(0) == before


async def test_progress_in_kafka_without_state_is_refused_before_anything_is_written() -> None:
    owned = Owned()
    owned.committed[TP("complaints", 0)] = 5
    await owned.claim(0)
    await owned.settled()
    assert "Redis knows nothing" in str(owned.failures[0])
    assert (await owned.store.read_meta(0)).epoch == 0


async def test_a_stale_claim_gives_way_to_the_next() -> None:
    owned = Owned(session_s=60.0)
    await owned.store.take_epoch(0, 7, 2, "the other worker", OURS)
    await owned.claim(0, generation=6)
    await asyncio.sleep(0)
    await until(lambda: owned.owner._claiming.get_coro().cr_await is not None)
    assert (await owned.store.read_meta(0)).generation == 7
    await owned.claim(0, generation=8)
    await owned.settled()
    assert owned.failures == []
    assert (await owned.store.read_meta(0)).generation == 8
    await owned.owner.release()


@pytest.mark.parametrize("problem", ["stale", "not assigned"])
async def test_a_stale_claim_ends_quietly_when_the_group_has_moved_on(problem: str) -> None:
    owned = Owned()
    if problem == "stale":
        await owned.store.take_epoch(0, 7, 2, "the other worker", OURS)
    else:
        owned.app.consumer.refuses = IllegalStateError("No current assignment for partition")
    await owned.claim(0, generation=6)
    owned.app.consumer_generation_id = 8
    await until(lambda: owned.owner._claiming.done())
    assert (owned.failures, owned.owner.joined) == ([], False)
    assert owned.owner.held() == {TP(topic, 0) for topic in TOPICS}
    owned.app.consumer.refuses = None
    await owned.claim(0, generation=8)
    await owned.settled()
    assert (owned.failures, owned.owner.joined) == ([], True)
    await owned.owner.release()


async def test_a_generation_that_stays_older_ends_the_worker_with_the_remedy() -> None:
    owned = Owned()
    await owned.store.take_epoch(0, 7, 2, "before the group was deleted", OURS)
    await owned.claim(0, generation=6)
    await owned.settled()
    assert "`churnwatch rebuild --keep-state`" in str(owned.failures[0])
    assert (await owned.store.read_meta(0)).generation == 7


async def test_a_rebalance_is_not_joined_and_ends_the_claim_under_way() -> None:
    owned = Owned()
    await owned.claim(0)
    await owned.settled()
    owned.owner.rebalancing()
    assert not owned.owner.joined
    await owned.claim(0, generation=2)
    owned.owner.rebalancing()
    await until(lambda: owned.owner._claiming.done())
    assert not owned.owner.joined
    await owned.claim(0, generation=3)
    await owned.settled()
    assert (owned.owner.joined, (await owned.store.read_meta(0)).generation) == (True, 3)
    await owned.owner.release()


async def test_nothing_runs_after_a_release_in_the_middle_of_a_retake() -> None:
    """The retake's answer arrives although it was cancelled, so it goes on to start a task."""
    store = LossyStore()
    owned = Owned(store)
    await owned.has_committed(0, purchases=3)
    await owned.claim(0)
    await owned.settled()
    store.waiting.clear()
    store.open.clear()
    store.loses = True
    await store.waiting.wait()
    releasing = asyncio.create_task(owned.owner.release())
    for _ in range(10):
        await asyncio.sleep(0)
    store.open.set()
    await releasing
    assert tasks_running() == []
    assert owned.owner.tasks == {}


async def test_a_release_waits_for_what_a_task_does_that_loses_commits_while_it_ends() -> None:
    store = LossyStore()
    owned = Owned(store)
    await owned.claim(0)
    await owned.settled()
    store.loses = True
    owned.owner.tasks[0].committer.committed_s = 0.0  # its next commit is due at once
    await owned.owner.release()
    assert (tasks_running(), owned.owner.tasks, owned.failures) == ([], {}, [])


async def test_an_epoch_that_was_lost_before_the_first_commit_is_taken_again() -> None:
    owned = Owned(LossyStore(), CHURNWATCH_ENGINE__HEARTBEAT_COMMIT_S="3600")
    await owned.claim(0)
    await owned.settled()
    first = owned.owner.tasks[0]
    owned.store.partitions.clear()
    owned.store.loses = True
    first.committer.committed_s = -3600.0
    first.wake.set()
    await until(lambda: owned.failures or owned.owner.tasks.get(0) not in (None, first))
    assert owned.failures == []
    assert (await owned.store.read_meta(0)).epoch == 1
    await owned.owner.release()


async def test_commits_that_were_lost_altogether_end_the_worker_and_nothing_is_written() -> None:
    owned = Owned(LossyStore())
    await owned.has_committed(0, purchases=3)
    await owned.claim(0)
    await owned.settled()
    owned.store.partitions.clear()
    owned.store.loses = True
    await until(lambda: owned.failures)
    assert "Redis lost all it had" in str(owned.failures[0])
    assert "`churnwatch rebuild`" in str(owned.failures[0])
    assert (await owned.store.read_meta(0)).epoch == 0
    await owned.owner.release()


async def test_a_partition_that_a_newer_generation_took_is_not_retaken() -> None:
    owned = Owned(LossyStore())
    await owned.has_committed(0, purchases=3)
    await owned.claim(0)
    await owned.settled()
    owned.store.loses = True
    await owned.store.take_epoch(0, 5, 2, "successor", OURS)
    await until(lambda: owned.owner.tasks == {} and tasks_running() == [])
    assert owned.failures == []
    assert (await owned.store.read_meta(0)).nonce == "successor"
    await owned.owner.release()


class DamagedStore(MemoryStore):
    """A server that holds something strange of these partitions: `damaged` tells where."""

    def __init__(self, *damaged: str) -> None:
        super().__init__()
        self.damaged = set(damaged)

    async def read_meta(self, partition: int) -> Meta:
        self._check("read", partition)
        return await super().read_meta(partition)

    async def commit(self, partition: int, *args: Any, **more: Any) -> None:
        self._check("commit", partition)
        await super().commit(partition, *args, **more)

    def _check(self, what: str, partition: int) -> None:
        if f"{what} {partition}" in self.damaged:
            raise StoreDamaged("WRONGTYPE")


@pytest.mark.parametrize("where", ["read 0", "commit 0"])
async def test_a_partition_whose_state_is_damaged_is_set_aside_and_taken_once_it_is_mended(where: str) -> None:
    store = DamagedStore(where)
    owned = Owned(store, aside_s=0.01)
    await owned.claim(0, 1)
    await until(lambda: owned.owner.aside)
    await until(lambda: 1 in owned.owner.tasks and owned.owner.tasks[1].committer.seq > 1)
    assert owned.owner.joined
    assert owned.failures == []
    for _ in range(100):
        assert owned.owner.aside == {0: "WRONGTYPE"}
        assert 0 in owned.owner.tasks or {TP(topic, 0) for topic in TOPICS} <= owned.owner.held()
        await asyncio.sleep(0)
    store.damaged.clear()
    await until(lambda: not owned.owner.aside)
    assert owned.owner.tasks[0].committer.seq > 0
    assert owned.metrics.partitions_owned._value.get() == 2
    assert owned.failures == []
    await owned.owner.release()
    assert tasks_running() == []


async def test_a_release_gives_up_what_is_set_aside() -> None:
    owned = Owned(DamagedStore("commit 0"), aside_s=3600.0)
    await owned.claim(0)
    await until(lambda: owned.owner.aside)
    await owned.owner.release()
    assert (tasks_running(), owned.owner.aside) == ([], {})


async def test_a_claim_without_one_of_the_topics_waits_while_that_is_gone_and_fails_where_it_exists() -> None:
    """Gone is what the watch over the topics tells; it may come back."""
    owned = Owned()
    del owned.sender.topic_ids_now["logins"]
    without = frozenset(TP(topic, 0) for topic in TOPICS if topic != "logins")
    await owned.owner.claim(without, 1)
    await until(lambda: owned.owner._claiming.done())
    assert (owned.failures, owned.owner.joined, owned.owner.held()) == ([], False, without)
    owned.sender.topic_ids_now["logins"] = ""
    await owned.owner.claim(without, 1)
    await until(lambda: owned.failures)
    assert "partition 0 of logins is not assigned with the others" in str(owned.failures[0])
    await owned.owner.release()


async def test_cancellations_are_read_where_the_settings_say_so_and_go_on_where_they_were_when_turned_on_again() -> None:
    store, on = MemoryStore(), {"CHURNWATCH_KAFKA__CANCELLATIONS": "true"}
    for generation, settings in enumerate([on, {}, on], start=1):
        owned = Owned(store, **settings)
        if generation == 1:
            await owned.has_committed(0, purchases=4, cancellations=7)
        names = (*TOPICS, *(["cancellations"] if settings else []))
        owned.sender.topic_ids_now = dict.fromkeys(names, "")
        await owned.owner.claim(frozenset(TP(topic, 0) for topic in names), generation)
        await owned.settled()
        assert owned.failures == []
        assert owned.app.consumer.seeks.get(TP("cancellations", 0)) == (8 if settings else None)
        assert (TOPIC_RANKS["cancellations"] in owned.owner.tasks[0].merge.done) is bool(settings)
        committed = (await store.read_meta(0)).seq
        await until(lambda: store.of(0).meta.seq > committed)  # noqa: B023 - asked within this turn
        await owned.owner.release()
    assert (await store.read_meta(0)).offsets == {"purchases": 4, "cancellations": 7}
