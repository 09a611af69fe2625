"""The labels that leave a partition, and those that a backtest learns from: the twin's, wherever batches were cut."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detectors.labels import Labels
from streams.backtest.learning import Learning
from streams.columns import DAY_MS
from streams.contract import END_TIME_MS
from streams.engine import EngineRules, advance
from streams.label_order import LabelOrder
from streams.labels import LabelMessage, decode_labels, encode_labels, labels_of
from streams.outcomes import OutcomeRules, customer_hashes, label_ids
from streams.runtime.labelling import Labelling
from streams.runtime.store import CommitRequest
from streams.table import CustomerTable
from tests.oracle.engine_twin import EngineTwin
from tests.oracle.rfm_twin import EventTwin
from tests.support.engine_rules import BY_LOGINS, BY_PURCHASES, MONTHLY, any_rules, engine_rules, served, twin_of
from tests.support.examples import examples
from tests.support.memory_store import MemoryStore
from tests.support.outcomes import sliced
from tests.support.streams_of_rows import START_MS, cuts, rows

Told = tuple[int, int, int, int]
"""(label_id, at_ms, known_ms, left)"""


@st.composite
def labelled_rows(draw: st.DrawFn) -> tuple[list[EventTwin], list[slice], EngineRules]:
    events = draw(rows(max_rows=40, customers=2))
    outcomes = draw(st.sampled_from([*BY_PURCHASES, *BY_LOGINS]))
    return events, draw(cuts(len(events))), replace(draw(any_rules()), outcomes=outcomes)


async def messages(
    events: list[EventTwin],
    batches: list[slice],
    rules: EngineRules,
    now_ms: int,
    *,
    history: bool = True,
    held: range = range(0),
) -> list[LabelMessage]:
    """What a partition with these batches told the learner. held: numbers of batches in which the silent are not looked at."""
    store, table, told = MemoryStore(), CustomerTable(), list[LabelMessage]()
    shop: Any = SimpleNamespace(store=store)
    labelling = Labelling(0, shop, 0)
    await store.take_epoch(0, 1, 4, "me")
    parts = sliced(events, batches)
    for seq, batch in enumerate(parts, start=1):
        now, sweep = now_ms if seq == len(parts) else 0, seq not in held
        step, before_ms = advance(table, batch, now, rules, served(rules), sweep=sweep), table.state.watermark_ms
        labelled = await labelling.settle(step, batch, rules.outcomes, history=history, before_ms=before_ms)
        await store.commit(0, 1, "me", CommitRequest(seq, f"c{seq}", pending=labelled.pending, settled=labelled.settled))
        table.apply(step)
        told += labelled.messages
    return told


async def labels(
    events: list[EventTwin], batches: list[slice], rules: EngineRules, now_ms: int, *, history: bool = True
) -> list[Told]:
    """The labels of these messages, one after another."""
    told = await messages(events, batches, rules, now_ms, history=history)
    return [label for message in told for label in in_rows(labels_of(message))]


class Recorder:
    """Stands where the learner does, and keeps what it is told."""

    def __init__(self) -> None:
        self.labels = Labels.none()

    def scored(self, scored: object, at_ms: int) -> None:
        pass

    def learn(self, labels: Labels, _at_ms: int) -> None:
        self.labels = Labels.concat([self.labels, labels])

    def served(self) -> None:
        pass


def backtested(events: list[EventTwin], batches: list[slice], rules: EngineRules, now_ms: int) -> list[Told]:
    """What a backtest with these batches would learn from."""
    recorder: Any = Recorder()
    assert rules.outcomes is not None
    learning, table, parts = Learning(recorder, rules.outcomes), CustomerTable(), sliced(events, batches)
    for number, batch in enumerate(parts, start=1):
        step = advance(table, batch, now_ms if number == len(parts) else 0, rules, served(rules))
        learning.add(step)
        table.apply(step)
    learning.tick(END_TIME_MS)
    return in_rows(recorder.labels)


def in_rows(labels: Labels) -> list[Told]:
    columns = labels.id, labels.at_ms, labels.known_ms, labels.left
    return list(zip(*(column.tolist() for column in columns), strict=True))


def of_the_twin(twin: EngineTwin) -> list[Told]:
    """Who was taken down, with what was found out of it first."""
    taken, told = {(one.customer, one.day) for one in twin.taken}, list[Told]()
    for one in sorted(twin.found, key=lambda one: one.known_ms or 0):
        if (one.customer, one.day) in taken:
            taken.remove((one.customer, one.day))
            told.append((label_of(one.customer, one.day), one.day * DAY_MS, one.known_ms or 0, int(bool(one.left))))
    return told


def label_of(customer: str, day: int) -> int:
    return int(label_ids(customer_hashes([customer]), np.array([day]))[0])


def came_back() -> tuple[list[EventTwin], list[slice], EngineRules]:
    """Cancels while snapshots wait and buys again before their end, all in one batch: each of them has two outcomes."""
    kinds = {0: "purchase", 40: "cancellation", 50: "purchase"}
    events = [
        EventTwin(kind, START_MS + day * DAY_MS, "c0", 100 * (kind == "purchase"), 0, day + 1) for day, kind in kinds.items()
    ]
    return [*events, EventTwin("tick", START_MS + 300 * DAY_MS)], [slice(0, 4)], engine_rules(outcomes=MONTHLY)


@given(labelled_rows(), st.sampled_from([0, 1, 200 * DAY_MS]))
@example(came_back(), 0)
@examples(50)
def test_each_snapshot_is_one_label_and_it_is_the_twins(drawn, ahead_ms):
    events, batches, rules = drawn
    twin = twin_of(rules)
    for event in events:
        twin.row(event)
    now_ms = max(event.time_ms for event in events) + ahead_ms if ahead_ms else 0
    twin.clock(now_ms)
    expected = sorted(of_the_twin(twin))
    assert sorted(asyncio.run(labels(events, batches, rules, now_ms))) == expected
    assert sorted(asyncio.run(labels(events, batches, rules, now_ms, history=False))) == expected
    assert sorted(backtested(events, batches, rules, now_ms)) == expected


@pytest.mark.parametrize("hold_days", [0, 5, 12, 20])
def test_nobody_who_left_is_lost_to_the_learner_by_a_hold(hold_days: int) -> None:
    rules = engine_rules(horizon_days=30.0, outcomes=OutcomeRules(30, 10, 365, DAY_MS))
    events = [EventTwin("purchase", START_MS + k, f"silent{k}", 100, 0, k + 1) for k in range(40)]
    batches = []
    for day in range(100):
        bought = [
            EventTwin("purchase", START_MS + day * DAY_MS + k, f"lively{k}", 100, 0, 100 * day + 100 + k) for k in range(20)
        ]
        batches.append(slice(len(events) * bool(day), len(events) + len(bought)))
        events += bought
    live = asyncio.run(messages(events, batches, rules, 0, history=False, held=range(60, 60 + hold_days)))
    order, learnt = LabelOrder(1), set[tuple[int, int]]()
    for offset, message in enumerate([*live, *live[-30:]]):  # the last come again, as after a failover
        for release in order.push(offset, decode_labels(encode_labels(message))):
            labels = list(zip(release.labels.id.tolist(), release.labels.left.tolist(), strict=True))
            assert learnt.isdisjoint(labels), "once"
            learnt.update(labels)
    expected = backtested(events, batches, rules, 0)
    assert learnt == {(label, left) for label, _, _, left in expected}
    assert sum(left for _, left in learnt) > 200
    number = len(learnt)
    again = asyncio.run(messages(events, batches, rules, 0, history=False))  # a rebuild, from the beginning
    for offset, message in enumerate(again, start=len(live) + 30):
        number += sum(len(release.labels) for release in order.push(offset, decode_labels(encode_labels(message))))
    assert number == len(learnt), "what was learnt before a rebuild is not learnt anew"


def test_the_drawn_rows_cancel_early_enough_to_settle_what_waits():
    """A property proves nothing about what is never drawn."""
    early = returned = 0

    @given(labelled_rows())
    @examples(120)
    def collect(drawn):
        nonlocal early, returned
        events, _, rules = drawn
        twin = twin_of(rules)
        for event in events:
            twin.row(event)
        twin.clock(max(event.time_ms for event in events) + 200 * DAY_MS)
        told, outcomes = of_the_twin(twin), rules.outcomes
        assert outcomes is not None
        early += sum(known_ms < at_ms + outcomes.horizon_days * DAY_MS for _, at_ms, known_ms, _ in told)
        returned += len(twin.found) - len({(one.customer, one.day) for one in twin.found})

    collect()
    assert early > 10
    assert returned > 5
