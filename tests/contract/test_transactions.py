"""Producers' transactions on Apache Kafka (the embedded broker has none): what was aborted has not happened, gaps are no lag."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aiokafka import AIOKafkaProducer
from faust.types import TP

from streams.runtime.fetch_state import end_offset
from tests.support.brokers import RunningBroker
from tests.support.intake_app import Recorder, committed, made, running, send, until


def sales(broker: RunningBroker, prefix: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=f"{prefix}sales")


async def write(producer: AIOKafkaProducer, tp: TP, values: Sequence[bytes], *, commit: bool) -> None:
    await producer.begin_transaction()
    for value in values:
        await producer.send_and_wait(tp.topic, value, partition=tp.partition)
    await (producer.commit_transaction() if commit else producer.abort_transaction())


async def test_aborted_records_never_arrive_and_gaps_are_passed(real_kafka: RunningBroker, prefix: str, tmp_path: Path) -> None:
    topics = made(real_kafka, prefix)
    tp, group = TP(topics[0], 2), f"{prefix}group"
    async with sales(real_kafka, prefix) as producer, running(real_kafka, group, topics, Recorder(), tmp_path) as found:
        for turn in range(4):
            await write(producer, tp, [b"good %d" % turn] * 3, commit=True)
            await write(producer, tp, [b"never happened"] * 2, commit=False)
        # 3 records, a marker, 2 aborted records, a marker: seven offsets a turn
        expected = [7 * turn + k for turn in range(4) for k in range(3)]
        await until(lambda: found.offsets(tp) == expected, "the committed records")
        await until(lambda: found.positions.get(tp) == 28, "a position behind the last marker")
        assert end_offset(found.app, tp) == 28
        assert (await found.app.consumer.highwaters(tp)) == {tp: 28}
        await until(lambda: committed(real_kafka, group) == {tp: expected[-1] + 1}, "all committed")
        found.behind[tp] = found.positions[tp]
        await until(lambda: committed(real_kafka, group) == {tp: 28}, "and what the owner has passed")
    assert {record.value[:4] for chunk in found.chunks for record in chunk.records} == {b"good"}


async def test_an_open_transaction_is_not_waited_for(real_kafka: RunningBroker, prefix: str, tmp_path: Path) -> None:
    """Nor does it keep what others write from being read to the end: the end is that of what is committed."""
    topics = made(real_kafka, prefix)
    tp = TP(topics[0], 2)
    await send(real_kafka, {tp: 5})
    group = f"{prefix}group"
    async with sales(real_kafka, prefix) as producer, running(real_kafka, group, topics, Recorder(), tmp_path) as found:
        await producer.begin_transaction()
        await producer.send_and_wait(tp.topic, b"perhaps", partition=tp.partition)
        await until(lambda: found.offsets(tp) == list(range(5)), "what stands before it")
        await until(lambda: found.positions.get(tp) == end_offset(found.app, tp) == 5, "position and end before it")
        assert (await found.app.consumer.highwaters(tp)) == {tp: 5}
        await producer.commit_transaction()
        await until(lambda: found.offsets(tp) == list(range(6)), "what it wrote")
        await until(lambda: found.positions.get(tp) == end_offset(found.app, tp) == 7, "position and end behind its marker")
