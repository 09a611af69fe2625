"""The marks of dead letters as they stand on their topic: all of them for a command, a partition's for its owner."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped] # aiokafka ships no types
from aiokafka.errors import KafkaTimeoutError  # type: ignore[import-untyped] # as above
from aiokafka.structs import TopicPartition as AioPartition  # type: ignore[import-untyped] # as above
from kafka import TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from streams.letter_marks import LetterMark, Marks, Reread, read_mark
from streams.runtime.kafka_client import AdminError, admin_client, ends, reader
from streams.runtime.kafka_login import aiokafka_options
from streams.runtime.reading import read_range
from streams.runtime.settings import KafkaSettings, Settings
from streams.runtime.topics import DEAD_LETTER_MARKS
from streams.voids import Voids, voids_of

ANSWER_S = 15.0


def read_marks(settings: Settings, *, required: bool = False) -> Marks:
    """Every mark.

    required   raise AdminError where the topic does not exist; otherwise there are no marks then
    """
    topic = settings.kafka.topic_prefix + DEAD_LETTER_MARKS
    with admin_client(settings) as admin, reader(settings, committed=True) as client:
        described = {each["name"]: each["partitions"] for each in admin.describe_topics()}
        if topic not in described:
            if required:
                raise AdminError(f"topic {topic} does not exist", "run `churnwatch topics create`")
            return Marks()
        held = ends(admin, client, [TopicPartition(topic, p["partition_index"]) for p in described[topic]])
        records = read_range(client, {tp: (span.first, span.end) for tp, span in held.items()})
        return Marks(mark for record in records if (mark := read_mark(record.value)) is not None)


async def read_voids(kafka: KafkaSettings, partitions: Sequence[int]) -> dict[int, Voids]:
    """Per partition what its marks take out of it.

    Raises KafkaError when the broker does not answer; asking again may help.
    """
    if not partitions:
        return {}
    consumer = AIOKafkaConsumer(
        **aiokafka_options(kafka), group_id=None, auto_offset_reset="earliest", enable_auto_commit=False,
        fetch_max_wait_ms=100, isolation_level="read_committed",
    )  # fmt: skip
    try:
        await consumer.start()
        tps = [AioPartition(kafka.topic_prefix + DEAD_LETTER_MARKS, partition) for partition in partitions]
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        marks = await _read_to_the_end(consumer, tps)
    finally:
        await consumer.stop()
    return {tp.partition: voids_of(marks[tp]) for tp in tps}


async def _read_to_the_end(consumer: Any, tps: Sequence[Any]) -> dict[Any, list[LetterMark | Reread]]:
    """All marks up to where fetches saw the end of what is committed: some brokers name it too low when they are asked."""
    marks: dict[Any, list[LetterMark | Reread]] = {tp: [] for tp in tps}
    heard_s = time.monotonic()
    while not all([await _at_end(consumer, tp) for tp in tps]):
        found = await consumer.getmany(timeout_ms=100)
        for tp, records in found.items():
            marks[tp] += [mark for record in records if (mark := read_mark(record.value)) is not None]
        if found:
            heard_s = time.monotonic()
        elif time.monotonic() - heard_s > ANSWER_S:
            raise KafkaTimeoutError(f"no answer to a fetch from {tps[0].topic}")
    return marks


async def _at_end(consumer: Any, tp: Any) -> bool:
    high, stable = consumer.highwater(tp), consumer.last_stable_offset(tp)
    if high is None:
        return False
    end = high if stable is None or stable < 0 else stable
    return bool(await consumer.position(tp) >= end)
