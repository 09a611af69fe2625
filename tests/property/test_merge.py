"""The vectorised merge against its heap-based twin, and what it promises about cuts, offsets and memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.columns import PURCHASE, TOPIC_RANKS, Columns, empty_columns
from streams.merge import CLOCK_RANK, PartitionMerge
from streams.ticks import Tick, tick_columns
from tests.oracle.merge_twin import MergeTwin, Row

RANKS = (0, 1, 2)
NAMES = {0: "purchases", 1: "complaints", 2: "logins"}
times = st.integers(0, 12)  # few instants, so that ties and late rows are the rule


def columns_of(rows: list[Row]) -> Columns:
    columns = empty_columns(len(rows))
    columns.kind[:] = PURCHASE
    columns.time_ms[:] = [row.time_ms for row in rows]
    columns.offset[:] = [row.offset for row in rows]
    columns.rank[:] = [row.rank for row in rows]
    columns.customer[:] = [f"{row.rank}:{row.offset}" for row in rows]
    return columns


def rows_of(columns: Columns | None) -> list[Row]:
    if columns is None:
        return []
    rows = [Row(int(t), int(r), int(o)) for t, r, o in zip(columns.time_ms, columns.rank, columns.offset, strict=True)]
    named = [str(customer) for row, customer in zip(rows, columns.customer, strict=True) if row.rank != CLOCK_RANK]
    assert named == [f"{row.rank}:{row.offset}" for row in rows if row.rank != CLOCK_RANK], "columns of a row went apart"
    return rows


@dataclass(frozen=True)
class Push:
    """A chunk: one entry a record, None for a dead letter; `gap` offsets are skipped before it, `behind` are still to come."""

    rank: int
    records: list[int | None]
    gap: int
    behind: int | None
    repeated: int


@dataclass(frozen=True)
class Take:
    max_rows: int


pushes = st.builds(
    Push,
    rank=st.sampled_from(RANKS),
    records=st.lists(st.none() | times, max_size=6),
    gap=st.integers(0, 2),
    behind=st.none() | st.integers(0, 2),
    repeated=st.integers(0, 4),
)
takes = st.builds(Take, max_rows=st.integers(1, 8))


@settings(max_examples=200, deadline=None)
@given(steps=st.lists(pushes | takes, max_size=30))
def test_every_take_equals_popping_the_smallest_head(steps: list[Push | Take]) -> None:
    merge, twin = PartitionMerge(RANKS), MergeTwin({rank: deque() for rank in RANKS})
    position = dict.fromkeys(RANKS, 0)
    end: dict[int, int | None] = dict.fromkeys(RANKS)
    delivered: dict[int, list[Row]] = {rank: [] for rank in RANKS}
    for step in steps:
        if isinstance(step, Take):
            expected = twin.take(step.max_rows, lambda rank: end[rank] is not None and position[rank] >= (end[rank] or 0))
            assert rows_of(merge.take(step.max_rows)) == expected
            continue
        rank, first = step.rank, position[step.rank] + step.gap
        rows = [Row(time, rank, first + i) for i, time in enumerate(step.records) if time is not None]
        for row in rows:
            twin.push(row)
        again = delivered[rank][len(delivered[rank]) - min(step.repeated, len(delivered[rank])) :]
        delivered[rank] += rows
        position[rank] = first + len(step.records)
        end[rank] = None if step.behind is None else position[rank] + step.behind
        merge.push(rank, columns_of(again + rows), position[rank] - 1, position[rank], 100)
        merge.set_end(rank, end[rank])
        assert merge.buffered_rows == sum(len(queue) for queue in twin.queues.values())


def push_ticks(merge: PartitionMerge, ticks: list[Tick]) -> None:
    for tick in ticks:
        merge.announce({TOPIC_RANKS[topic]: offset for topic, offset in tick.offsets.items()}, tick.at_ms)
    last = ticks[-1].offset
    merge.push(CLOCK_RANK, tick_columns(ticks), last, last + 1, 10)


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[int, list[Row]], list[Tick]]:
    """Topics whose rows may be late, and ticks that tell the truth: below the offset named stands all up to the tick."""
    topics = {}
    for rank in RANKS:
        found = draw(st.lists(times, max_size=15))
        topics[rank] = [Row(time, rank, 2 * i) for i, time in enumerate(found)]  # every other offset is a gap
    ticks = []
    for i, at_ms in enumerate(sorted(draw(st.sets(times, max_size=5)))):
        named = {NAMES[r]: max((row.offset + 1 for row in rows if row.time_ms <= at_ms), default=0) for r, rows in topics.items()}
        ticks.append(Tick(at_ms, named, kind="tick", offset=i, record_time_ms=0))
    return topics, ticks


def global_order(topics: dict[int, list[Row]], ticks: list[Tick]) -> list[Row]:
    """All rows at once, smallest head first, up to the last tick."""
    twin = MergeTwin({rank: deque(rows) for rank, rows in topics.items()})
    twin.queues[CLOCK_RANK] = deque(Row(tick.at_ms, CLOCK_RANK, tick.offset) for tick in ticks)
    return twin.take(10_000, lambda rank: rank != CLOCK_RANK)


@settings(max_examples=200, deadline=None)
@given(history=histories(), data=st.data())
def test_history_gives_one_order_however_it_is_cut(history: tuple[dict[int, list[Row]], list[Tick]], data: st.DataObject) -> None:
    topics, ticks = history
    merge = PartitionMerge(RANKS, history=True)
    unnamed = data.draw(st.sets(st.sampled_from(RANKS)))  # by ticks; such a topic is waited for to the broker's end
    for rank in unnamed:
        merge.set_end(rank, topics[rank][-1].offset + 1 if topics[rank] else 0)
    named = {NAMES[rank] for rank in set(RANKS) - unnamed}
    ticks = [replace(tick, offsets={name: at for name, at in tick.offsets.items() if name in named}) for tick in ticks]
    waiting: dict[int, list[Row] | list[Tick]] = {**topics, CLOCK_RANK: ticks}
    taken: list[Row] = []
    while any(waiting.values()):
        rank = data.draw(st.sampled_from([rank for rank, rest in waiting.items() if rest]))
        n = data.draw(st.integers(1, len(waiting[rank])))
        chunk, waiting[rank] = waiting[rank][:n], waiting[rank][n:]
        last = chunk[-1].offset
        if rank == CLOCK_RANK:
            push_ticks(merge, [tick for tick in chunk if isinstance(tick, Tick)])
        else:
            merge.push(rank, columns_of([row for row in chunk if isinstance(row, Row)]), last, last + 1, 10)
        if data.draw(st.booleans()):
            taken += rows_of(merge.take(data.draw(st.integers(1, 5)), to_tick=data.draw(st.booleans())))
    while (columns := merge.take(data.draw(st.integers(1, 50)), to_tick=(to_tick := data.draw(st.booleans())))) is not None:
        assert not to_tick or CLOCK_RANK not in columns.rank[:-1], "nothing is taken behind a tick"
        taken += rows_of(columns)
    assert taken == global_order(topics, ticks)


@st.composite
def histories_and_what_came_after(draw: st.DrawFn) -> tuple[dict[int, list[Row]], list[Tick], dict[int, list[Row]], Tick]:
    """A history with at least one tick, rows that were sent after its last one and may be dated within it, and the switch."""
    topics, ticks = draw(histories().filter(lambda history: bool(history[1])))
    named = ticks[-1].offsets
    before = {rank: [row for row in rows if row.offset < named[NAMES[rank]]] for rank, rows in topics.items()}
    after = {
        rank: [Row(time, rank, named[NAMES[rank]] + i) for i, time in enumerate(draw(st.lists(times, max_size=5)))]
        for rank in RANKS
    }
    switch = Tick(draw(st.integers(0, 20)), dict(named), kind="go_live", offset=len(ticks), record_time_ms=0)
    return before, ticks, after, switch


@settings(max_examples=200, deadline=None)
@given(found=histories_and_what_came_after(), data=st.data())
def test_the_switch_follows_on_the_last_tick_whatever_has_been_fetched_of_what_came_after(
    found: tuple[dict[int, list[Row]], list[Tick], dict[int, list[Row]], Tick], data: st.DataObject
) -> None:
    before, ticks, after, switch = found
    merge = PartitionMerge(RANKS, history=True)
    waiting: dict[int, list[Any]] = {rank: before[rank] + after[rank] for rank in RANKS} | {CLOCK_RANK: [*ticks, switch]}
    restarts = data.draw(st.booleans())
    taken: list[Row] = []
    while not (taken and taken[-1] == Row(0, CLOCK_RANK, switch.offset)):
        ready = [rank for rank, rest in waiting.items() if rest]
        if ready and data.draw(st.booleans()):
            rank = data.draw(st.sampled_from(ready))
            n = data.draw(st.integers(1, len(waiting[rank])))
            chunk, waiting[rank] = waiting[rank][:n], waiting[rank][n:]
            if rank == CLOCK_RANK:
                push_ticks(merge, chunk)
            else:
                merge.push(rank, columns_of(chunk), chunk[-1].offset, chunk[-1].offset + 1, 10)
        taken += rows_of(merge.take(data.draw(st.integers(1, 50))))
        if restarts and len(taken) > 3:  # the next owner knows the offsets, and no tick that was taken
            restarts, done = False, merge.done
            merge = PartitionMerge(RANKS, done, history=True)
            waiting = {rank: [row for row in before[rank] + after[rank] if row.offset > done[rank]] for rank in RANKS}
            waiting[CLOCK_RANK] = [tick for tick in [*ticks, switch] if tick.offset > done[CLOCK_RANK]]
    history = global_order(before, ticks)
    assert taken == [*history, Row(0, CLOCK_RANK, switch.offset)]


def test_a_row_sent_behind_what_a_tick_names_comes_after_it_however_early_it_is_dated() -> None:
    merge = PartitionMerge(RANKS, history=True)
    merge.push(0, columns_of([Row(3, 0, 0), Row(4, 0, 1)]), 1, 2, 10)
    named = {"purchases": 1, "complaints": 0, "logins": 0}
    push_ticks(merge, [Tick(9, named, "tick", 0, 0)])
    assert rows_of(merge.take(10)) == [Row(3, 0, 0), Row(9, CLOCK_RANK, 0)]
    assert merge.take(10) is None
    push_ticks(merge, [Tick(10, named, "tick", 1, 0)])
    assert rows_of(merge.take(10)) == [Row(10, CLOCK_RANK, 1)], "it has not been named yet"
    push_ticks(merge, [Tick(11, named | {"purchases": 2}, "tick", 2, 0)])
    assert rows_of(merge.take(10)) == [Row(4, 0, 1), Row(11, CLOCK_RANK, 2)]


@settings(max_examples=200, deadline=None)
@given(chunks=st.lists(st.lists(st.none() | times, min_size=1, max_size=6), min_size=1, max_size=8), cut=st.integers(1, 7))
def test_done_is_the_offset_before_the_first_row_that_still_waits(chunks: list[list[int | None]], cut: int) -> None:
    merge = PartitionMerge([0], done={0: 9})
    rows: list[Row] = []
    offset = 10
    for chunk in chunks:
        found = [Row(time, 0, offset + i) for i, time in enumerate(chunk) if time is not None]
        offset += len(chunk)
        merge.push(0, columns_of(found), offset - 1, offset, 1000)
        rows += found
    merge.set_end(0, offset)
    while rows:
        assert merge.done == {0: rows[0].offset - 1}
        assert merge.buffered_bytes > 0
        taken = rows_of(merge.take(cut))
        assert taken == rows[:cut]  # one topic alone keeps its own order
        rows = rows[cut:]
    assert merge.done == {0: offset - 1}
    assert merge.buffered_bytes == 0
    assert merge.take(cut) is None


def filled(rank: int, rows: int, nbytes: int, merge: PartitionMerge) -> None:
    merge.push(rank, columns_of([Row(i, rank, i) for i in range(rows)]), rows - 1, rows, nbytes)


def test_a_topic_that_runs_ahead_is_held_back_and_an_empty_one_never_is() -> None:
    merge = PartitionMerge(RANKS)
    filled(0, 100, 5_000, merge)
    filled(1, 10, 100, merge)
    assert merge.held_back(limit_bytes=40_000) == set(), "an eighth is no more than what a topic may be ahead"
    assert merge.held_back(limit_bytes=39_000) == {0}
    assert merge.held_back(limit_bytes=30) == {0, 1}
    assert merge.ready_rows == 0
    assert merge.take(10) is None, "logins are waited for"


def test_rows_that_may_be_taken_have_the_whole_room() -> None:
    merge = PartitionMerge(RANKS)
    for rank in RANKS:
        filled(rank, 100, 5_000, merge)
    assert merge.ready_rows == 300
    assert merge.held_back(limit_bytes=16_000) == set()
    assert merge.held_back(limit_bytes=14_000) == set(RANKS)


def test_what_is_coming_is_what_the_broker_has_beyond_what_was_pushed() -> None:
    merge = PartitionMerge(RANKS)
    filled(0, 3, 30, merge)
    assert merge.coming() == 0, "nobody has said"
    for rank, end in ((0, 10), (1, 4), (2, 0)):
        merge.set_end(rank, end)
    assert merge.coming() == 7 + 4
    assert merge.coming(without={0}) == 4


@settings(max_examples=200, deadline=None)
@given(lengths=st.lists(st.integers(0, 60), min_size=3, max_size=3), limit=st.integers(1, 300), data=st.data())
def test_holding_back_never_stops_the_merge_and_bounds_memory(lengths: list[int], limit: int, data: st.DataObject) -> None:
    topics = {rank: [Row(data.draw(times), rank, i) for i in range(n)] for rank, n in zip(RANKS, lengths, strict=True)}
    merge, fetched, fetch_rows, total = PartitionMerge(RANKS), dict.fromkeys(RANKS, 0), 5, 0
    for rank in RANKS:
        merge.set_end(rank, lengths[rank])
    for _round in range(sum(lengths) + 1):
        for rank in set(RANKS) - merge.held_back(limit):
            chunk = topics[rank][fetched[rank] : fetched[rank] + fetch_rows]
            if chunk:
                fetched[rank] += len(chunk)
                merge.push(rank, columns_of(chunk), fetched[rank] - 1, fetched[rank], 10 * len(chunk))
        assert merge.buffered_bytes <= limit + 3 * 10 * fetch_rows
        columns = merge.take(1_000)
        total += 0 if columns is None else len(columns)
    assert total == sum(lengths)


def test_a_position_beyond_a_transaction_marker_counts_as_caught_up() -> None:
    merge = PartitionMerge([0, 1])
    filled(0, 3, 30, merge)
    for rank in (0, 1):
        merge.set_end(rank, 4)
    assert merge.take(10) is None, "complaints are behind"
    merge.set_position(1, 4)
    assert len(rows_of(merge.take(10))) == 3


def test_nothing_is_taken_before_the_broker_has_said_where_a_topic_ends() -> None:
    merge = PartitionMerge([0, 1])
    filled(0, 3, 30, merge)
    assert merge.take(10) is None
    merge.set_end(1, 0)
    assert len(rows_of(merge.take(10))) == 3, "complaints are empty; purchases bound themselves"


def test_an_empty_topic_short_of_the_offset_a_tick_names_is_waited_for() -> None:
    merge = PartitionMerge(RANKS, history=True)
    filled(0, 3, 30, merge)
    for rank in (1, 2):
        merge.set_end(rank, 0)
    push_ticks(merge, [Tick(50, {"purchases": 3, "logins": 1}, kind="tick", offset=0, record_time_ms=0)])
    assert merge.take(10) is None
    merge.push(2, empty_columns(0), 0, 1, 10)  # the login was a dead letter
    assert rows_of(merge.take(10)) == [Row(0, 0, 0), Row(1, 0, 1), Row(2, 0, 2), Row(50, CLOCK_RANK, 0)]
    assert merge.done == {0: 2, 1: -1, 2: 0, CLOCK_RANK: 0}


def test_a_live_merge_refuses_the_clock_and_a_take_of_nothing() -> None:
    with pytest.raises(ValueError, match="history mode only"):
        PartitionMerge([0, CLOCK_RANK])
    with pytest.raises(ValueError, match="max_rows: 0"):
        PartitionMerge([0]).take(0)
    with pytest.raises(KeyError):
        PartitionMerge([0]).push(CLOCK_RANK, empty_columns(0), 0, 1, 0)


def test_many_small_chunks_are_joined_and_give_the_order_of_one_large_chunk() -> None:
    rng = np.random.default_rng(7)
    late = rng.integers(0, 2_000, 20_000) + np.arange(20_000)
    small, large = PartitionMerge([0]), PartitionMerge([0])
    rows = [Row(int(time), 0, i) for i, time in enumerate(late)]
    for row in rows:
        small.push(0, columns_of([row]), row.offset, row.offset + 1, 1)
    large.push(0, columns_of(rows), 19_999, 20_000, 20_000)
    for merge in (small, large):
        merge.set_end(0, 20_000)
    assert rows_of(small.take(12_345)) == rows_of(large.take(12_345)) == rows[:12_345]
    assert rows_of(small.take(12_345)) == rows_of(large.take(12_345)) == rows[12_345:]
