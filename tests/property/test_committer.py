"""However few customers a commit may hold, what is committed in the end is what one sweep over all of them gives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from streams.columns import DAY_MS, PURCHASE, Columns, empty_columns
from streams.commands import Erase
from streams.contract import EventRules
from streams.engine import EngineRules, advance
from streams.runtime.backoff import Backoff
from streams.runtime.commits import unpack_state
from streams.runtime.committer import Committer, Work
from streams.runtime.graveyard import Graveyard
from streams.runtime.metrics import Metrics
from streams.runtime.mode import Mode
from streams.runtime.sender import Sender
from streams.runtime.settings import Settings, load_settings
from streams.runtime.shop import Shop
from streams.runtime.topics import ALERTS
from streams.table import CustomerTable
from tests.oracle.rfm_twin import EventTwin
from tests.support.engine_rules import any_rules, engine_rules, served
from tests.support.examples import examples
from tests.support.memory_store import MemoryStore
from tests.support.outcomes import Outcome, run, sliced
from tests.support.streams_of_rows import as_columns, cuts, rows


def settings(max_rows: int, cached: int) -> Settings:
    return load_settings(
        f"engine:\n  max_rows: {max_rows}\n  cached_customers: {cached}\ntime:\n  clock: history\n"
        "erasure:\n  key: a secret of the tests\n", {},
    )  # fmt: skip


def shop(store: MemoryStore, rules: EngineRules, max_rows: int, cached: int = 3) -> Shop:
    chosen = settings(max_rows, cached)
    return Shop(
        settings=chosen,
        rules=rules,
        events=EventRules("USD", {"USD": 1.0}, None),
        store=store,
        sender=Sender(chosen.kafka, Backoff()),  # nothing is sent: there is no dead letter, and nobody runs the publisher
        metrics=Metrics(CollectorRegistry()),
        model=lambda _: served(rules),
        now_ms=lambda: 0,
        room=lambda: 1 << 20,
        ends=lambda _: {},
        fetched=lambda _: {},
        backoff=Backoff(),
    )


class Unread(MemoryStore):
    """A store that was empty when its owner came: with room for every customer nobody need read it."""

    async def load(self, partition: int, ids: Sequence[str]) -> list[bytes | None]:
        raise AssertionError(f"asked for {ids} of {partition}")

    async def due(self, partition: int, until_s: int, limit: int) -> list[str]:
        raise AssertionError(f"asked who of {partition} is due by {until_s}, {limit} at most")


async def committed(works: list[Work | Erase], rules: EngineRules, max_rows: int, cached: int = 3) -> tuple[Outcome, int]:
    """What is in the store after these, and in how many commits it came."""
    store = MemoryStore() if cached == 3 else Unread()
    meta = await store.take_epoch(0, 1, 1, "me")
    parts = shop(store, rules, max_rows, cached)
    committer = Committer(0, meta, parts, Graveyard(parts.sender, "dead"), None, Mode())
    for work in works:
        await (committer.erase([work]) if isinstance(work, Erase) else committer.advance(work))
    meta = await store.read_meta(0)
    outcome = Outcome()
    outcome.records = {customer: record async for customer, record in store.scan_records(0)}
    outcome.state = b"" if meta.state is None else unpack_state(meta.state).engine
    outcome.alerts = [entry.value for entry in await store.outbox_read(0, 0, 1_000_000) if entry.topic == ALERTS]
    return outcome, meta.seq


def same(first: Outcome, second: Outcome) -> bool:
    return (first.records, first.state, sorted(first.alerts)) == (second.records, second.state, sorted(second.alerts))


@pytest.mark.parametrize("cached", [3, 10_000])
@given(rows(max_rows=40), any_rules(), st.integers(1, 3), st.data())
@examples(40)
def test_small_commits_of_a_history_give_the_same_bytes(
    cached: int, events: list[EventTwin], rules: EngineRules, max_rows: int, data: Any
) -> None:
    batches = sliced(events, data.draw(cuts(len(events))))
    works = [Work(batch, 0, {0: k}, sweep=True) for k, batch in enumerate(batches)]
    found, _ = asyncio.run(committed(works, rules, max_rows, cached))
    assert same(found, run([as_columns(events)], rules))


def many_customers(n: int) -> Columns:
    """Each buys every day for a week, the last time at one and the same second."""
    columns = empty_columns(7 * n)
    who = np.array([f"c{k:04}" for k in range(n)], object)
    columns.customer[:] = np.tile(who, 7)
    columns.time_ms[:] = np.repeat(1_700_000_000_000 + DAY_MS * np.arange(7), n)
    columns.kind[:] = PURCHASE
    columns.amount_minor[:] = 1_000
    columns.id_hash[:] = np.arange(1, 7 * n + 1)
    return columns


@pytest.mark.parametrize("cached", [3, 10_000])
def test_customers_who_come_due_in_one_second_are_looked_at_in_several_commits(cached: int) -> None:
    rules, batch = engine_rules(), many_customers(200)
    now_ms = int(batch.time_ms.max()) + 400 * DAY_MS
    works = [Work(batch, 0, {0: 1}, sweep=True), Work(empty_columns(0), now_ms, {0: 1}, sweep=True)]
    found, commits = asyncio.run(committed(works, rules, 50, cached))
    assert same(found, run([batch, empty_columns(0)], rules, now_ms))
    assert commits > 200 // 50


@pytest.mark.parametrize("cached", [3, 10_000])
def test_arrears_after_a_hold_come_in_slices_and_all_of_them(cached: int) -> None:
    """While the clock was held, others' events moved the watermark far beyond the time at which the silent were due."""
    rules, batch = engine_rules(), many_customers(1_000)
    late = many_customers(1).take(slice(0, 1))
    late.customer[:], late.id_hash[:] = "late", 10**9
    late.time_ms[:] = int(batch.time_ms.max()) + 400 * DAY_MS
    held = [Work(batch, 0, {0: 1}, sweep=False), Work(late, 0, {0: 2}, sweep=False)]
    works = [*held, Work(empty_columns(0), 0, {0: 2}, sweep=True)]
    found, commits = asyncio.run(committed(works, rules, 50, cached))
    assert commits - len(held) >= 1_000 // 50
    table, expected = CustomerTable(), Outcome()
    for events, sweep in ((batch, False), (late, False), (empty_columns(0), True)):
        expected.take_over(table, advance(table, events, 0, rules, served(rules), sweep=sweep))
    assert same(found, expected)
    assert len(expected.alerts) >= 1_000
