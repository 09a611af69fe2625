"""Records that count no more where they stand: dead letters that were redriven or dropped.

A redriven event stands in its topic twice, where it was refused and where it was sent to. Should the first place be read
again after settings have changed (a rebuild, a backup restored, a commit that Redis lost), the event would be good there
too, and count twice; and what was dropped would come back. So the marked places are passed over, and a rebuild counts what
the live run counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from streams.contract import RawRecord
from streams.letter_marks import LetterMark, Reread

R = TypeVar("R", bound=RawRecord)


_PLACE = re.compile(r"(?P<topic>.+)-\d{1,9}-(?P<offset>\d{1,18})", re.ASCII)


class Known(NamedTuple):
    """By what the record of a mark is known again: a topic that was made anew has others at the same offsets."""

    record_time_ms: int
    value_bytes: int


@dataclass(frozen=True, slots=True)
class Voids:
    """Places of one partition that are passed over: topic with its prefix -> offset -> the record that is meant."""

    places: Mapping[str, Mapping[int, Known]] = field(default_factory=dict)

    def without(self, topic: str, records: Sequence[R]) -> Sequence[R]:
        """The records that count; the very sequence where all do.

        >>> Voids().without("logins", records := []) is records
        True
        """
        places = self.places.get(topic)
        if not places:
            return records
        kept = [record for record in records if places.get(record.offset) != _known(record)]
        return records if len(kept) == len(records) else kept


def _known(record: RawRecord) -> Known:
    return Known(record.timestamp, len(record.value or b""))


def voids_of(marks: Iterable[LetterMark | Reread]) -> Voids:
    """What the marks of one partition take out of it."""
    places: dict[str, dict[int, Known]] = {}
    for mark in marks:
        if isinstance(mark, LetterMark) and (place := _PLACE.fullmatch(mark.id)):  # another id is none of ours
            places.setdefault(place["topic"], {})[int(place["offset"])] = Known(mark.record_time_ms, mark.original_bytes)
    return Voids(places)
