"""What was done about dead letters: marks on `churn.dead-letter-marks`, a compacted topic keyed by the letter's id.

A mark stands in the partition of the refused record, so the owner of that partition reads all that concerns it. What was
marked counts where it was sent to, if anywhere, and never again where it stood: see `voids`.

Beside the dead letters and not among them, because
- who reads `churn.dead-letters` meets letters and nothing else,
- workers read the marks whole, and letters may be long,
- a mark must outlive its letter: a rebuild brings letters back that retention had deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal, NamedTuple

import msgspec

from alerts.foreign_json import decoded
from streams.dead_letters import DeadLetter


class LetterState(StrEnum):
    """How a letter stands.

    OPEN       nothing was done about it
    REDRIVEN   its record was sent again
    DROPPED    it was given up
    OUTDATED   `churnwatch rebuild` has read its record again since: it counts now, or there is a newer letter about it
    """

    OPEN = "open"
    REDRIVEN = "redriven"
    DROPPED = "dropped"
    OUTDATED = "outdated"


class LetterMark(msgspec.Struct, frozen=True, tag_field="type", tag="mark"):
    """One letter that was redriven or dropped. The latest mark of a letter counts.

    id               the letter's: topic-partition-offset
    record_time_ms   of the refused record, as the letter has it; with original_bytes it tells that record from one at the
                     same place of a topic that was made anew
    original_bytes   length of the refused record's value
    action           what was done
    at_ms            when, by the clock of who did it, ms since 1970 UTC
    by               who
    first            id of the letter that was refused first: this one's, unless it was sent again before
    event            topic rank and event id, hashed to 16 hex digits, of what was sent; null where nothing was
    sent_to          topic-partition-offset where the record stands now; null for a dropped one
    """

    id: str
    record_time_ms: int
    original_bytes: int
    action: Literal["redriven", "dropped"]
    at_ms: int
    by: str
    first: str
    event: str | None = None
    sent_to: str | None = None


class Reread(msgspec.Struct, frozen=True, tag_field="type", tag="reread"):
    """`churnwatch rebuild` was run: every record is judged anew, so older letters say nothing any more.

    at_ms            when, ms since 1970 UTC
    letters_before   per partition of `churn.dead-letters` the offset below which letters are outdated
    """

    at_ms: int
    letters_before: list[int]


REREAD_KEY = b"reread"
REREAD_PARTITION = 0
_decoder: msgspec.json.Decoder[LetterMark | Reread] = msgspec.json.Decoder(LetterMark | Reread)


class Identity(NamedTuple):
    """What a letter is known by: copies of it share both, and records of a topic that was made anew do not."""

    id: str
    record_time_ms: int


def identity(letter: DeadLetter) -> Identity:
    """Of this letter."""
    return Identity(letter.id, letter.record_time_ms)


def partition_of(letter_id: str) -> int:
    """Where the refused record stood, and its mark stands. Raises ValueError for an id that is none.

    >>> partition_of("eu-west.purchases-3-17")
    3
    """
    return int(letter_id.rsplit("-", 2)[1])


class Marks:
    """All marks, added in the order of their partitions.

    >>> marks = Marks([LetterMark("logins-0-7", 1_000, 4, "dropped", 2_000, "anna", "logins-0-7")])
    >>> marks.state(Identity("logins-0-7", 1_000), 0, 3).value, marks.state(Identity("logins-0-7", 9_000), 0, 3).value
    ('dropped', 'open')
    """

    def __init__(self, marks: Iterable[LetterMark | Reread] = ()) -> None:
        self._by_letter: dict[Identity, LetterMark] = {}
        self._first_of: dict[str, str] = {}
        self._before: list[int] = []
        for mark in marks:
            self.add(mark)

    def add(self, mark: LetterMark | Reread) -> None:
        """A later mark of the same letter takes the place of an earlier one."""
        if isinstance(mark, Reread):
            self._before = mark.letters_before
            return
        self._by_letter[Identity(mark.id, mark.record_time_ms)] = mark
        if mark.event is not None:
            self._first_of[mark.event] = mark.first

    def of(self, letter: Identity) -> LetterMark | None:
        """The letter's mark."""
        return self._by_letter.get(letter)

    def state(self, letter: Identity, partition: int, offset: int) -> LetterState:
        """How a letter stands that is found at this place of `churn.dead-letters`."""
        mark = self._by_letter.get(letter)
        if mark is not None:
            return LetterState(mark.action)
        outdated = partition < len(self._before) and offset < self._before[partition]
        return LetterState.OUTDATED if outdated else LetterState.OPEN

    def sent_with(self, event: str, first: str) -> str | None:
        """Id of another letter with which this event was sent already; None where it was not.

        first   the letter that was refused first: what was sent with it and refused again may be sent again
        """
        other = self._first_of.get(event)
        return None if other == first else other


def read_mark(value: bytes | None) -> LetterMark | Reread | None:
    """What stands on the topic; None for what is not ours."""
    try:
        return decoded(_decoder, value or b"")
    except msgspec.DecodeError:  # ValidationError is one
        return None
