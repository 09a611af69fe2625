"""A worker that dies after any commit and is sent old records again stores and sends what an undisturbed one does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.columns import Columns
from streams.customer import read_records
from streams.engine import EngineRules, advance
from streams.merge import PartitionMerge
from streams.state import PartitionState
from streams.table import CustomerTable
from tests.support.engine_rules import any_rules, served
from tests.support.examples import examples
from tests.support.outcomes import Outcome, run
from tests.support.streams_of_rows import as_columns, rows

RANKS = (0, 1, 2, 3)
Logs = dict[int, Columns]


@dataclass(frozen=True)
class Life:
    """A worker's life: commits before it dies, rows a commit, records a fetch, records before its place that it is sent again."""

    commits: int
    rows: int
    fetch: int
    again: int


lives = st.lists(st.builds(Life, st.integers(0, 4), st.integers(1, 12), st.integers(1, 9), st.integers(0, 15)), max_size=5)


def topics(events) -> Logs:
    """Each topic's log: its rows in the order in which they were drawn, so late ones among them, with their offsets."""
    whole = as_columns(events)
    logs = {}
    for rank in RANKS:
        log = whole.take(whole.rank == rank)
        log.offset[:] = np.arange(len(log))
        logs[rank] = log
    return logs


def merge_from(logs: Logs, done: dict[int, int], fetch: int, again: int) -> PartitionMerge:
    """A new merge that knows what is done and is sent the rest, and `again` records before it."""
    merge = PartitionMerge(RANKS, done)
    for rank, log in logs.items():
        merge.set_end(rank, len(log))
        for start in range(max(0, done.get(rank, -1) + 1 - again), len(log), fetch):
            chunk = log.take(slice(start, start + fetch))
            last = int(chunk.offset[-1])
            merge.push(rank, chunk, last, last + 1, len(chunk))
            if start % 2:  # the fetch before may come twice
                merge.push(rank, chunk, last, last + 1, len(chunk))
    return merge


def live(logs: Logs, stored: Outcome, done: dict[int, int], life: Life, rules: EngineRules) -> dict[int, int]:
    """Start from what is stored and commit until death; returns the offsets of the last commit."""
    table = CustomerTable(PartitionState.from_bytes(stored.state) if stored.state else None)
    if stored.records:
        table.put(list(stored.records), read_records(list(stored.records.values())))
    merge = merge_from(logs, done, life.fetch, life.again)
    for _ in range(life.commits):
        batch = merge.take(life.rows)
        if batch is None:
            break
        stored.take_over(table, advance(table, batch, 0, rules, served(rules)))
        done = dict(merge.done)
    return done


@given(rows(max_rows=50, ticks=False), any_rules(), lives)
@examples(25)
def test_offsets_delivered_again_change_nothing(events, rules, drawn):
    logs, stored, done = topics(events), Outcome(), dict[int, int]()
    for life in [*drawn, Life(commits=len(events), rows=7, fetch=3, again=len(events))]:
        done = live(logs, stored, done, life, rules)
    assert done == {rank: len(log) - 1 for rank, log in logs.items()}
    merged = merge_from(logs, {}, fetch=1_000, again=0).take(len(events))
    assert merged is not None
    assert len(merged) == len(events)
    assert stored == run([merged], rules)
