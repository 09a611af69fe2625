"""How far the group's committed offsets are behind what the topics hold.

The offsets that count stand in Redis; those in Kafka follow them and exist for this.
"""

from __future__ import annotations

from dataclasses import dataclass

from kafka import TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from streams.runtime.kafka_client import AdminError, admin_client, ends, reader, retried
from streams.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One partition of one topic.

    committed   offset of the next record the group wants; None when it never committed
    end         offset the next record will get
    lag         records not yet committed: end - committed; everything kept, when it never committed. >= 0
    exact       False when the broker did not tell the end in time and `end` and `lag` may be too low
    """

    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int
    exact: bool


def lag(settings: Settings) -> list[PartitionLag]:
    """Lag of the worker's group on what it reads, by topic and partition. Raises AdminError, also for a missing topic."""
    prefix, group = settings.kafka.topic_prefix, settings.kafka.group
    wanted = [prefix + name for name in settings.kafka.read]
    with admin_client(settings) as admin, reader(settings) as client:
        found = {topic["name"]: topic for topic in admin.describe_topics() if topic["name"] in wanted}
        missing = [name for name in wanted if name not in found]
        if missing:
            raise AdminError(f"topics {', '.join(missing)} do not exist", "run `churnwatch topics create`")
        partitions = [TopicPartition(name, p["partition_index"]) for name in wanted for p in found[name]["partitions"]]
        committed = retried(lambda: admin.list_group_offsets({group: None}))[group]
        held = ends(admin, client, partitions)
    rows = []
    for tp in sorted(partitions):
        at = committed[tp].offset if tp in committed and committed[tp].offset >= 0 else None
        behind = held[tp].end - max(held[tp].first, at or 0)
        rows.append(PartitionLag(tp.topic, tp.partition, at, held[tp].end, max(behind, 0), held[tp].exact))
    return rows
