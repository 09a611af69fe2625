"""For `churnwatch erase`: writes commands to where their customers live, and waits for the notices that they are carried out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from kafka import KafkaProducer, TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types
from kafka.errors import KafkaError  # type: ignore[import-untyped]  # as above

from streams.commands import EraseCommand
from streams.erasure import ErasureNotice, Remains, decode_notice
from streams.runtime.admin import active_members, topic_configs
from streams.runtime.kafka_client import AdminError, Ends, admin_client, ends, kafka_client_options, reader
from streams.runtime.partitioner import partition_of
from streams.runtime.settings import Settings
from streams.runtime.topics import COMMANDS, ERASURES

ANSWER_S = 30.0
MEMBERS_S = 5.0
ALONE_S = 60.0
"""So long nobody may be working on the partitions while we wait."""
DAY_MS = 86_400_000


def erase_all(
    settings: Settings, commands: Sequence[EraseCommand], on_progress: Callable[[int], None], alone_s: float = ALONE_S
) -> list[ErasureNotice]:
    """Have these carried out; returns their notices in the order of the commands.

    commands      ids different
    on_progress   told how many notices have come
    alone_s       so long nobody may be working on the partitions
    Raises AdminError. Once a command is acknowledged it is carried out, now or when a worker runs.
    """
    partitions = sorted({partition_of(command.customer_id, settings.kafka.partitions) for command in commands})
    tps = [TopicPartition(settings.kafka.topic_prefix + ERASURES, partition) for partition in partitions]
    with admin_client(settings) as admin, reader(settings) as client:
        _check_topics(settings, admin)
        begins = ends(admin, client, tps)
        _write(settings, commands)
        found = _await(settings, client, begins, {command.command_id for command in commands}, on_progress, alone_s)
        remains = _told_remains(admin, found)
    return [msgspec.structs.replace(found[command.command_id], remains=remains) for command in commands]


def _check_topics(settings: Settings, admin: Any) -> None:
    present = set(admin.list_topics())
    for topic in (COMMANDS, ERASURES):
        if (name := settings.kafka.topic_prefix + topic) not in present:
            raise AdminError(f"topic {name} does not exist", "run `churnwatch topics create`, and start the workers anew")


def _write(settings: Settings, commands: Sequence[EraseCommand]) -> None:
    name = settings.kafka.topic_prefix + COMMANDS
    try:
        with _producer(settings) as producer:
            sent = [
                producer.send(
                    name,
                    key=command.customer_id.encode(),
                    value=msgspec.json.encode(command),
                    partition=partition_of(command.customer_id, settings.kafka.partitions),
                )
                for command in commands
            ]
            for future in sent:
                future.get(ANSWER_S)
    except KafkaError as problem:
        what = f"{name}: {type(problem).__name__}: some of the commands may be written"
        raise AdminError(what, "see that the broker is well, and run erase again: to be erased twice does no harm") from None


@contextmanager
def _producer(settings: Settings) -> Any:
    producer = KafkaProducer(**kafka_client_options(settings), acks="all", enable_idempotence=True, linger_ms=5)
    try:
        yield producer
    finally:
        producer.close(5)


def _await(
    settings: Settings,
    client: Any,
    begins: Mapping[TopicPartition, Ends],
    wanted: set[str],
    on_progress: Callable[[int], None],
    alone_s: float,
) -> dict[str, ErasureNotice]:
    """The notices of these commands, by command."""
    client.assign(list(begins))
    for tp, bound in begins.items():
        client.seek(tp, bound.end)
    found: dict[str, ErasureNotice] = {}
    seen_s = asked_s = time.monotonic()
    while True:
        on_progress(len(found))
        if len(found) == len(wanted):
            return found
        for records in client.poll(timeout_ms=250).values():
            notices = (decode_notice(record.value) for record in records)
            found |= {notice.command_id: notice for notice in notices if notice.command_id in wanted}
        now_s = time.monotonic()
        if now_s - asked_s >= min(MEMBERS_S, alone_s):
            asked_s = now_s
            seen_s = seen_s if active_members(settings) == 0 else now_s
        if now_s - seen_s > alone_s:
            what = f"{len(found)} of {len(wanted)} carried out, and no worker has run for {alone_s:g} s"
            raise AdminError(what, "start the workers: the commands are written and will be carried out")


def _told_remains(admin: Any, found: Mapping[str, ErasureNotice]) -> tuple[Remains, ...]:
    """What remains of any of them, topics with the retention that they have on this broker."""
    remains = list(dict.fromkeys(one for notice in found.values() for one in notice.remains))
    present = set(admin.list_topics())
    configs = topic_configs(admin, [one.where for one in remains if one.where in present])
    return tuple(
        msgspec.structs.replace(one, until=_kept_for(configs[one.where])) if one.where in configs else one for one in remains
    )


def _kept_for(config: Mapping[str, str]) -> str:
    """How long a topic with these settings keeps a record, in words.

    >>> _kept_for({"retention.ms": "604800000"}), _kept_for({"retention.ms": "-1"}), _kept_for({})
    ('7 days after it was written', 'for ever: retention.ms is -1', "the topic's retention, which the broker does not tell")
    """
    found = config.get("retention.ms")
    if found is None:
        return "the topic's retention, which the broker does not tell"
    if int(found) < 0:
        return "for ever: retention.ms is -1"
    return f"{int(found) / DAY_MS:g} days after it was written"
