"""What a commit folded is found again by its offsets alone, in the same order, however chunks came and takes were cut."""

from __future__ import annotations

import json
from typing import Any

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.columns import GO_LIVE, TOPIC_RANKS
from streams.contract import EventRules
from streams.events import decode_chunk
from streams.merge import PartitionMerge
from streams.runtime.history_clock import HistoryClock
from streams.runtime.intake import Chunk
from streams.runtime.topics import CLOCK, INPUTS
from tests.oracle.journal_rows import JournalRows
from tests.support.examples import examples
from tests.support.records import FakeRecord

BEGAN_MS = 1_700_000_000_000
RULES = EventRules("USD", {}, None)
NAME = {rank: name for name, rank in TOPIC_RANKS.items()}

Records = dict[str, list[FakeRecord]]


def record(topic: str, offset: int, value: dict[str, Any] | None, key: str) -> FakeRecord:
    data = b"rubbish" if value is None else json.dumps(value).encode()
    return FakeRecord(topic, 3, offset, BEGAN_MS, 1, key.encode(), data)


@st.composite
def topics(draw: st.DrawFn, *, ticks: bool) -> Records:
    """Events in and out of order, equal instants, rubbish; a tick names all that stands there when it is written."""
    found: Records = {name: [] for name in (*INPUTS, CLOCK)}
    places = st.sampled_from([*INPUTS, "rubbish", *(["tick"] if ticks else [])])
    tick_ms = 0
    for what, at in draw(st.lists(st.tuples(places, st.integers(0, 12)), max_size=40)):
        if what == "tick":
            tick_ms = max(tick_ms, at)
            offsets = {name: len(found[name]) for name in INPUTS}
            message = {"type": "tick", "at_ms": BEGAN_MS + tick_ms, "offsets": offsets}
            found[CLOCK].append(record(CLOCK, len(found[CLOCK]), message, "3"))
        else:
            topic = "logins" if what == "rubbish" else what
            offset = len(found[topic])
            event = {
                "event_id": f"{topic}{offset}",
                "customer_id": "c",
                "occurred_at": BEGAN_MS + at,
                "amount": 1,
                "currency": "USD",
            }
            found[topic].append(record(topic, offset, None if what == "rubbish" else event, "c"))
    return found


class Reading:
    """A partition's merge, fed a piece at a time as a consumer is."""

    def __init__(self, records: Records, *, history: bool) -> None:
        self.records, self.history = records, history
        self.merge = PartitionMerge([TOPIC_RANKS[name] for name in INPUTS], history=history)
        self.clock = HistoryClock(self.merge)
        self.next = dict.fromkeys(records, 0)
        for name in INPUTS:
            self.merge.set_end(TOPIC_RANKS[name], len(records[name]))

    def fetch(self, topic: str, count: int) -> None:
        """Some more of a topic; nothing where it has been read."""
        part = self.records[topic][self.next[topic] :][:count]
        if not part:
            return
        self.next[topic] += len(part)
        if topic == CLOCK:
            self.clock.receive(Chunk(TP(topic, 3), part, 1, 0, 1), 0)
            return
        columns = decode_chunk(topic, part, RULES, 0).columns  # type: ignore[arg-type] # one of INPUTS
        self.merge.push(TOPIC_RANKS[topic], columns, part[-1].offset, part[-1].offset + 1, 0)

    def offsets(self) -> dict[str, int]:
        """As a commit writes them."""
        return {NAME[rank]: offset for rank, offset in self.merge.done.items() if offset >= 0}


def assert_found_again(records: Records, history: bool, data: st.DataObject) -> int:
    """Every take of a reading that is cut as drawn; returns how many rows there were."""
    reading, rows = Reading(records, history=history), JournalRows(records, RULES)
    sources = [*INPUTS, CLOCK] if history else list(INPUTS)
    before: dict[str, int] = {}
    found = 0
    steps = data.draw(st.lists(st.tuples(st.sampled_from(sources), st.integers(1, 9), st.integers(1, 15)), max_size=30))
    rest = [(name, 1_000, 3) for name in sources] + [(CLOCK if history else "logins", 1_000, 1_000)]
    for topic, count, max_rows in steps + rest:
        reading.fetch(topic, count)
        while (batch := reading.merge.take(max_rows)) is not None:
            after = reading.offsets()
            again = rows.between(before, after, history=history)
            assert GO_LIVE not in batch.kind
            assert list(zip(again.rank, again.offset, again.time_ms, strict=True)) == list(
                zip(batch.rank, batch.offset, batch.time_ms, strict=True)
            )
            cut = data.draw(st.integers(0, len(batch)))  # a commit of several: what it took last of each topic, as the committer
            part = batch.take(slice(0, cut))
            middle = before | {NAME[int(r)]: int(part.offset[part.rank == r].max()) for r in set(part.rank.tolist())}
            first = rows.between(before, middle, history=history)
            second = rows.between(middle, after, history=history)
            assert [*first.offset, *second.offset] == batch.offset.tolist()
            before, found = after, found + len(batch)
    return found


@given(topics(ticks=False), st.data())
@examples(100)
def test_rows_of_a_live_partition_are_found_again(records: Records, data: st.DataObject) -> None:
    good = sum(record.value != b"rubbish" for name in INPUTS for record in records[name])
    assert assert_found_again(records, history=False, data=data) == good


@given(topics(ticks=True), st.data())
@examples(100)
def test_rows_of_a_history_are_found_again(records: Records, data: st.DataObject) -> None:
    assert_found_again(records, history=True, data=data)
