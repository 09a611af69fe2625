"""What a run has left on Kafka and in Redis, read once it has ended, for tests/oracle/journal_repeat.py to repeat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from streams.runtime.kafka_client import kafka_client_options
from streams.runtime.settings import Settings
from streams.runtime.store import Meta
from streams.runtime.topics import MODELS
from tests.oracle.journal_repeat import READ, Left


def left_behind(settings: Settings, meta: Callable[[int], Meta]) -> Left:
    """All that a repetition needs. No worker may be running, and nothing may be left in the outbox.

    settings   of the workers
    meta       partition -> what Redis knows of it
    """
    partitions = range(settings.kafka.partitions)
    topics = {name: committed(settings, name, len(partitions)) for name in READ}
    return Left(settings, topics | {MODELS: committed(settings, MODELS, 1)}, {p: meta(p).commit_id for p in partitions})


def committed(settings: Settings, topic: str, partitions: int) -> list[Any]:
    """Everything on a topic (without prefix) but what transactions took back, in order of partition and offset."""
    consumer = KafkaConsumer(
        **kafka_client_options(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=100,
    )
    try:
        tps = [TopicPartition(settings.kafka.topic_prefix + topic, p) for p in range(partitions)]
        consumer.assign(tps)
        consumer.seek_to_beginning(*tps)
        ends, found = consumer.end_offsets(tps), []
        while any(consumer.position(tp) < ends[tp] for tp in tps):
            found += [record for records in consumer.poll(timeout_ms=200).values() for record in records]
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        consumer.close(autocommit=False)
