"""Which dead letters are meant: what `churnwatch dead-letters list`, `redrive` and `drop` are asked for."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from streams.dead_letters import DeadLetter


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """A letter is meant when it fits all that is given; without anything, each is.

    reasons     one of these codes
    topics      its record stands in one of these, names with prefix
    partition   of its record
    customer    the record's key is this text in UTF-8; a key that was cut fits none
    since_ms, until_ms   the record's own time is in [since, until), ms since 1970 UTC
    ids         one of these
    """

    reasons: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    partition: int | None = None
    customer: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    ids: frozenset[str] = frozenset()

    def wants(self, letter: DeadLetter) -> bool:
        """Whether this letter is meant."""
        return (
            (not self.ids or letter.id in self.ids)
            and (not self.reasons or letter.reason.value in self.reasons)
            and (not self.topics or letter.topic in self.topics)
            and (self.partition is None or letter.partition == self.partition)
            and (self.customer is None or _keyed_by(letter, self.customer))
            and (self.since_ms is None or letter.record_time_ms >= self.since_ms)
            and (self.until_ms is None or letter.record_time_ms < self.until_ms)
        )


def _keyed_by(letter: DeadLetter, customer: str) -> bool:
    return not letter.key_cut and letter.key == base64.b64encode(customer.encode()).decode()
