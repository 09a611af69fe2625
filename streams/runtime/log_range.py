"""Where a topic's partition begins and ends on the broker, however the broker counts.

ListOffsets tells both, but some brokers name the end too low: the embedded one after a batch of several records, a Kafka
leader for a moment after it took over. So an end below the one that is expected is believed only after fetches have shown it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped] # aiokafka ships no types
from aiokafka.errors import KafkaTimeoutError  # type: ignore[import-untyped] # as above
from aiokafka.structs import TopicPartition  # type: ignore[import-untyped] # as above
from faust.types import TP

from streams.runtime.kafka_login import aiokafka_options
from streams.runtime.settings import KafkaSettings

BELIEF_S = 3.0
"""So long every fetch must show an end below the expected one."""

ANSWER_S = 15.0


class LogRange(NamedTuple):
    """Offsets from `begin` on, below `end`; equal when it is empty."""

    begin: int
    end: int


async def log_ranges(kafka: KafkaSettings, expected: Mapping[TP, int]) -> dict[TP, LogRange]:
    """The range of each partition that is asked for.

    expected   the lowest end that would be no surprise; 0 where nothing is known
    Raises KafkaError when the broker does not answer; asking again may help.
    """
    if not expected:
        return {}
    # a consumer of its own, without group: the worker's is in the middle of a rebalance, and its positions are not to be moved
    consumer = AIOKafkaConsumer(
        **aiokafka_options(kafka), group_id=None, auto_offset_reset="earliest", enable_auto_commit=False, fetch_max_wait_ms=100
    )
    try:
        await consumer.start()
        tps = {TopicPartition(*tp): end for tp, end in expected.items()}
        begins, ends = await asyncio.gather(consumer.beginning_offsets(tps), consumer.end_offsets(tps))
        short = {tp: ends[tp] for tp, end in tps.items() if ends[tp] < end}
        if short:
            ends |= await _fetched_ends(consumer, short, tps)
    finally:
        await consumer.stop()
    return {TP(tp.topic, tp.partition): LogRange(begins[tp], max(begins[tp], ends[tp])) for tp in tps}


async def partitions_seen(kafka: KafkaSettings) -> dict[str, int]:
    """Topic -> number of partitions, of every topic that the broker lets us see.

    Raises KafkaError when it does not answer; asking again may help.
    """
    consumer = AIOKafkaConsumer(**aiokafka_options(kafka), group_id=None)
    try:
        await consumer.start()
        cluster = await consumer._client.fetch_all_metadata()  # what `topics` calls, and keeps the names of
    finally:
        await consumer.stop()
    return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in cluster.topics()}


async def _fetched_ends(consumer: Any, named: Mapping[Any, int], expected: Mapping[Any, int]) -> dict[Any, int]:
    """High watermarks that fetches from the named ends show: as soon as they are as expected, or when BELIEF_S is over."""
    consumer.assign(list(named))
    for tp, end in named.items():
        consumer.seek(tp, end)
    began_s = time.monotonic()
    while True:
        await consumer.getmany(timeout_ms=100)
        seen = {tp: consumer.highwater(tp) for tp in named}
        waited_s = time.monotonic() - began_s
        if None not in seen.values() and (waited_s > BELIEF_S or all(seen[tp] >= expected[tp] for tp in named)):
            return seen
        if waited_s > ANSWER_S:
            raise KafkaTimeoutError(f"no answer to a fetch from {min(tp.topic for tp in named)}")
