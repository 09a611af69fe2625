"""Dead letters as they stand on their topic, and what was done about each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from kafka import TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from streams.dead_letters import DeadLetter, decode
from streams.letter_filter import LetterFilter
from streams.letter_marks import LetterMark, LetterState, Marks, identity
from streams.runtime.kafka_client import AdminError, Ends, admin_client, ends, reader
from streams.runtime.mark_reader import read_marks
from streams.runtime.settings import Settings
from streams.runtime.topics import DEAD_LETTERS

EVERY_LETTER = LetterFilter()
OPEN_ONLY = frozenset((LetterState.OPEN,))
_WINDOW = 256  # held in memory at once, at up to 700 kB a letter
_PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A letter where it stands.

    partition, offset   on `churn.dead-letters`
    state, mark         what was done about it
    """

    letter: DeadLetter
    partition: int
    offset: int
    state: LetterState
    mark: LetterMark | None


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    """Some dead letters.

    letters      newest first by the refused record's time, each once
    unreadable   messages met on the topic that are no dead letters of ours
    """

    letters: list[StoredLetter]
    unreadable: int


def read_dead_letters(
    settings: Settings,
    wanted: LetterFilter = EVERY_LETTER,
    limit: int = 50,
    states: frozenset[LetterState] = OPEN_ONLY,
) -> DeadLetterPage:
    """The newest dead letters that are wanted and stand so.

    limit    at most so many, >= 1
    Raises AdminError; ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError(f"limit: {limit} is too low; ask for at least 1")
    found, unreadable = _newest(settings, limit, lambda stored: stored.state in states and wanted.wants(stored.letter))
    letters = sorted(found, key=lambda stored: (stored.letter.record_time_ms, stored.letter.id), reverse=True)
    return DeadLetterPage(letters[:limit], unreadable)


def find_dead_letter(settings: Settings, letter_id: str) -> StoredLetter | None:
    """The newest dead letter with this id (topic-partition-offset), or None. Reads through the whole topic if it must."""
    page = read_dead_letters(settings, LetterFilter(ids=frozenset((letter_id,))), 1, frozenset(LetterState))
    return page.letters[0] if page.letters else None


def decode_letter(value: bytes | None) -> DeadLetter | None:
    """A message of the topic; None for what is no letter of ours."""
    try:
        return decode(value or b"")
    except msgspec.DecodeError:  # ValidationError is one
        return None


def letter_ranges(settings: Settings, admin: Any, client: Any) -> dict[TopicPartition, Ends]:
    """What the partitions of the dead letters hold. Raises AdminError where there is no such topic."""
    topic = settings.kafka.topic_prefix + DEAD_LETTERS
    described = {each["name"]: each["partitions"] for each in admin.describe_topics()}
    if topic not in described:
        raise AdminError(f"topic {topic} does not exist", "run `churnwatch topics create`")
    return ends(admin, client, [TopicPartition(topic, p["partition_index"]) for p in described[topic]])


def _newest(settings: Settings, limit: int, wanted: Callable[[StoredLetter], bool]) -> tuple[list[StoredLetter], int]:
    """Up to `limit` wanted letters of *each* partition, each once, and how many messages were unreadable."""
    found: dict[object, StoredLetter] = {}
    unreadable = 0
    marks = read_marks(settings)
    with admin_client(settings) as admin, reader(settings) as client:
        for tp, span in letter_ranges(settings, admin, client).items():
            here: dict[object, StoredLetter] = {}
            for record in _backwards(client, tp, span):
                letter = decode_letter(record.value)
                if letter is None:
                    unreadable += 1
                    continue
                stored = stored_letter(letter, record, marks)
                if wanted(stored):
                    here.setdefault(identity(letter), stored)
                if len(here) == limit:
                    break
            found |= here
    return list(found.values()), unreadable


def stored_letter(letter: DeadLetter, record: Any, marks: Marks) -> StoredLetter:
    """The letter that was read from this record."""
    known_as = identity(letter)
    state = marks.state(known_as, record.partition, record.offset)
    return StoredLetter(letter, record.partition, record.offset, state, marks.of(known_as))


def _backwards(client: Any, tp: TopicPartition, span: Ends) -> Iterator[Any]:
    """Records from the last to the first, read a window at a time."""
    high = span.end
    while high > span.first:
        low = max(span.first, high - _WINDOW)
        yield from reversed(_window(client, tp, low, high))
        high = low


def _window(client: Any, tp: TopicPartition, low: int, high: int) -> Sequence[Any]:
    """The records with low <= offset < high. Offsets may have gaps, so the position counts, not the records."""
    client.assign([tp])
    client.seek(tp, low)
    records: list[Any] = []
    end_s = time.monotonic() + _PATIENCE_S
    while client.position(tp) < high:
        for record in client.poll(timeout_ms=500).get(tp, ()):
            end_s = time.monotonic() + _PATIENCE_S
            if record.offset < high:
                records.append(record)
        if time.monotonic() > end_s:
            raise AdminError(f"{tp.topic} partition {tp.partition}: nothing came for {_PATIENCE_S:g} s", "see the broker's log")
    return records
