"""The bounded table: holds what was put last, forgets the least recently used, and never mixes customers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streams.customer import NEVER_S, new_records
from streams.outcomes import customer_hashes
from streams.table import CustomerTable
from streams.working_rows import hashes
from tests.support.examples import examples

IDS = [f"c{k}" for k in range(30)]


def records_of(purchases: list[int], due_s: list[int]):
    rows = new_records(len(purchases))
    rows["purchases"], rows["due_s"] = purchases, due_s
    return rows


class TableMachine(RuleBasedStateMachine):
    """Against a dict of (purchases, due) in order of use."""

    @initialize(capacity=st.one_of(st.none(), st.integers(1, 12)))
    def start(self, capacity):
        self.table = CustomerTable(capacity=capacity)
        self.held: dict[str, tuple[int, int]] = {}
        self.last_put: dict[str, int] = {}
        self.puts = 0

    @rule(
        ids=st.lists(st.sampled_from(IDS), unique=True, max_size=12),
        purchases=st.integers(0, 99),
        due=st.one_of(st.integers(0, 40), st.just(NEVER_S)),
    )
    def put(self, ids, purchases, due):
        values = [(purchases + k, min(due + k, NEVER_S)) for k in range(len(ids))]
        self.table.put(ids, records_of([p for p, _ in values], [d for _, d in values]))
        self.held |= dict(zip(ids, values, strict=True))
        self.puts += 1
        self.last_put |= dict.fromkeys(ids, self.puts)

    @rule()
    def forget(self):
        before = set(self.table.row_of)
        gone = self.table.forget_unused()
        left = set(self.table.row_of)
        dropped = before - left
        assert len(dropped) == gone
        limit = self.table.capacity
        assert left == before if limit is None or len(before) <= limit * 5 // 4 else len(left) == limit
        newest_gone = max((self.last_put[c] for c in dropped), default=0)
        assert all(self.last_put[c] >= newest_gone for c in left)
        for customer in dropped:
            del self.held[customer]

    @rule(until_s=st.integers(0, 60))
    def ask_who_is_due(self, until_s):
        due = self.table.ids_at(self.table.due.due(until_s))
        assert sorted(due) == sorted(c for c, (_, due_s) in self.held.items() if due_s <= until_s)

    @invariant()
    def everyone_has_their_own_row(self):
        rows = self.table.rows(IDS)
        assert hashes(self.table, IDS, rows).tolist() == customer_hashes(IDS).tolist()
        assert {c for c, row in zip(IDS, rows.tolist(), strict=True) if row >= 0} == set(self.held)
        assert len(self.table) == len(self.held)
        for customer, row in zip(IDS, rows.tolist(), strict=True):
            if row >= 0:
                assert self.table.ids[row] == customer
                record = self.table.records[row]
                assert (record["purchases"], record["due_s"]) == self.held[customer]


TestTable = TableMachine.TestCase
TestTable.settings = examples(60)


def test_a_table_grows_past_its_first_rows_and_keeps_them():
    table, ids = CustomerTable(), [f"c{k}" for k in range(5_000)]
    for start in range(0, 5_000, 900):
        some = ids[start : start + 900]
        table.put(some, records_of(list(range(start, start + len(some))), [start + 1] * len(some)))
    assert table.records[table.rows(ids)]["purchases"].tolist() == list(range(5_000))
    assert len(table.due.due(NEVER_S - 1)) == 5_000
    assert table.ids_at(table.due.due(1)) == ids[:900]
    assert hashes(table, ids, table.rows(ids)).tolist() == customer_hashes(ids).tolist()


def test_places_of_the_forgotten_are_used_again():
    table = CustomerTable(capacity=100)
    for k in range(50):
        table.put([f"c{k}-{n}" for n in range(100)], records_of([k] * 100, [NEVER_S] * 100))
        table.forget_unused()
    assert len(table) == 100
    assert table.end <= 200
    assert set(table.records[list(table.row_of.values())]["purchases"].tolist()) == {49}


def test_a_table_that_may_keep_nothing_is_refused():
    with pytest.raises(ValueError, match="capacity 0"):
        CustomerTable(capacity=0)


@pytest.mark.parametrize("customer", ["", "nobody"])
def test_who_is_not_held_has_no_row(customer):
    table = CustomerTable()
    table.put(["a"], new_records(1))
    assert table.rows([customer]).tolist() == [-1]
    assert np.array_equal(table.rows([]), np.empty(0, np.intp))
