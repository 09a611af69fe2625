"""Whatever is held, sliced or handed over between commits, what stands in the outbox is what the one-at-a-time twin triggers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import Alert, decode
from alerts.playbook import Playbook
from alerts.trigger_event import Trigger, decode_trigger
from streams.columns import DAY_MS, empty_columns
from streams.engine import EngineRules
from streams.runtime.committer import Committer, Work
from streams.runtime.graveyard import Graveyard
from streams.runtime.mode import Mode
from streams.runtime.topics import ALERTS, TRIGGERS
from tests.oracle.rfm_twin import EventTwin
from tests.oracle.triggers_twin import triggers
from tests.property.test_committer import many_customers, shop
from tests.support.engine_rules import DEFAULT_POLICY, EAGER_POLICY, PATIENT_POLICY, engine_rules
from tests.support.examples import examples
from tests.support.memory_store import MemoryStore
from tests.support.outcomes import sliced
from tests.support.streams_of_rows import cuts, rows
from tests.support.triggers import play

BOOK = Playbook(
    (play("call", tier="critical", every_days=400), play("write", tier="high", every_days=90), play("mail", every_days=30))
)
RULES = [
    engine_rules(policy=policy, lateness_ms=ms) for policy in (EAGER_POLICY, DEFAULT_POLICY, PATIENT_POLICY) for ms in (0, DAY_MS)
]


async def outbox(
    works: list[Work], handed_over: set[int], rules: EngineRules, max_rows: int
) -> tuple[list[Alert], list[Trigger], int]:
    """Alerts and triggers after these works, and how many are remembered; before those `handed_over` the owner changes."""
    store, owners = MemoryStore(), 0
    committer: Any = None
    for k, work in enumerate(works):
        if committer is None or k in handed_over:
            owners += 1
            parts = replace(shop(store, rules, max_rows), playbook=BOOK)
            meta = await store.take_epoch(0, owners, 1, f"owner {owners}")
            committer = Committer(0, meta, parts, Graveyard(parts.sender, "dead"), None, Mode(0))
        await committer.advance(work)
    entries = await store.outbox_read(0, 0, 1_000_000)
    found = [decode(entry.value) for entry in entries if entry.topic == ALERTS]
    return found, [decode_trigger(entry.value) for entry in entries if entry.topic == TRIGGERS], len(store.of(0).triggered)


def seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())


def same(alerts: list[Alert], found: list[Trigger]) -> bool:
    """One customer's alerts stand in the outbox in the order of event time; customers know nothing of each other."""
    by_twin = triggers([(seconds(alert.as_of), alert) for alert in alerts], BOOK.plays)
    return sorted(by_twin) == sorted((trigger.subject, trigger.data.play, seconds(trigger.time)) for trigger in found)


@given(rows(max_rows=40), st.sampled_from(RULES), st.integers(1, 5), st.data())
@examples(60)
def test_triggers_are_the_twins_whatever_happens_between_the_commits(
    events: list[EventTwin], rules: EngineRules, max_rows: int, data: Any
) -> None:
    batches = sliced(events, data.draw(cuts(len(events))))
    sweeps = data.draw(st.lists(st.booleans(), min_size=len(batches), max_size=len(batches)))
    handed_over = set(data.draw(st.lists(st.integers(0, len(batches)), max_size=5)))
    works = [Work(batch, 0, {0: k}, sweep=sweep) for k, (batch, sweep) in enumerate(zip(batches, sweeps, strict=True))]
    works.append(Work(empty_columns(0), 0, {0: len(batches)}, sweep=True))
    alerts, found, _ = asyncio.run(outbox(works, handed_over, rules, max_rows))
    assert same(alerts, found)
    assert len({trigger.id for trigger in found}) == len(found)


def test_what_decides_nothing_any_more_is_forgotten() -> None:
    """Years apart, other customers leave: the first ones' triggers are gone, though nobody asked for them again."""
    rules, batch = engine_rules(), many_customers(50)
    batch = batch.take(batch.customer.argsort(kind="stable"))
    early, later = batch.take(slice(0, 7 * 25)), batch.take(slice(7 * 25, None))
    later.time_ms[:] += 3_000 * DAY_MS
    ends = [int(part.time_ms.max()) + 400 * DAY_MS for part in (early, later)]
    works = [
        Work(early, 0, {0: 1}, sweep=True), Work(empty_columns(0), ends[0], {0: 1}, sweep=True),
        Work(later, 0, {0: 2}, sweep=True), Work(empty_columns(0), ends[1], {0: 2}, sweep=True),
    ]  # fmt: skip
    alerts, found, remembered = asyncio.run(outbox(works, set(), rules, max_rows=1_000))
    assert same(alerts, found)
    by_half = [sum(trigger.subject in set(part.customer) for trigger in found) for part in (early, later)]
    assert min(by_half) > 0
    assert remembered <= by_half[1]
