"""Erasing: the engine against its twin, any cutting against any other, small memory and small commits against none of either."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.alert import Alert
from streams.columns import Columns
from streams.commands import Erase
from streams.customer import new_records, read_records
from streams.engine import EngineRules, advance
from streams.erasure import without
from streams.runtime.committer import Work
from streams.state import PartitionState
from streams.table import CustomerTable
from streams.tombstones import Tombstones
from tests.oracle.engine_twin import EngineTwin
from tests.oracle.rfm_twin import EventTwin
from tests.property.test_committer import committed, same
from tests.support.engine_rules import any_rules, engine_rules, served, twin_of
from tests.support.examples import examples
from tests.support.outcomes import Outcome
from tests.support.same_as_twin import assert_same_records, assert_same_state
from tests.support.streams_of_rows import DAY_MS, START_MS, as_columns, cuts, rows

KEY = b"a secret of the tests"


class Order(NamedTuple):
    """An erasure that is carried out before the row at this place."""

    place: int
    customer: str
    at_ms: int


class Life(NamedTuple):
    rows: list[EventTwin]
    orders: list[Order]


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Rows, and erasures of some who are in them and of one who is not, dated at, between and after the rows."""
    events = draw(rows(max_rows=40))
    times = sorted({event.time_ms for event in events})
    which = st.one_of(st.integers(0, 60), st.sampled_from([-1, -2, -3]))
    at_ms = st.builds(lambda at, by: times[at % len(times)] + by, which, st.sampled_from([-1, 0, 0, 1, DAY_MS]))
    place = st.one_of(st.integers(0, len(events)), st.integers(0, len(events) // 2))
    order = st.builds(Order, place, st.sampled_from(["c0", "c0", "c1", "c2", "nobody"]), at_ms)
    return Life(events, sorted(draw(st.lists(order, max_size=5)), key=lambda one: one.place))


def pieces(life: Life, batches: list[slice]) -> list[Columns | Order]:
    """What comes one after the other: batches, cut at the orders too, and the orders."""
    whole = as_columns(life.rows)
    edges = sorted({0, len(life.rows), *(part.stop for part in batches), *(order.place for order in life.orders)})
    found: list[Columns | Order] = []
    for start, stop in zip([0, *edges], [*edges, len(life.rows)], strict=True):
        found.append(whole.take(slice(start, stop)))
        if start != stop or stop == 0:
            found += [order for order in life.orders if order.place == stop]
    return found


def test_every_order_comes_once_in_its_place() -> None:
    life = Life([EventTwin("login", START_MS + k, "c0", 0, 0, k) for k in range(3)], [Order(0, "c0", 1), Order(3, "c1", 2)])
    found = [one if isinstance(one, Order) else one.time_ms.tolist() for one in pieces(life, [slice(0, 2), slice(2, 3)])]
    assert [one for one in found if one] == [Order(0, "c0", 1), [START_MS, START_MS + 1], [START_MS + 2], Order(3, "c1", 2)]


def run(life: Life, batches: list[slice], rules: EngineRules, table: CustomerTable | None = None) -> Outcome:
    """All of it; of one who is erased the messages before are gone, as when they have not left yet."""
    table = CustomerTable() if table is None else table  # an empty one is falsy
    outcome, tombstones = Outcome(), Tombstones(KEY, {})
    for one in pieces(life, batches):
        if isinstance(one, Order):
            outcome.take_over(table, without(table, [one.customer]))
            outcome.alerts = [alert for alert in outcome.alerts if told_of(alert) != one.customer]
            digest = tombstones.digest(one.customer)
            tombstones.bury({digest: max(one.at_ms, tombstones.time_ms(one.customer) or 0)})
        else:
            batch = tombstones.kept(one, table.row_of).batch
            outcome.take_over(table, advance(table, batch, 0, rules, served(rules)))
    return outcome


def told_of(alert: bytes) -> str:
    return msgspec.json.decode(alert, type=Alert).customer_id


def told(life: Life, rules: EngineRules) -> EngineTwin:
    """The twin after all of it, row by row."""
    twin = twin_of(rules)
    for place in range(len(life.rows) + 1):
        for order in life.orders:
            if order.place == place:
                twin.erase(order.customer, order.at_ms)
        if place < len(life.rows):
            twin.row(life.rows[place])
    return twin


def erased_in_the_middle() -> Life:
    """Who is erased between two alerts returns, and is told of again; what is dated before the erasure comes again as well."""
    buys = [EventTwin("purchase", START_MS + d * DAY_MS, c, 100, 0, 2 * d + (c == "c1")) for d in (0, 9, 20, 400, 409, 420, 900)
            for c in ("c0", "c1")]  # fmt: skip
    again = [*buys[:8], *buys[:4], *buys[8:]]
    return Life(again, [Order(8, "c0", START_MS + 410 * DAY_MS)])


@given(lives(), any_rules(), st.data())
@example(erased_in_the_middle(), engine_rules(), None)
@examples(40)
def test_erasing_is_as_if_the_customer_had_never_been(life, rules, data):
    batches = [slice(0, len(life.rows))] if data is None else data.draw(cuts(len(life.rows)))
    table = CustomerTable()
    outcome, twin = run(life, batches, rules, table), told(life, rules)
    assert set(outcome.records) == set(table.row_of) == set(twin.customers)
    assert_same_records(list(outcome.records), read_records(list(outcome.records.values())), twin)
    assert_same_state(PartitionState.from_bytes(outcome.state), twin)
    last = {order.customer: order.place for order in life.orders}
    sent = Counter(one.customer for one in twin.sent() if one.customer not in last)
    assert Counter(of for alert in outcome.alerts if (of := told_of(alert)) not in last) == sent


@given(lives(), any_rules(), st.data())
@examples(25)
def test_any_cutting_around_the_orders_gives_the_same_bytes(life, rules, data):
    assert run(life, data.draw(cuts(len(life.rows))), rules) == run(life, [slice(0, len(life.rows))], rules)


@pytest.mark.parametrize("cached", [3, 10_000])
@given(lives(), any_rules(), st.integers(1, 3), st.data())
@examples(20)
def test_small_commits_and_a_small_memory_give_the_same_bytes(cached, life, rules, max_rows, data):
    parts = pieces(life, data.draw(cuts(len(life.rows))))
    works: list[Work | Erase] = [
        Erase("e", one.customer, one.at_ms, at) if isinstance(one, Order) else Work(one, 0, {0: at}, sweep=True)
        for at, one in enumerate(parts)
    ]
    found, _ = asyncio.run(committed(works, rules, max_rows, cached))
    assert same(found, run(life, [slice(0, len(life.rows))], rules))


def test_the_drawn_lives_reach_what_they_are_for():
    """A property proves nothing about what is never drawn."""
    seen: Counter[str] = Counter()

    @given(lives(), any_rules())
    @examples(60)
    def collect(life, rules):
        twin = told(life, rules)
        returned = {order.customer for order in life.orders} & set(twin.customers)
        alerted = {one.customer for one in twin.sent()} & {order.customer for order in life.orders}
        seen.update(dropped=twin.dropped, returned=len(returned), alerted=len(alerted), erased=len(life.orders))

    collect()
    assert min(seen["dropped"], seen["erased"]) > 50
    assert min(seen["returned"], seen["alerted"]) >= 8


def test_a_row_that_is_free_again_holds_nothing_of_whom_it_held():
    table = CustomerTable()
    rules, bought = engine_rules(), as_columns([EventTwin("purchase", START_MS, "c0", 100, 0, 5)])
    table.apply(advance(table, bought, 0, rules, served(rules)))
    row = table.row_of["c0"]
    table.apply(without(table, ["c0"]))
    assert table.records[row : row + 1].tobytes() == new_records(1).tobytes()
    assert (table.ids[row], len(table), table.due.due(2**32 - 2).tolist()) == ("", 0, [])
