"""Which dead letters a command will deal with: found in one pass over their topic, dealt with in the order of their records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka import TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from streams.letter_filter import LetterFilter
from streams.letter_marks import Identity, LetterState, Marks, identity
from streams.runtime.dead_letter_reader import OPEN_ONLY, StoredLetter, decode_letter, letter_ranges, stored_letter
from streams.runtime.kafka_client import AdminError, admin_client, reader
from streams.runtime.mark_reader import read_marks
from streams.runtime.reading import read_range
from streams.runtime.settings import Settings
from streams.runtime.topics import DEAD_LETTERS

BATCH_LETTERS = 100
BATCH_BYTES = 8 * 1024 * 1024
FAR = 500
"""Beyond so many records that are not wanted, seeking is cheaper than reading on."""


@dataclass(frozen=True, slots=True, order=True)
class Planned:
    """A letter that is meant, without its bytes: there may be many.

    topic, at, number   where the refused record stands: topic, partition, offset
    record_time_ms      of that record
    partition, offset   where the letter stands on its topic
    nbytes              of the letter
    """

    topic: str
    at: int
    number: int
    record_time_ms: int
    partition: int
    offset: int
    nbytes: int

    @property
    def identity(self) -> Identity:
        """Of the letter."""
        return Identity(f"{self.topic}-{self.at}-{self.number}", self.record_time_ms)


@dataclass(slots=True)
class Plan:
    """What was found.

    letters     those to deal with, in the order of their records
    by_reason   how many of these
    done        letters that are meant and do not stand so, by state
    met         ids of the letters that are meant, however they stand; filled where ids are asked for
    unreadable  messages on the topic that are no letters of ours
    """

    letters: list[Planned] = field(default_factory=list)
    by_reason: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    met: set[str] = field(default_factory=set)
    unreadable: int = 0


def plan(
    settings: Settings,
    wanted: LetterFilter,
    limit: int | None = None,
    states: frozenset[LetterState] = OPEN_ONLY,
    progress: Callable[[int, int], None] = lambda _read, _all: None,
) -> Plan:
    """The letters that are meant and stand so: all of them, or the first `limit`. progress: messages read so far, of how many.

    Raises AdminError, also where there is no topic for marks.
    """
    found: dict[Identity, tuple[Planned, str]] = {}
    done: dict[Identity, str] = {}
    result = Plan()
    for number, (stored, nbytes, of_all) in enumerate(_read_through(settings), start=1):
        progress(number, of_all)
        if stored is None:
            result.unreadable += 1
        elif wanted.wants(stored.letter):
            letter, known_as = stored.letter, identity(stored.letter)
            if wanted.ids:
                result.met.add(letter.id)
            if stored.state in states:
                planned = Planned(
                    letter.topic, letter.partition, letter.offset, letter.record_time_ms, stored.partition, stored.offset, nbytes
                )
                found[known_as] = planned, letter.reason.value
            else:
                done[known_as] = stored.state.value
    chosen = sorted(found.values())[:limit]
    result.letters = [planned for planned, _ in chosen]
    result.by_reason = Counter(reason for _, reason in chosen)
    result.done = Counter(state for known_as, state in done.items() if known_as not in found)
    return result


def _read_through(settings: Settings) -> Iterator[tuple[StoredLetter | None, int, int]]:
    """Every message of the topic: the letter, None for what is none of ours; its length; about how many there are."""
    marks = read_marks(settings, required=True)
    with admin_client(settings) as admin, reader(settings) as client:
        held = letter_ranges(settings, admin, client)
        of_all = sum(span.end - span.first for span in held.values())
        for record in read_range(client, {tp: (span.first, span.end) for tp, span in held.items()}):
            letter = decode_letter(record.value)
            yield None if letter is None else stored_letter(letter, record, marks), len(record.value or b""), of_all


def batches(letters: Sequence[Planned]) -> Iterator[list[Planned]]:
    """The letters in their order, so many together as one transaction may hold."""
    batch: list[Planned] = []
    nbytes = 0
    for letter in letters:
        if batch and (len(batch) == BATCH_LETTERS or nbytes + letter.nbytes > BATCH_BYTES):
            yield batch
            batch, nbytes = [], 0
        batch.append(letter)
        nbytes += letter.nbytes
    if batch:
        yield batch


def load(settings: Settings, client: Any, batch: Sequence[Planned], marks: Marks) -> list[StoredLetter]:
    """The letters with their bytes, in the order given; those that the topic has lost meanwhile are left out."""
    topic = settings.kafka.topic_prefix + DEAD_LETTERS
    places: dict[TopicPartition, list[int]] = {}
    for planned in batch:
        places.setdefault(TopicPartition(topic, planned.partition), []).append(planned.offset)
    records = {(record.partition, record.offset): record for record in records_at(client, places)}
    found = []
    for planned in batch:
        record = records.get((planned.partition, planned.offset))
        letter = None if record is None else decode_letter(record.value)
        if letter is not None:
            found.append(stored_letter(letter, record, marks))
    return found


def records_at(client: Any, places: Mapping[TopicPartition, Sequence[int]]) -> Iterator[Any]:
    """The records at these offsets; what retention has deleted is passed over.

    places   none at or beyond the partition's end
    client   from `kafka_client.reader`; its assignment is used up
    """
    begins = client.beginning_offsets(list(places)) if places else {}
    for tp, offsets in places.items():
        for run in _runs(sorted(offset for offset in set(offsets) if offset >= begins[tp])):
            wanted = set(run)
            yield from (r for r in read_range(client, {tp: (run[0], run[-1] + 1)}) if r.offset in wanted)


def _runs(offsets: Sequence[int]) -> Iterator[list[int]]:
    """Ascending offsets, those together that are read in one go.

    >>> list(_runs([1, 3, 5000]))
    [[1, 3], [5000]]
    """
    run: list[int] = []
    for offset in offsets:
        if run and offset - run[-1] > FAR:
            yield run
            run = []
        run.append(offset)
    if run:
        yield run


def check_named(wanted: LetterFilter, found: Plan) -> None:
    """Raise AdminError for ids that were asked for and are no letters."""
    missing = wanted.ids - found.met
    if missing:
        raise AdminError(f"there is no dead letter {min(missing)}", "see `churnwatch dead-letters list --all`")
