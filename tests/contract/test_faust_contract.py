"""What the intake relies on in faust-streaming 0.15.3 and aiokafka 0.14, private parts included; on both brokers
where the broker has a say.

A new version of either is taken by making this file pass, not before.
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord
from faust.types import TP

from streams.runtime.fetch_state import end_offset, partition_states
from streams.runtime.intake import BROKER_WAIT_MS, CHUNK_RECORDS, Chunk
from tests.support.brokers import RunningBroker
from tests.support.intake_app import PARTITIONS, Recorder, committed, made, partitions_of, running, send, until


@pytest.fixture
def topics(broker: RunningBroker, prefix: str) -> list[str]:
    return made(broker, prefix)


def test_the_versions_are_those_that_this_file_was_written_for() -> None:
    assert version("faust-streaming") == "0.15.3"
    assert version("aiokafka").split(".")[:2] == ["0", "14"]


async def test_each_record_arrives_once_in_order_of_offsets_and_all_is_committed(
    broker: RunningBroker, topics: list[str], prefix: str, tmp_path: Path
) -> None:
    counts = {tp: 2_500 + 100 * number for number, tp in enumerate(partitions_of(topics))}
    counts[TP(topics[0], 0)] = 3 * CHUNK_RECORDS
    await send(broker, counts)
    async with running(broker, f"{prefix}group", topics, Recorder(), tmp_path) as found:
        await until(lambda: found.received() >= sum(counts.values()), "every record")
        for tp, count in counts.items():
            assert found.offsets(tp) == list(range(count))
        await until(lambda: committed(broker, f"{prefix}group") == counts, "all committed")
        assert found.positions == counts
    assert all(1 <= len(chunk.records) <= CHUNK_RECORDS for chunk in found.chunks)
    assert all({(record.topic, record.partition) for record in chunk.records} == {tuple(chunk.tp)} for chunk in found.chunks)
    assert all(chunk.nbytes == sum(len(record.value) for record in chunk.records) for chunk in found.chunks)
    assert found.counted == {tp: 20 * count for tp, count in counts.items()}
    assert len(found.chunks) < sum(counts.values()) / 100, "chunks, not records"


async def test_a_position_is_never_ahead_of_what_was_handed_over(real_kafka: RunningBroker, prefix: str, tmp_path: Path) -> None:
    """The merge takes a topic for read up to its position: records that come after would be out of order."""
    topics = made(real_kafka, prefix)
    tps = partitions_of(topics)
    found, wrong = Recorder(), []

    def reached(positions: dict[TP, int]) -> None:
        # 20 bytes each
        wrong.extend((tp, at) for tp, at in positions.items() if at != found.counted[tp] // 20)
        found.positions = dict(positions)

    found.reached = reached  # type: ignore[method-assign, assignment]
    async with running(real_kafka, f"{prefix}group", topics, found, tmp_path):
        for _ in range(5):
            await send(real_kafka, dict.fromkeys(tps, 200))
        await until(lambda: found.received() == 1_000 * len(tps), "every record")
        await until(lambda: found.positions == dict.fromkeys(tps, 1_000), "all positions")
    assert wrong == []


async def test_what_the_owner_has_not_passed_is_not_committed(real_kafka: RunningBroker, prefix: str, tmp_path: Path) -> None:
    topics = made(real_kafka, prefix)
    tp, marker, group = TP(topics[0], 1), TP(topics[1], 1), f"{prefix}group"
    await send(real_kafka, {tp: 3 * CHUNK_RECORDS, marker: 1})
    async with running(real_kafka, group, topics, Recorder(passes=False), tmp_path) as found:
        await until(lambda: found.received() == 3 * CHUNK_RECORDS + 1, "every record")
        found.behind[marker] = 1
        await until(lambda: committed(real_kafka, group) == {marker: 1}, "a commit")
        found.behind[tp] = CHUNK_RECORDS + 7
        await until(lambda: committed(real_kafka, group) == {marker: 1, tp: CHUNK_RECORDS + 7}, "as far as it has passed")


async def test_a_restart_reads_on_from_the_owners_offset_whatever_kafka_has_committed(
    broker: RunningBroker, topics: list[str], prefix: str, tmp_path: Path
) -> None:
    ahead, behind, unread = TP(topics[0], 0), TP(topics[1], 0), TP(topics[2], 0)
    group = f"{prefix}group"
    await send(broker, {ahead: 100, behind: 100, unread: 100})
    async with running(broker, group, topics, Recorder(), tmp_path / "first") as first:
        await until(lambda: first.received() == 300, "every record")
        await until(lambda: committed(broker, group) == {ahead: 100, behind: 100, unread: 100}, "all committed")
    await send(broker, {ahead: 10, behind: 10, unread: 10})
    starts = {ahead: 105, behind: 40, unread: 0}
    async with running(broker, group, topics, Recorder(starts=starts), tmp_path / "second") as second:
        await until(lambda: second.received() == 5 + 70 + 110, "the rest")
        for tp, start in starts.items():
            assert second.offsets(tp) == list(range(start, 110))
        await until(lambda: committed(broker, group) == dict.fromkeys(starts, 110), "all committed")


async def test_kafka_hears_where_reading_begins_and_what_is_passed(
    broker: RunningBroker, topics: list[str], prefix: str, tmp_path: Path
) -> None:
    """Also before there is a record."""
    begun, group = dict.fromkeys(partitions_of(topics), 0), f"{prefix}group"
    async with running(broker, group, topics, Recorder(behind=begun), tmp_path / "first") as first:
        await until(lambda: committed(broker, group) == begun, "where it begins")
        tp, other = TP(topics[0], 0), TP(topics[1], 0)
        await send(broker, {tp: 30, other: 30})
        await until(lambda: committed(broker, group) == begun | {tp: 30, other: 30}, "what arrived")
        first.behind[other] = 27
        first.behind[tp] = 31
        await until(lambda: committed(broker, group) == begun | {tp: 31, other: 30}, "what was passed")
    starts = {tp: 10, other: 30}
    heir = Recorder(starts=starts, behind=starts, passes=False)
    async with running(broker, group, topics, heir, tmp_path / "second") as second:
        await until(lambda: second.received() == 20, "the owner's offset counts")
        await until(lambda: committed(broker, group) == begun | starts, "Kafka follows it back")


async def test_an_owner_who_goes_back_while_chunks_are_handed_over_gets_all_from_there_on(
    real_kafka: RunningBroker, prefix: str, tmp_path: Path
) -> None:
    """Left to itself Faust drops what comes again, up to the last record that it handed over meanwhile."""
    topics = made(real_kafka, prefix)
    tp, count = TP(topics[0], 0), 5 * CHUNK_RECORDS
    found, going = Recorder(), []
    receive = found.receive

    async def first_and_back(chunk: Chunk) -> None:
        await receive(chunk)
        if not going:
            going.append(asyncio.create_task(found.back(tp, 10)))

    found.receive = first_and_back  # type: ignore[method-assign] # what follows it is on its way when the owner goes back
    await send(real_kafka, {tp: count})
    async with running(real_kafka, f"{prefix}group", topics, found, tmp_path):
        await until(lambda: found.latest(tp)[-1:] == [count - 1], "the last record")
    assert sum(chunk.lease == 1 for chunk in found.chunks) > 1, "chunks were on their way"
    assert found.latest(tp) == list(range(10, count))


async def test_a_fetch_from_before_a_rebalance_hides_nothing_of_what_is_read_after_it(
    real_kafka: RunningBroker, prefix: str, tmp_path: Path
) -> None:
    """A worker that keeps partitions reads them again from what is committed; what it had fetched is of a former claim."""
    topics = made(real_kafka, prefix)
    tps = [TP(topics[0], partition) for partition in range(PARTITIONS)]
    starts, count = dict.fromkeys(partitions_of(topics), 0), 4 * CHUNK_RECORDS
    first, second = Recorder(starts=starts, passes=False), Recorder(starts=starts, passes=False)
    on_its_way: list[TP] = []
    rebalanced = asyncio.Event()
    async with running(real_kafka, f"{prefix}group", topics, first, tmp_path / "a"):
        await until(lambda: first.positions == starts, "all taken")
        getmany = first.app.consumer._thread.getmany

        async def late(active: object, timeout: float) -> dict[TP, list[ConsumerRecord]]:
            fetched = dict(await getmany(active, timeout))
            if fetched and not on_its_way:
                on_its_way.extend(fetched)
                await rebalanced.wait()
            return fetched

        first.app.consumer._thread.getmany = late
        await send(real_kafka, dict.fromkeys(tps, count))
        await until(lambda: on_its_way, "a fetch with records")
        async with running(real_kafka, f"{prefix}group", topics, second, tmp_path / "b"):
            await until(lambda: second.claims and len(first.claims) == 2 and first.app.consumer.flow_active, "a rebalance")
            rebalanced.set()
            owners = {tp: first if tp in first.claims[-1] else second for tp in tps}
            assert 0 < len(first.claims[-1]) < len(starts)
            for tp, owner in owners.items():
                await until(lambda tp=tp, owner=owner: owner.latest(tp)[-1:] == [count - 1], "the last record")
                assert owner.latest(tp) == list(range(count))
    assert [chunk.lease for chunk in first.chunks if chunk.tp in on_its_way][:1] == [1], "what was on its way came, late"


async def test_what_was_passed_last_is_committed_when_a_worker_stops(
    broker: RunningBroker, topics: list[str], prefix: str, tmp_path: Path
) -> None:
    tp, group = TP(topics[0], 2), f"{prefix}group"
    await send(broker, {tp: 30})
    async with running(broker, group, topics, Recorder(), tmp_path, broker_commit_interval=3600.0) as found:
        await until(lambda: found.received() == 30, "every record")
    assert committed(broker, group) == {tp: 30}


async def test_what_a_seek_overtook_on_its_way_is_not_handed_over_and_comes_again(
    real_kafka: RunningBroker, prefix: str, tmp_path: Path
) -> None:
    """An owner goes back when his Redis lost commits; what was fetched before must not pass for what was asked for then."""
    topics = made(real_kafka, prefix)
    back, tps = TP(topics[0], 0), partitions_of(topics)
    found, overtaken, asked = Recorder(), [], []
    async with running(real_kafka, f"{prefix}group", topics, found, tmp_path):
        await send(real_kafka, dict.fromkeys(tps, 1_000))
        await until(lambda: found.received() == 1_000 * len(tps), "every record")
        thread = found.app.consumer._thread
        getmany = thread.getmany

        async def overtaking(active: object, timeout: float) -> dict[TP, list[ConsumerRecord]]:
            asked.append(active)
            fetched = dict(await getmany(active, timeout))
            if back in fetched and not overtaken:
                overtaken.extend(record.offset for record in fetched[back])
                await found.app.consumer.seek(back, 500)
            return fetched

        thread.getmany = overtaking
        await until(lambda: asked, "a fetch by way of it")
        upto = len(found.chunks)
        await send(real_kafka, dict.fromkeys(tps, 200))
        await until(lambda: all(found.offsets(tp)[-1:] == [1_199] for tp in tps), "every record again")
        assert min(overtaken) >= 1_000
        since = [record.offset for chunk in found.chunks[upto:] if chunk.tp == back for record in chunk.records]
        assert since == list(range(500, 1_200))
        for tp in tps:
            if tp != back:
                assert found.offsets(tp) == list(range(1_200))


async def test_what_is_held_is_not_delivered_and_loses_nothing(
    broker: RunningBroker, topics: list[str], prefix: str, tmp_path: Path
) -> None:
    tps = partitions_of(topics)
    held = {TP(topics[0], 0), TP(topics[2], 3)}
    await send(broker, dict.fromkeys(tps, 1_000))
    async with running(broker, f"{prefix}group", topics, Recorder(holding=set(held)), tmp_path) as found:
        await until(lambda: found.received() == 1_000 * (len(tps) - 2), "all that is not held")
        await send(broker, dict.fromkeys(tps, 500))
        await until(lambda: found.received() == 1_500 * (len(tps) - 2), "all that is not held")
        assert not {chunk.tp for chunk in found.chunks} & held
        found.holding |= set(tps)
        await send(broker, dict.fromkeys(tps, 5))
        found.holding -= held
        await until(lambda: sum(len(found.offsets(tp)) for tp in held) == 2 * 1_505, "what was held")
        assert found.received() <= 1_505 * 2 + 1_505 * (len(tps) - 2)
        found.holding.clear()
        await until(lambda: found.received() == 1_505 * len(tps), "everything")
        for tp in tps:
            assert found.offsets(tp) == list(range(1_505))


async def test_two_workers_get_every_topic_of_the_partitions_they_own(
    broker: RunningBroker, topics: list[str], prefix: str, tmp_path: Path
) -> None:
    group = f"{prefix}group"
    async with running(broker, group, topics, Recorder(), tmp_path / "a") as first:
        await until(lambda: first.claims, "the first claim")
        assert first.claims[-1] == frozenset(partitions_of(topics))
        async with running(broker, group, topics, Recorder(), tmp_path / "b") as second:
            await until(lambda: second.claims and len(first.claims[-1]) == len(second.claims[-1]) == 6, "equal shares")
            mine, others = first.claims[-1], second.claims[-1]
            assert not mine & others
            for share in (mine, others):
                assert share == {TP(topic, tp.partition) for tp in share for topic in topics}
            counts = dict.fromkeys(partitions_of(topics), 50)
            await send(broker, counts)
            await until(lambda: first.received() + second.received() >= 600, "every record")
            for tp in counts:
                assert (first if tp in mine else second).offsets(tp) == list(range(50))
        await until(lambda: len(first.claims[-1]) == len(topics) * PARTITIONS, "all again", 60.0)


async def test_a_fetch_that_brings_nothing_still_tells_positions(
    broker: RunningBroker, topics: list[str], prefix: str, tmp_path: Path
) -> None:
    """A partition that has never held a record is caught up, and that must become known."""
    async with running(broker, f"{prefix}group", topics, Recorder(), tmp_path) as found:
        await until(lambda: found.positions == dict.fromkeys(partitions_of(topics), 0), "position 0 everywhere")
        await until(lambda: all(end_offset(found.app, tp) == 0 for tp in partitions_of(topics)), "end 0 everywhere")
        states = partition_states(found.app)
        assert sorted(TP(tp.topic, tp.partition) for tp, _ in states) == sorted(partitions_of(topics))
        for _, state in states:
            assert {"_position", "highwater", "lso"} <= vars(state).keys()


async def test_a_request_that_finds_nothing_does_not_keep_the_others_waiting_at_the_broker(
    broker: RunningBroker, topics: list[str], prefix: str, tmp_path: Path
) -> None:
    """One is under way at a time, and faust would let the broker sit on it for 1.5 s."""
    async with running(broker, f"{prefix}group", topics, Recorder(), tmp_path) as found:
        await until(lambda: found.positions == dict.fromkeys(partitions_of(topics), 0), "position 0 everywhere")
        assert found.app.consumer._thread._consumer._fetcher._fetch_max_wait_ms == BROKER_WAIT_MS < 1_500
