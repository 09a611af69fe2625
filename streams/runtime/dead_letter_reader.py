"""Dead letters as they stand on their topic, newest first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from kafka import TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from streams.dead_letters import DeadLetter, decode
from streams.runtime.kafka_client import AdminError, Ends, admin_client, ends, reader
from streams.runtime.settings import Settings
from streams.runtime.topics import DEAD_LETTERS

_WINDOW = 256  # held in memory at once, at up to 700 kB a letter
_PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    """Some dead letters.

    letters      newest first by the refused record's time, each id once
    unreadable   messages met on the topic that are no dead letters of ours
    """

    letters: list[DeadLetter]
    unreadable: int


def read_dead_letters(settings: Settings, limit: int = 50, reason: str | None = None) -> DeadLetterPage:
    """The newest dead letters.

    limit    at most so many, >= 1
    reason   only those with this reason code; None: all
    Raises AdminError; ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"limit: {limit} is too low; ask for at least 1")
    found, unreadable = _newest(settings, limit, lambda letter: reason in (None, letter.reason.value))
    letters = sorted(found.values(), key=lambda letter: (letter.record_time_ms, letter.id), reverse=True)
    return DeadLetterPage(letters[:limit], unreadable)


def find_dead_letter(settings: Settings, letter_id: str) -> DeadLetter | None:
    """The dead letter with this id (topic-partition-offset), or None. Reads backwards through the whole topic if it must."""
    found, _ = _newest(settings, 1, lambda letter: letter.id == letter_id)
    return found.get(letter_id)


def _newest(settings: Settings, limit: int, wanted: Callable[[DeadLetter], bool]) -> tuple[dict[str, DeadLetter], int]:
    """Up to `limit` wanted letters of *each* partition, by id, and how many messages were unreadable."""
    topic = settings.kafka.topic_prefix + DEAD_LETTERS
    found: dict[str, DeadLetter] = {}
    unreadable = 0
    with admin_client(settings) as admin, reader(settings) as client:
        described = {each["name"]: each["partitions"] for each in admin.describe_topics()}
        if topic not in described:
            raise AdminError(f"topic {topic} does not exist", "run `churnwatch topics create`")
        held = ends(admin, client, [TopicPartition(topic, p["partition_index"]) for p in described[topic]])
        for tp, span in held.items():
            here: dict[str, DeadLetter] = {}
            for value in _backwards(client, tp, span):
                try:
                    letter = decode(value or b"")
                except msgspec.DecodeError:  # ValidationError is one
                    unreadable += 1
                    continue
                if wanted(letter):
                    here.setdefault(letter.id, letter)
                if len(here) == limit:
                    break
            found |= here
    return found, unreadable


def _backwards(client: Any, tp: TopicPartition, span: Ends) -> Iterator[bytes | None]:
    """Values from the last to the first, read a window at a time."""
    high = span.end
    while high > span.first:
        low = max(span.first, high - _WINDOW)
        yield from reversed(_window(client, tp, low, high))
        high = low


def _window(client: Any, tp: TopicPartition, low: int, high: int) -> list[bytes | None]:
    """Values of the records with low <= offset < high. Offsets may have gaps, so the position counts, not the records."""
    client.assign([tp])
    client.seek(tp, low)
    values: list[bytes | None] = []
    end_s = time.monotonic() + _PATIENCE_S
    while client.position(tp) < high:
        for record in client.poll(timeout_ms=500).get(tp, ()):
            end_s = time.monotonic() + _PATIENCE_S
            if record.offset < high:
                values.append(record.value)
        if time.monotonic() > end_s:
            raise AdminError(f"{tp.topic} partition {tp.partition}: nothing came for {_PATIENCE_S:g} s", "see the broker's log")
    return values
