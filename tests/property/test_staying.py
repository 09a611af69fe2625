"""What became of a customer is what their events say, counted from a list of them: late ones, and cancellations."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from streams.columns import DAY_MS
from streams.engine import EngineRules, advance
from streams.labels import labels_of
from streams.outcomes import OutcomeRules
from streams.runtime.labelling import Labelling
from streams.runtime.store import CommitRequest
from streams.table import CustomerTable
from tests.oracle.rfm_twin import EventTwin
from tests.property.test_labels import Told, backtested, in_rows
from tests.support.engine_rules import engine_rules, served
from tests.support.examples import examples
from tests.support.memory_store import MemoryStore
from tests.support.outcomes import sliced
from tests.support.streams_of_rows import START_MS, cuts

HOUR_MS = 3_600_000
SHORT = OutcomeRules(horizon_days=6, grid_days=2, active_days=3, lateness_ms=DAY_MS)
LATE = OutcomeRules(horizon_days=3, grid_days=1, active_days=3, lateness_ms=7 * DAY_MS)
PROMPT = OutcomeRules(horizon_days=4, grid_days=4, active_days=40, lateness_ms=0)
LIVES = {"purchases": "purchase", "logins": "login"}


@st.composite
def lives(draw: st.DrawFn, cancels: bool = False) -> tuple[list[EventTwin], list[slice], EngineRules]:
    """One customer's month, in the order in which the events arrive: each as late as it may be, or less."""
    outcomes = draw(st.sampled_from([SHORT, LATE, LATE, PROMPT]))
    outcomes = replace(outcomes, staying=draw(st.sampled_from(["purchases", "logins", "logins"])))
    edge = st.integers(0, 30).map(lambda day: day * DAY_MS) | st.integers(0, 30 * 24).map(lambda hour: hour * HOUR_MS)
    time = st.tuples(edge, st.sampled_from([-1, 0, 1])).map(sum)
    lag = st.sampled_from([0, outcomes.lateness_ms]) | st.integers(0, outcomes.lateness_ms)
    kind = st.sampled_from(["purchase", "login", "login", *(("cancellation", "purchase") if cancels else ("refund", "refund"))])
    drawn = draw(st.lists(st.tuples(time, lag, kind), min_size=4, max_size=12))
    first = START_MS // DAY_MS * DAY_MS
    sent = sorted([(1, 0, "purchase"), *drawn], key=lambda one: one[0] + one[1])
    minor = {"purchase": 100, "refund": 100}
    events = [EventTwin(what, first + at, "c0", minor.get(what, 0), 0, n + 1) for n, (at, _, what) in enumerate(sent)]
    events.append(EventTwin("tick", first + 60 * DAY_MS))
    return events, draw(cuts(len(events))), engine_rules(outcomes.lateness_ms, float(outcomes.horizon_days), outcomes=outcomes)


def counted(events: list[EventTwin], told: list[Told], outcomes: OutcomeRules) -> list[int]:
    """Left or not, of the snapshot of each label."""
    return [int(has_left(events, at_ms // DAY_MS, outcomes)) for _, at_ms, _, _ in told]


def has_left(events: list[EventTwin], day: int, outcomes: OutcomeRules) -> bool:
    """Of a snapshot that was taken, so the customer had not cancelled by its day."""
    end_ms = (day + outcomes.horizon_days) * DAY_MS
    counts = [event.kind == LIVES[outcomes.staying] and day * DAY_MS <= event.time_ms < end_ms for event in events]
    at = cancelled_at(events, day * DAY_MS, end_ms + outcomes.lateness_ms)
    if at is None:
        return not any(counts)
    over = max(event.time_ms for event in events[: at + 1]) >= end_ms
    if over and outcomes.staying == "logins" and any(counts[:at]):
        return False  # which was known at the end of the horizon, or when a login came late
    return events[at].time_ms < end_ms or not any(counts[:at])


def cancelled_at(events: list[EventTwin], from_ms: int, before_ms: int) -> int | None:
    """Place of the first cancellation that ends the relationship while the snapshot waits, by the newest event that has come."""
    for at, event in enumerate(events):
        newest_ms = max(earlier.time_ms for earlier in events[: at + 1])
        bought_s = max((earlier.time_ms // 1000 for earlier in events[:at] if earlier.kind == "purchase"), default=0)
        if event.kind == "cancellation" and event.time_ms // 1000 >= bought_s and from_ms <= newest_ms < before_ms:
            return at
    return None


@given(lives() | lives(cancels=True))
@examples(250)
def test_who_has_left_is_who_did_nothing_that_counts_within_the_horizon_or_cancelled(drawn):
    events, batches, rules = drawn
    assert rules.outcomes is not None
    told = backtested(events, batches, rules, 0)
    assert [left for *_, left in told] == counted(events, told, rules.outcomes)
    cancels = any(event.kind == "cancellation" for event in events)
    for _, at_ms, known_ms, left in told:
        end_ms = at_ms + rules.outcomes.horizon_days * DAY_MS
        earliest_ms = at_ms if cancels and left else end_ms
        assert earliest_ms <= known_ms <= end_ms + rules.outcomes.lateness_ms


async def told_by_logins(events: list[EventTwin], batches: list[slice], rules: EngineRules, at: int) -> list[Told]:
    """The labels by logins of a partition that went by purchases before the batch of this number."""
    assert rules.outcomes is not None
    store, table, found = MemoryStore(), CustomerTable(), list[Told]()
    shop: Any = SimpleNamespace(store=store)
    labelling = Labelling(0, shop, 0)
    await store.take_epoch(0, 1, 4, "me")
    for seq, batch in enumerate(sliced(events, batches), start=1):
        now = replace(rules, outcomes=replace(rules.outcomes, staying="purchases" if seq <= at else "logins"))
        step = advance(table, batch, 0, now, served(now))
        labelled = await labelling.settle(step, batch, now.outcomes, history=True, before_ms=table.state.watermark_ms)
        await store.commit(0, 1, "me", CommitRequest(seq, f"c{seq}", pending=labelled.pending, settled=labelled.settled))
        table.apply(step)
        found += [label for one in labelled.messages if one.staying == "logins" for label in in_rows(labels_of(one))]
    return found


@given(lives(), st.integers(1, 12))
@examples(250)
def test_whoever_waits_when_it_becomes_logins_is_told_right_or_not_at_all(drawn, at):
    """What the former looks did not find out, and the record cannot tell any more, is no label."""
    events, batches, rules = drawn
    told = asyncio.run(told_by_logins(events, batches, rules, at))
    assert [left for *_, left in told] == counted(events, told, replace(rules.outcomes, staying="logins"))


@pytest.mark.parametrize(("days", "stayed"), [((), False), ((1.0, 3.5, 5.5), True)])
def test_when_it_becomes_logins_who_logged_in_within_the_horizon_or_not_at_all_is_told(days, stayed):
    rules, first = engine_rules(DAY_MS, 6.0, outcomes=SHORT), START_MS // DAY_MS * DAY_MS
    events = [EventTwin("purchase", first, "c0", 100, 0, 1)]
    events += [EventTwin("login", first + int(day * DAY_MS), "c0", 0, 0, 9 + k) for k, day in enumerate(days)]
    before = slice(0, len(events))
    batches = [before, slice(before.stop, before.stop + 1)]
    events.append(EventTwin("tick", first + 60 * DAY_MS))
    told = asyncio.run(told_by_logins(events, batches, rules, 1))
    assert len(told) == len(backtested(events, batches, rules, 0)) > 0
    assert [left for *_, left in told] == [int(not stayed)] * len(told)


def test_the_drawn_lives_have_every_kind_of_outcome():
    """A property proves nothing about what is never drawn. Draws depend on what else is imported, so it may take a few turns."""
    wanted = {("logins", "stayed after all"): 5}
    for staying in LIVES:
        wanted |= {(staying, f"cancelled {what}"): 1 for what in ("within, left", "after, left", "after, stayed")}
        wanted |= {(staying, what): 10 for what in ("left", "stayed")}
    kinds: Counter[tuple[str, str]] = Counter()
    for turn in range(16):
        kinds += kinds_drawn(turn)
        if kinds >= Counter(wanted):
            break
    assert {kind: kinds[kind] for kind, least in wanted.items() if kinds[kind] < least} == {}


def kinds_drawn(turn: int) -> Counter[tuple[str, str]]:
    """How many outcomes of each kind, and by what staying is told."""
    kinds: Counter[tuple[str, str]] = Counter()

    @seed(turn)
    @given(st.booleans().flatmap(lambda cancels: lives(cancels=cancels)))
    @examples(100)
    def collect(drawn):
        events, batches, rules = drawn
        outcomes = rules.outcomes
        assert outcomes is not None
        for _, at_ms, known_ms, left in backtested(events, batches, rules, 0):
            since_end_ms = known_ms - at_ms - outcomes.horizon_days * DAY_MS
            if any(event.kind == "cancellation" for event in events):
                when = "within" if since_end_ms < 0 else "after" if since_end_ms < outcomes.lateness_ms else "late"
                kinds[outcomes.staying, f"cancelled {when}, {'left' if left else 'stayed'}"] += 1
                continue
            late = 0 < since_end_ms < outcomes.lateness_ms
            kinds[outcomes.staying, "left" if left else "stayed after all" if late else "stayed"] += 1

    collect()
    return kinds
