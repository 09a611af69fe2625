"""Gives dead letters up: each is marked, so that it is shown no more and its record counts in no rebuild."""

from __future__ import annotations

import time

from streams.dead_letters import DeadLetter
from streams.letter_marks import LetterMark, LetterState
from streams.runtime.kafka_client import reader
from streams.runtime.letter_plan import Plan, batches, load
from streams.runtime.letter_transactions import letter_transactions
from streams.runtime.mark_reader import read_marks
from streams.runtime.redriving import Progress
from streams.runtime.settings import Settings


def drop(settings: Settings, plan: Plan, by: str, progress: Progress = lambda _done, _of_all: None) -> int:
    """Mark the planned letters; returns how many were not marked before. Raises AdminError: what was marked stays so."""
    done = dropped = 0
    with letter_transactions(settings) as transactions, reader(settings) as client:
        marks = read_marks(settings, required=True)
        for batch in batches(plan.letters):
            now_ms = time.time_ns() // 1_000_000
            standing = load(settings, client, batch, marks)
            work = [(_dropped(each.letter, now_ms, by), None) for each in standing if each.state is LetterState.OPEN]
            if work:
                transactions.commit(work)
            dropped += len(work)
            done += len(batch)
            progress(done, len(plan.letters))
    return dropped


def _dropped(letter: DeadLetter, now_ms: int, by: str) -> LetterMark:
    first = letter.redrive_of or letter.id
    return LetterMark(letter.id, letter.record_time_ms, letter.original_bytes, "dropped", now_ms, by, first)
