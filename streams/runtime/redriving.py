"""Sends dead letters' records again: each judged first by the checks of the workers, then written with its mark.

The record keeps key, bytes and headers, its topic and its partition. Its timestamp is the present: that is when the broker takes
it, retention by record time leaves it alone, and what was dated too far ahead then may not be so any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from streams.contract import InputTopic
from streams.dead_letters import DeadLetter, DeadReason
from streams.letter_marks import LetterMark, LetterState, Marks, identity
from streams.redriven import Origin, headers_of
from streams.rejudge import Judged, SentAgain, rejudge
from streams.runtime.dead_letter_reader import OPEN_ONLY, StoredLetter
from streams.runtime.kafka_client import reader
from streams.runtime.letter_plan import Plan, Planned, batches, load
from streams.runtime.letter_transactions import LetterTransactions, Outgoing, Told, letter_transactions, longest
from streams.runtime.mark_reader import read_marks
from streams.runtime.original import originals
from streams.runtime.rules import event_rules
from streams.runtime.settings import Settings
from streams.runtime.topics import EVENTS

Progress = Callable[[int, int], None]
"""Told how many letters are done, of how many."""


class Outcome(StrEnum):
    """What became of a letter.

    REDRIVEN        sent, and marked; in a dry run: would be
    REFUSED_AGAIN   the checks of now refuse it, so it was not sent
    REPEATED_EVENT  its event was sent with another letter
    ORIGINAL_GONE   the letter has only a part of it, and the topic has it no more
    NOT_AN_EVENT    it stood in no input of this system, as it is now
    TOO_LONG        the broker does not take it
    DONE_MEANWHILE  another command was faster
    """

    REDRIVEN = "redriven"
    REFUSED_AGAIN = "refused_again"
    REPEATED_EVENT = "repeated_event"
    ORIGINAL_GONE = "original_gone"
    NOT_AN_EVENT = "not_an_event"
    TOO_LONG = "too_long"
    DONE_MEANWHILE = "done_meanwhile"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one letter.

    reason    of REFUSED_AGAIN
    sent_to   topic-partition-offset of REDRIVEN; None in a dry run
    """

    id: str
    outcome: Outcome
    reason: DeadReason | None = None
    message: str = ""
    sent_to: str | None = None


@dataclass(frozen=True, slots=True)
class RedriveOptions:
    """How.

    by       who, for the marks
    force    send also what the checks refuse, and what was sent with another letter
    states   of the letters that may be sent
    """

    by: str
    force: bool = False
    states: frozenset[LetterState] = OPEN_ONLY


def redrive(
    settings: Settings,
    plan: Plan,
    options: RedriveOptions,
    progress: Progress = lambda _done, _of_all: None,
    told: Told = lambda _step: None,
) -> list[Verdict]:
    """Send the planned letters' records again. Raises AdminError; what was done by then stays done and is not done again.

    told   each step of each transaction, see `letter_transactions`
    """
    with letter_transactions(settings) as transactions:
        redriver = Redriver(settings, options, read_marks(settings, required=True))
        return list(redriver.run(plan.letters, progress, lambda batch: redriver.send(transactions, batch, told)))


def try_redrive(
    settings: Settings, plan: Plan, options: RedriveOptions, progress: Progress = lambda _done, _of_all: None
) -> list[Verdict]:
    """What `redrive` would do, without doing it."""
    redriver = Redriver(settings, options, read_marks(settings, required=True))
    return list(redriver.run(plan.letters, progress, lambda batch: [Verdict(mark.id, Outcome.REDRIVEN) for mark, _ in batch]))


Prepared = list[tuple[LetterMark, Outgoing]]


class Redriver:
    """One run: judges, sends, marks.

    marks   as they stand once no earlier command can add to them; what is sent is added
    """

    def __init__(self, settings: Settings, options: RedriveOptions, marks: Marks) -> None:
        self._settings, self._options, self._marks = settings, options, marks
        self._rules = event_rules(settings)
        self._inputs = {settings.kafka.topic_prefix + name: name for name in EVENTS}
        self._longest = longest(settings, list(self._inputs))

    def run(self, letters: Sequence[Planned], progress: Progress, send: Callable[[Prepared], list[Verdict]]) -> Iterator[Verdict]:
        """A verdict for each letter."""
        done = 0
        with reader(self._settings) as client:
            for batch in batches(letters):
                stored = load(self._settings, client, batch, self._marks)
                whole = originals(client, [each.letter for each in stored if self._is_input(each.letter)])
                judged = [self.prepare(each, whole.get(identity(each.letter))) for each in stored]
                yield from (found for found in judged if isinstance(found, Verdict))
                if prepared := [found for found in judged if not isinstance(found, Verdict)]:
                    yield from send(prepared)
                done += len(batch)
                progress(done, len(letters))

    def send(self, transactions: LetterTransactions, batch: Prepared, told: Told) -> list[Verdict]:
        """Send and mark these."""
        return [Verdict(mark.id, Outcome.REDRIVEN, sent_to=mark.sent_to) for mark in transactions.commit(batch, told)]

    def _is_input(self, letter: DeadLetter) -> bool:
        return letter.topic in self._inputs and letter.partition < self._settings.kafka.partitions

    def prepare(self, stored: StoredLetter, original: SentAgain | None) -> Verdict | tuple[LetterMark, Outgoing]:
        """The record to send with its mark, or why it is not to be sent."""
        letter = stored.letter
        if stored.state not in self._options.states:
            return Verdict(letter.id, Outcome.DONE_MEANWHILE, message=f"it is {stored.state.value} by now")
        if not self._is_input(letter):
            message = f"{letter.topic} partition {letter.partition} is no input for events of this system"
            return Verdict(letter.id, Outcome.NOT_AN_EVENT, message=message)
        if original is None:
            message = "the letter has only the beginning of it, and it stands in the topic no more"
            return Verdict(letter.id, Outcome.ORIGINAL_GONE, message=message)
        judged = rejudge(cast(InputTopic, self._inputs[letter.topic]), original, self._rules)
        if judged.reason is not None and not self._options.force:
            return Verdict(letter.id, Outcome.REFUSED_AGAIN, judged.reason, judged.message)
        first = letter.redrive_of or letter.id
        other = None if judged.event is None else self._marks.sent_with(judged.event, first)
        if other is not None and not self._options.force:
            return Verdict(letter.id, Outcome.REPEATED_EVENT, message=f"its event was sent again with {other}")
        outgoing, most = _outgoing(original, Origin(first, letter.attempt + 1)), self._longest[letter.topic]
        if outgoing.nbytes > most:
            return Verdict(letter.id, Outcome.TOO_LONG, message=f"{letter.topic} takes {most} bytes (max.message.bytes)")
        mark = self._mark(letter, judged, first)
        self._marks.add(mark)  # so that the next letter with this event is a repeat
        return mark, outgoing

    def _mark(self, letter: DeadLetter, judged: Judged, first: str) -> LetterMark:
        now_ms = time.time_ns() // 1_000_000
        size, by = letter.original_bytes, self._options.by
        return LetterMark(letter.id, letter.record_time_ms, size, "redriven", now_ms, by, first, judged.event)


def _outgoing(original: SentAgain, origin: Origin) -> Outgoing:
    # kafka-python sends no header without a value
    headers = [*((name, value or b"") for name, value in original.headers), *headers_of(origin)]
    return Outgoing(original.topic, original.partition, original.key, original.value, headers)
