"""What a step computes depends on the merged rows alone: not on batches, neighbours, or what the table happens to hold."""

from __future__ import annotations

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from streams.columns import Columns
from streams.customer import read_records, row_bytes
from streams.engine import EngineRules, advance
from streams.state import PartitionState
from streams.table import CustomerTable
from streams.watermark import running
from tests.oracle.rfm_twin import EventTwin
from tests.support.engine_rules import any_rules, served
from tests.support.examples import examples
from tests.support.outcomes import Outcome, run, sliced
from tests.support.streams_of_rows import DAY_MS, as_columns, cuts, rows


@st.composite
def cut_rows(draw: st.DrawFn) -> tuple[list[EventTwin], list[slice], int]:
    """Rows, a cutting, and by how much the clock is ahead in the end, ms."""
    events = draw(rows())
    return events, draw(cuts(len(events))), draw(st.sampled_from([0, 1, 90 * DAY_MS]))


@given(cut_rows(), any_rules())
@examples(40)
def test_any_cutting_gives_the_same_bytes(drawn, rules):
    events, batches, ahead_ms = drawn
    now_ms = max(event.time_ms for event in events) + ahead_ms if ahead_ms else 0
    assert run(sliced(events, batches), rules, now_ms) == run([as_columns(events)], rules, now_ms)


@given(rows(max_rows=30), any_rules())
@examples(25)
def test_one_row_at_a_time_gives_the_same_bytes(events, rules):
    assert run(sliced(events, [slice(k, k + 1) for k in range(len(events))]), rules) == run([as_columns(events)], rules)


@given(cut_rows(), cut_rows(), any_rules())
@examples(25)
def test_any_cutting_gives_the_same_bytes_while_silence_is_held_and_after(held, swept, rules):
    pieces = run(sliced(*swept[:2]), rules, held=sliced(*held[:2]))
    whole = run([as_columns(swept[0])], rules, held=[as_columns(held[0])])
    assert pieces == whole


@given(rows(max_rows=30), any_rules(), st.data())
@examples(20)
def test_state_and_rows_read_back_from_their_bytes_go_on_alike(events, rules, data):
    """A crash between any two commits: a new table is filled from what was stored."""
    middle = data.draw(st.integers(0, len(events)))
    first, second = sliced(events, [slice(0, middle), slice(middle, len(events))])
    stored = run([first], rules)
    table = CustomerTable(PartitionState.from_bytes(stored.state) if stored.state else None)
    if stored.records:
        table.put(list(stored.records), read_records(list(stored.records.values())))
    resumed = run([second], rules, table=table)
    whole = run([first, second], rules)
    assert {name: row for name, row in (stored.records | resumed.records).items() if name not in resumed.gone} == whole.records
    assert resumed.state == whole.state
    assert stored.alerts + resumed.alerts == whole.alerts


@given(st.lists(rows(max_rows=25), min_size=2, max_size=3), any_rules(), st.randoms(use_true_random=False))
@examples(20)
def test_partitions_interleaved_in_any_order_are_each_as_if_alone(partitions, rules, random):
    """Each partition has its own table; rules and model are shared, so nothing may leak through them."""
    tables, outcomes = [CustomerTable() for _ in partitions], [Outcome() for _ in partitions]
    turns = [(p, row) for p, events in enumerate(partitions) for row in range(len(events))]
    order = sorted(range(len(turns)), key=lambda _: random.random())
    ready = {p: iter(sliced(events, [slice(k, k + 1) for k in range(len(events))])) for p, events in enumerate(partitions)}
    for turn in order:  # partitions in any order, the rows of each in theirs
        partition = turns[turn][0]
        step = advance(tables[partition], next(ready[partition]), 0, rules, served(rules))
        outcomes[partition].take_over(tables[partition], step)
    assert outcomes == [run([as_columns(events)], rules) for events in partitions]


class Store:
    """Stands where Redis does for a bounded table: rows by customer, and who is due."""

    def __init__(self, table: CustomerTable) -> None:
        self.table, self.rows, self.read = table, dict[str, bytes](), 0

    def prepare(self, batch: Columns, rules: EngineRules, now_ms: int) -> None:
        """Put what `advance` needs: the batch's customers, and those due by the watermark at which it ends."""
        _, after = running(self.table.state.watermark_ms, batch.kind, batch.time_ms, rules.lateness_ms)
        until_ms = max(now_ms, self.table.state.watermark_ms, *after.tolist())
        due = [customer for customer, row in self.rows.items() if int(read_records([row])["due_s"][0]) * 1000 <= until_ms]
        wanted = [customer for customer in dict.fromkeys([*batch.customer.tolist(), *due]) if customer in self.rows]
        missing = [customer for customer in wanted if customer not in self.table.row_of]
        if missing:
            self.read += len(missing)
            self.table.put(missing, read_records([self.rows[customer] for customer in missing]))


@given(rows(max_rows=50, customers=9), any_rules(), st.integers(1, 4), st.data())
@examples(25)
def test_a_bounded_table_computes_what_an_unbounded_one_does(events, rules, capacity, data):
    batches = sliced(events, data.draw(cuts(len(events))))
    table, outcome = CustomerTable(capacity=capacity), Outcome()
    store = Store(table)
    for k, batch in enumerate(batches):
        now_ms = max(event.time_ms for event in events) + DAY_MS if k == len(batches) - 1 else 0
        store.prepare(batch, rules, now_ms)
        step = advance(table, batch, now_ms, rules, served(rules))
        table.apply(step)
        store.rows |= dict(zip(step.ids, row_bytes(step.records), strict=True))
        store.rows = {customer: row for customer, row in store.rows.items() if customer not in step.gone}
        outcome.add(step)
        table.forget_unused()
        assert len(table) <= capacity * 5 // 4
    assert outcome == run(batches, rules, now_ms)


def frozen(table: CustomerTable) -> tuple[object, ...]:
    return table.records.tobytes(), table.state.to_bytes(), list(table.ids), dict(table.row_of)


@given(cut_rows(), any_rules(), st.booleans())
@examples(20)
def test_advance_reads_the_table_and_batch_and_changes_neither(drawn, rules, sweep):
    events, batches, ahead_ms = drawn
    table = CustomerTable()
    for batch in sliced(events, batches):
        now_ms = table.state.watermark_ms + ahead_ms // 10
        before, sent = frozen(table), values(batch)
        step = advance(table, batch, now_ms, rules, served(rules), sweep=sweep)
        again = advance(table, batch, now_ms, rules, served(rules), sweep=sweep)
        assert frozen(table) == before
        assert values(batch) == sent
        first, second = Outcome(), Outcome()
        first.add(step)
        second.add(again)
        assert first == second
        table.apply(step)


def values(batch: Columns) -> list[list[object]]:
    return [getattr(batch, column.name).tolist() for column in fields(batch)]
