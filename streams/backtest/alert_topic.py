"""The alerts about a history as they stand on their topic."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from kafka import TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from alerts.alert import Alert, decode_any
from streams.runtime.kafka_client import AdminError, admin_client, ends, reader
from streams.runtime.reading import read_range
from streams.runtime.settings import Settings


def alerts_about_history(settings: Settings, topic: str) -> Iterator[tuple[str, bytes]]:
    """(customer id, message) of every alert that was decided while history was loaded; of each partition in order.

    topic   without the prefix
    Raises AdminError: no broker, no such topic, another number of partitions, or a record that is no message of ours.
    """
    name, wanted = settings.kafka.topic_prefix + topic, settings.kafka.partitions
    with admin_client(settings) as admin, reader(settings, committed=True) as client:
        there = client.partitions_for_topic(name)
        if not there:
            raise AdminError(f"--against {topic}: there is no topic {name}", "check kafka.topic_prefix and the name")
        if len(there) != wanted:
            fix = "set kafka.partitions as the system has it: the quintiles that alerts tell are a partition's"
            raise AdminError(f"--against {topic}: {name} has {len(there)} partitions, kafka.partitions is {wanted}", fix)
        bounds = ends(admin, client, [TopicPartition(name, number) for number in sorted(there)])
        for record in read_range(client, {tp: (bound.first, bound.end) for tp, bound in bounds.items()}):
            message = _message(record.value, f"{name}-{record.partition} at offset {record.offset}")
            if isinstance(message, Alert) and not message.live:
                yield message.customer_id, record.value


def _message(value: bytes | None, where: str) -> object:
    try:
        return decode_any(value or b"")
    except msgspec.DecodeError as problem:
        raise AdminError(f"{where}: {problem}", "name the topic that this release's workers wrote their alerts to") from None
