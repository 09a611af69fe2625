"""Nothing of an erased customer waits for an outcome, by whichever rules it was taken down; nor of one who is forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streams.columns import DAY_MS, empty_columns
from streams.commands import Erase
from streams.engine import EngineRules
from streams.outcomes import OutcomeRules
from streams.runtime.committer import Committer, Work
from streams.runtime.graveyard import Graveyard
from streams.runtime.mode import Mode
from tests.oracle.rfm_twin import EventTwin
from tests.property.test_committer import shop
from tests.support.engine_rules import DEFAULT_LOOKS, engine_rules
from tests.support.examples import examples
from tests.support.memory_store import MemoryStore
from tests.support.streams_of_rows import as_columns

START_DAY = 15_000
CUSTOMERS = [f"c{k}" for k in range(20)]


@st.composite
def outcome_rules(draw: st.DrawFn) -> OutcomeRules:
    grid, times = draw(st.integers(1, 30)), draw(st.integers(1, 4))
    return OutcomeRules(grid * times, grid, draw(st.integers(1, 400)), draw(st.integers(0, 7)) * DAY_MS)


def by(outcomes: OutcomeRules | None, forget_days: int | None = None) -> EngineRules:
    looks = replace(DEFAULT_LOOKS, forget_s=None if forget_days is None else forget_days * 86_400)
    return engine_rules(outcomes.lateness_ms if outcomes else DAY_MS, looks=looks, outcomes=outcomes)


async def owner(store: MemoryStore, nonce: str, rules: EngineRules) -> Committer:
    parts = shop(store, rules, 10_000)
    return Committer(0, await store.take_epoch(0, 1, 1, nonce), parts, Graveyard(parts.sender, "dead"), None, Mode())


async def go_on(committer: Committer, from_day: int, until_day: int, offset: int, *, sweep: bool = True) -> None:
    """A tick a day, every fifth day in which all buy, and every second customer only then."""
    for day in range(from_day, until_day):
        who = CUSTOMERS[: (len(CUSTOMERS) if day % 5 == 0 else 10)]
        events = [EventTwin("purchase", day * DAY_MS + k, one, 100, 0, day * 100 + k) for k, one in enumerate(who)]
        batch = as_columns([*events, EventTwin("tick", (day + 1) * DAY_MS - 1)])
        await committer.advance(Work(batch, 0, committer.done | {0: offset + day}, sweep=sweep))


def of(store: MemoryStore, customer: str) -> list[str]:
    return [name for name in store.of(0).pending if name.endswith(f":{customer}")]


@given(outcome_rules(), st.none() | outcome_rules(), st.integers(1, 60), st.integers(0, 10), st.booleans())
@examples(60)
def test_nothing_of_an_erased_customer_waits_whatever_the_rules_were_and_are(earlier, now, days, more_days, sweep):
    async def erase() -> None:
        store = MemoryStore()
        committer = await owner(store, "a", by(earlier))
        await go_on(committer, START_DAY, START_DAY + days, 0)
        committer = await owner(store, "b", by(now))
        await go_on(committer, START_DAY + days, START_DAY + days + more_days, 0, sweep=sweep)
        others = [name for name in store.of(0).pending if name.rpartition(":")[2] not in ("c1", "c15")]
        await committer.erase([Erase("e1", "c1", 1, 1), Erase("e2", "c15", 1, 2)])
        assert of(store, "c1") == of(store, "c15") == []
        assert list(store.of(0).pending) == others

    asyncio.run(erase())


@given(outcome_rules(), st.integers(1, 40), st.integers(0, 60), st.booleans())
@examples(60)
def test_nothing_of_a_forgotten_customer_waits(outcomes, forget_days, held_days, returns):
    async def forget() -> None:
        store = MemoryStore()
        committer = await owner(store, "a", by(outcomes, forget_days))
        await go_on(committer, START_DAY, START_DAY + 12, 0)
        until_day = START_DAY + 12 + held_days
        for day in range(START_DAY + 12, until_day):
            await committer.advance(Work(empty_columns(0), day * DAY_MS, committer.done, sweep=False))
        back = [EventTwin("purchase", until_day * DAY_MS, "c3", 100, 0, 7)] if returns else []
        await committer.advance(Work(as_columns(back), until_day * DAY_MS, committer.done, sweep=True))
        there, first_day = set(store.of(0).records), until_day if held_days > forget_days else START_DAY
        waiting = [name.partition(":") for name in store.of(0).pending]
        assert {customer for _, _, customer in waiting} <= there
        assert all(int(day) > first_day for day, _, customer in waiting if customer == "c3")

    asyncio.run(forget())
