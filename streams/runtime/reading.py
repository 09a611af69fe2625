"""Records that stand in topics already, read by a command and not by a worker."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kafka import TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from streams.runtime.kafka_client import AdminError

STALLED_S = 30.0

Ranges = Mapping[TopicPartition, tuple[int, int]]
"""Per partition the first offset and the one after the last."""


def read_range(client: Any, ranges: Ranges) -> Iterator[Any]:
    """Every record from the first offset up to, but without, the second; of each partition in order of offset.

    client   from `kafka_client.reader`; its assignment is used up
    Raises AdminError where nothing comes for STALLED_S.
    """
    open_ranges = {tp: end for tp, (first, end) in ranges.items() if first < end}
    if not open_ranges:
        return
    client.assign(list(open_ranges))
    client.resume(*open_ranges)  # a partition that was read before stays paused when it is assigned again
    for tp in open_ranges:
        client.seek(tp, ranges[tp][0])
    heard_s = time.monotonic()
    while open_ranges:
        polled: Mapping[TopicPartition, Sequence[Any]] = client.poll(timeout_ms=200)
        for tp, records in polled.items():
            yield from (record for record in records if record.offset < ranges[tp][1])
        if polled:
            heard_s = time.monotonic()
        elif time.monotonic() - heard_s > STALLED_S:
            stuck = ", ".join(f"{tp.topic}-{tp.partition}" for tp in open_ranges)
            raise AdminError(f"reading back {stuck}: nothing came for {STALLED_S:g} s", "check the broker and start again")
        for tp in [tp for tp, end in open_ranges.items() if (client.position(tp) or 0) >= end]:
            del open_ranges[tp]
            client.pause(tp)
