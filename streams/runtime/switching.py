"""The switch on `churn.clock`: where the topic ends, which switches and ticks stand there unfolded, and writing switches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
from kafka import KafkaProducer, TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types
from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]  # as above
from kafka.errors import KafkaError  # type: ignore[import-untyped]  # as above

from streams.runtime.admin import check_topics
from streams.runtime.kafka_client import AdminError, admin_client, ends, kafka_client_options, reader
from streams.runtime.reading import read_range
from streams.runtime.settings import Settings
from streams.runtime.standing import Standing
from streams.runtime.topics import CLOCK
from streams.ticks import GoLiveMessage, decode_ticks

ANSWER_S = 30.0
FIRST_RECORDS = 10_000
STAMP = "message.timestamp.type"


def clock_ends(settings: Settings) -> dict[int, int]:
    """Partition -> end of the clock topic. Raises AdminError."""
    tps = [TopicPartition(settings.kafka.topic_prefix + CLOCK, p) for p in range(settings.kafka.partitions)]
    with admin_client(settings) as admin, reader(settings) as client:
        found = ends(admin, client, tps)
    if vague := [tp.partition for tp, bound in found.items() if not bound.exact]:
        what = f"the broker does not tell where partitions {vague} of {CLOCK} end"
        raise AdminError(what, "see that it is well, and run go-live again")
    return {tp.partition: bound.end for tp, bound in found.items()}


@dataclass(frozen=True, slots=True)
class Unfolded:
    """What stands on the clock topic and is not folded yet; heartbeats and dead letters, which say nothing of history, left out.

    ticks      partition -> how many; partitions without one are left out
    switches   partition -> `at_ms` of the first
    """

    ticks: Counter[int]
    switches: dict[int, int]


def unfolded(settings: Settings, found: Iterable[Standing], until: Mapping[int, int]) -> Unfolded:
    """Read, as workers do, what lies between where these partitions stand and the end of the clock. Raises AdminError.

    until   partition -> end of the clock topic
    """
    name = settings.kafka.topic_prefix + CLOCK
    ranges = {TopicPartition(name, one.partition): (one.offsets.get("clock", 0), until[one.partition]) for one in found}
    seen = Unfolded(Counter(), {})
    with reader(settings) as client:
        for record in read_range(client, ranges):
            for tick in decode_ticks([record])[0]:
                if tick.kind == "go_live":
                    seen.switches.setdefault(record.partition, tick.at_ms)
                elif tick.kind == "tick":
                    seen.ticks[record.partition] += 1
    return seen


def history_stands(settings: Settings) -> bool:
    """Whether the clock topic begins with a history: a tick among its first records. Raises AdminError."""
    tp = TopicPartition(settings.kafka.topic_prefix + CLOCK, 0)
    with admin_client(settings) as admin, reader(settings) as client:
        if tp.topic not in admin.list_topics():
            return False
        bound = ends(admin, client, [tp])[tp]
        records = read_range(client, {tp: (bound.first, min(bound.end, bound.first + FIRST_RECORDS))})
        return any(tick.kind == "tick" for record in records for tick in decode_ticks([record])[0])


def write_switches(settings: Settings, found: Iterable[Standing], at_ms: int) -> None:
    """Say on these partitions that history has ended; all acknowledged. Raises AdminError, and then some may be written."""
    name = settings.kafka.topic_prefix + CLOCK
    try:
        producer = KafkaProducer(**kafka_client_options(settings), acks="all", enable_idempotence=True)
        try:
            values = {one.partition: _encoded(one, at_ms, settings.kafka.inputs) for one in found}
            sent = [producer.send(name, key=b"%d" % p, value=value, partition=p) for p, value in values.items()]
            for future in sent:
                future.get(ANSWER_S)
        finally:
            producer.close(5)
    except KafkaError as problem:
        raise AdminError(f"{name}: {type(problem).__name__}", "see that the broker is well, and run go-live again") from None


def _encoded(one: Standing, at_ms: int, inputs: Iterable[str]) -> bytes:
    return msgspec.json.encode(GoLiveMessage(at_ms, {name: one.offsets.get(name, 0) for name in inputs}))


def let_broker_stamp(settings: Settings) -> list[str]:
    """Make the broker stamp the records of those inputs where the producer does; returns their names.

    Raises AdminError where it refuses. A broker that does not report its settings is left as it is.
    """
    names = [finding.subject for finding in check_topics(settings) if finding.what.startswith(STAMP)]
    if names:
        stamped = [ConfigResource(ConfigResourceType.TOPIC, name, configs={STAMP: "LogAppendTime"}) for name in names]
        with admin_client(settings) as admin:
            for name, answer in admin.alter_configs(stamped).get("topic", {}).items():
                if answer != "OK":  # it is told, and not raised
                    fix = f"let the user ALTER_CONFIGS, or set {STAMP}=LogAppendTime yourself"
                    raise AdminError(f"topic {name}: {STAMP} cannot be set: {answer}", fix)
    return names
