"""Decode-only consumption: fetch the topics and turn them into columns, and nothing else. What a worker costs beyond this
is its own."""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition  # type: ignore[import-untyped]  # aiokafka ships no types

from benchmarks.stream import PARTITIONS, TOPICS
from streams.events import decode_chunk
from streams.runtime.faust_options import MAX_POLL_RECORDS
from streams.runtime.intake import CHUNK_RECORDS
from streams.runtime.rules import event_rules
from streams.runtime.settings import Settings

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class DecodeResult:
    """From the first fetch to the last event; CPU of the consuming process, all threads."""

    events: int
    events_per_s: float
    cpu_us_per_event: float


def measure_decode(settings: Settings, events: int) -> DecodeResult:
    """Consume all `events` of the topics, in chunks as the worker's. Run it in a process of its own."""
    gc.freeze()  # as the worker does
    return asyncio.run(_measure(settings, events))


async def _measure(settings: Settings, events: int) -> DecodeResult:
    topics = {settings.kafka.topic_prefix + topic: topic for topic in TOPICS}
    rules = event_rules(settings).of_history()
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka.bootstrap, auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(name, partition) for name in topics for partition in range(PARTITIONS)])
        began_s, began_cpu_s, decoded = time.perf_counter(), time.process_time(), 0
        last_s = began_s
        while decoded < events:
            fetched = await consumer.getmany(timeout_ms=1_000, max_records=MAX_POLL_RECORDS)
            for tp, records in fetched.items():
                for start in range(0, len(records), CHUNK_RECORDS):
                    chunk = decode_chunk(topics[tp.topic], records[start : start + CHUNK_RECORDS], rules, 0)
                    decoded += len(chunk.columns)
            last_s = time.perf_counter() if fetched else last_s
            if time.perf_counter() - last_s > PATIENCE_S:
                raise RuntimeError(f"{decoded} of {events} events came, then none for {PATIENCE_S:g} s")
        wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    finally:
        await consumer.stop()
    return DecodeResult(events, events / wall_s, cpu_s / events * 1e6)
