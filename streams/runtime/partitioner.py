"""Where Kafka's default partitioner puts a customer."""

from __future__ import annotations

from kafka.partitioner import murmur2  # type: ignore[import-untyped]  # kafka-python ships no types


def partition_of(customer_id: str, partitions: int) -> int:
    """The partition, by murmur2 of the id in UTF-8, as Kafka's own producers choose it.

    partitions   of the topic, >= 1

    >>> partition_of("c-17", 4)
    3
    """
    return int((murmur2(customer_id.encode()) & 0x7FFFFFFF) % partitions)
