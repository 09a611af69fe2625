"""What the learner is told of a history is the same however small commits are; a tick is told with all that was known by it."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.backtest.history import read_histories
from streams.backtest.mapping import find_source
from streams.backtest.payloads import to_columns
from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS, TICK, Columns
from streams.contract import EventRules
from streams.label_order import LabelOrder, Release
from streams.labels import LabelMessage, decode_labels
from streams.runtime import labelling
from streams.runtime.committer import Committer, Work
from streams.runtime.graveyard import Graveyard
from streams.runtime.mode import Mode
from streams.runtime.topics import LABELS
from tests.property.test_committer import shop
from tests.support.engine_rules import BUSY, engine_rules
from tests.support.examples import examples
from tests.support.memory_store import MemoryStore

RULES = engine_rules(lateness_ms=BUSY.lateness_ms, horizon_days=BUSY.horizon_days, outcomes=BUSY)


@cache
def history() -> Columns:
    """Two months of twenty-five customers, with daily ticks."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.csv"
        events, _ = simulate_customers(25, 40, 20_000 * DAY_MS, seed=3)
        write_history(path, events, "USD", "e")
        rules = EventRules("USD", {"USD": 1.0}, None)
        return to_columns(read_histories([find_source(str(path), None, "")]), rules, 1, run_on_days=20)[0]


def batches(chance: random.Random) -> Iterator[Columns]:
    """Cut right after each tick, as workers do, and anywhere."""
    at = 0
    for tick in np.flatnonzero(history().kind == TICK).tolist():
        while at <= tick:
            end = min(tick + 1, at + chance.choice([1, 7, 100]))
            yield history().take(slice(at, end))
            at = end


class Killed(Exception):
    """An owner was."""


class Mortal(Committer):
    """Dies after so many more commits; None: it does not."""

    lives: int | None = None

    async def _step(self, *args: Any) -> None:
        if self.lives == 0:
            raise Killed
        self.lives = None if self.lives is None else self.lives - 1
        await super()._step(*args)


async def told(max_rows: int, chance: random.Random, killed: float = 0.0) -> list[LabelMessage]:
    """Messages to the learner of a partition whose owners are killed now and then, in the middle of a batch too."""
    store = MemoryStore()

    async def owner() -> Mortal:
        parts = shop(store, RULES, max_rows)
        meta = await store.take_epoch(0, 1, 1, str(chance.random()))
        made = Mortal(0, meta, parts, Graveyard(parts.sender, "-"), None, Mode())
        await made.begin()
        return made

    committer, deaths = await owner(), 0
    for batch in batches(chance):
        while len(left := beyond(batch, committer)):
            committer.lives = chance.randrange(3) if chance.random() < killed else None
            offsets = {int(rank): int(left.offset[left.rank == rank].max()) for rank in np.unique(left.rank)}
            try:
                await committer.advance(Work(left, 0, committer.done | offsets, sweep=True))
            except Killed:
                committer, deaths = await owner(), deaths + 1
    assert bool(deaths) == bool(killed)
    entries = await store.outbox_read(0, 0, 1_000_000)
    return [decode_labels(entry.value) for entry in entries if entry.topic == LABELS]


def beyond(batch: Columns, owner: Committer) -> Columns:
    """The rows that are not committed."""
    done = np.array([owner.done.get(int(rank), -1) for rank in batch.rank], np.int64)
    return batch.take(batch.offset > done)


@cache
def expected() -> list[LabelMessage]:
    return asyncio.run(told(10_000, random.Random(1)))


def released(messages: list[LabelMessage]) -> list[Release]:
    order = LabelOrder(1)
    return [release for offset, message in enumerate(messages) for release in order.push(offset, message)]


def as_told(releases: list[Release]) -> list[object]:
    return [
        (one.tick_ms, one.labels.id.tobytes(), one.labels.left.tobytes(), one.labels.inputs.tobytes(), one.scored)
        for one in releases
    ]


@examples(15)
@given(st.sampled_from([1, 2, 5, 20]), st.integers(0, 2**32), st.sampled_from([0.0, 0.2]))
def test_however_small_the_commits_each_tick_tells_the_same(max_rows: int, seed: int, killed: float) -> None:
    found = asyncio.run(told(max_rows, random.Random(seed), killed))
    assert as_told(released(found)) == as_told(released(expected()))


def test_every_tick_is_told_and_enough_with_them() -> None:
    found = released(expected())
    assert len(found) == (history().kind == TICK).sum()
    assert sum(len(one.labels) for one in found) > 200
    assert sum(scored.customers for one in found for _, scored in one.scored) > 50


def test_much_to_tell_goes_in_several_messages_and_the_last_names_the_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = expected()
    monkeypatch.setattr(labelling, "LABELS_A_MESSAGE", 2)
    monkeypatch.setattr(labelling, "SCORES_A_MESSAGE", 3)
    found = asyncio.run(told(10_000, random.Random(1)))
    assert as_told(released(found)) == as_told(released(whole))
    assert max(len(message.labels) for message in found) == 2
    assert max(len(message.scored.rows) for message in found if message.scored) == 3 * 16
    assert len(found) > len(whole)
    assert len({message.number for message in found}) == len(found)
