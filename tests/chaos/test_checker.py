"""The checker by itself: what it says of a log and of sums that are right, and of every way in which they can be wrong."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chaos.checker import (
    Counted,
    Logged,
    Outcome,
    Told,
    Verdict,
    check_alerts,
    check_events,
    check_labels,
    different_events,
    times_counted,
)
from tests.chaos.plan import DAY_MS, FIRST_MS, plan
from tests.chaos.schedule import KINDS, SPECIALTY, STAGES, schedule

PLANNED = plan(1, days=60, customers=40, partitions=4, storms=frozenset({20, 21}))
LOG = [Logged(m.topic, m.partition, at, m.key, m.value) for at, m in enumerate(m for day in PLANNED.days for m in day)]
EVENTS = different_events(LOG)


def counted(times: dict[tuple[str, str], int] | None = None) -> dict[str, Counted]:
    """What records hold when every event counts once, or so many times."""
    sums: dict[str, Counted] = {}
    for customer, events in EVENTS.items():
        total = Counted()
        for event_id, event in events.items():
            for _ in range((times or {}).get((customer, event_id), 1)):
                total = added(total, event)
        sums[customer] = total
    return sums


def added(total: Counted, event: dict[str, Any]) -> Counted:
    if event["topic"] == "logins":
        return dataclasses.replace(total, logins=total.logins + 1)
    if event["topic"] == "complaints":
        more = total.severity_sum + event["severity"]
        return dataclasses.replace(total, complaints=total.complaints + 1, severity_sum=more)
    minor = round(event["amount"] * 100)
    if minor < 0:
        return dataclasses.replace(total, refunds=total.refunds + 1, refunded_minor=total.refunded_minor - minor)
    return dataclasses.replace(total, purchases=total.purchases + 1, spent_minor=total.spent_minor + minor)


def verdict_of(sums: dict[str, Counted]) -> Verdict:
    verdict = Verdict(0)
    check_events(verdict, EVENTS, sums)
    return verdict


def test_each_event_once_is_right() -> None:
    assert verdict_of(counted()).right


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_event_that_is_lost_or_doubled_is_named_and_no_other(data: st.DataObject) -> None:
    everything = [(customer, event_id) for customer, events in EVENTS.items() for event_id in events]
    chosen = data.draw(st.dictionaries(st.sampled_from(everything), st.sampled_from([0, 2, 3]), min_size=1, max_size=8))
    verdict = verdict_of(counted(chosen))
    assert sorted(verdict.lost) == sorted(key for key, times in chosen.items() if times == 0)
    assert sorted(verdict.twice) == sorted(key for key, times in chosen.items() if times > 1)


def test_one_lost_and_another_doubled_do_not_make_up_for_each_other() -> None:
    customer, events = next((c, e) for c, e in EVENTS.items() if sum("amount" in one for one in e.values()) > 2)
    first, second, *_ = (event_id for event_id, one in events.items() if "amount" in one and one["amount"] > 0)
    verdict = verdict_of(counted({(customer, first): 0, (customer, second): 2}))
    assert (verdict.lost, verdict.twice) == ([(customer, first)], [(customer, second)])


def test_sums_that_no_event_explains_are_strange() -> None:
    customer = next(iter(EVENTS))
    sums = counted()
    sums[customer] = dataclasses.replace(sums[customer], spent_minor=sums[customer].spent_minor + 4**20)
    assert verdict_of(sums).strange
    sums = counted()
    sums[customer] = dataclasses.replace(sums[customer], purchases=sums[customer].purchases + 1)
    assert verdict_of(sums).strange
    assert verdict_of(counted() | {"nobody": Counted(logins=1)}).strange


def test_a_customer_without_a_record_has_lost_everything() -> None:
    customer = next(iter(EVENTS))
    verdict = verdict_of({name: sums for name, sums in counted().items() if name != customer})
    assert sorted(verdict.lost) == sorted((customer, event_id) for event_id in EVENTS[customer])


def test_complaints_of_both_severities_are_told_apart() -> None:
    events = {f"k{s}": {"topic": "complaints", "severity": s} for s in (1, 4)}
    assert times_counted(events, Counted(complaints=2, severity_sum=8))[0] == {"k1": 0, "k4": 2}
    assert times_counted(events, Counted(complaints=2, severity_sum=5))[0] == {"k1": 1, "k4": 1}


DUE = [Told(f"a-{n}", "anna", "fired", "watch", 0.5, n) for n in range(4)]
SENT = [(one, json.dumps(dataclasses.asdict(one)).encode()) for one in DUE]


def alerts_of(delivered: list[tuple[Told, bytes]]) -> Verdict:
    verdict = Verdict(1)
    check_alerts(verdict, DUE, delivered)
    return verdict


def test_alerts_delivered_once_or_again_are_right() -> None:
    assert alerts_of(SENT).right
    again = alerts_of([*SENT, *SENT[:2]])
    assert (again.right, again.repeats) == (True, 2)


@pytest.mark.parametrize(
    ("delivered", "field", "found"),
    [
        (SENT[1:], "alerts_missing", ["a-0"]),
        ([*SENT, (dataclasses.replace(DUE[0], message_id="b-1"), b"")], "alerts_unexpected", ["b-1"]),
        ([*SENT, (DUE[0], b"other bytes")], "alerts_differing", ["a-0"]),
        ([(dataclasses.replace(DUE[0], risk=0.6), b""), *SENT[1:]], "alerts_differing", ["a-0"]),
    ],
    ids=["missing", "too many", "a repeat that says something else", "another risk"],
)
def test_alerts_that_are_wrong_are_named(delivered: list[tuple[Told, bytes]], field: str, found: list[str]) -> None:
    verdict = alerts_of(delivered)
    assert getattr(verdict, field) == found
    assert not verdict.right


OUTCOMES = [Outcome(n, n, n + 91, bool(n % 2)) for n in range(4)]


@pytest.mark.parametrize(
    ("delivered", "field", "found"),
    [
        (OUTCOMES, "labels_missing", []),
        ([*OUTCOMES, *OUTCOMES], "labels_unexpected", []),
        (OUTCOMES[1:], "labels_missing", [0]),
        ([*OUTCOMES, Outcome(9, 0, 91, True)], "labels_unexpected", [9]),
        ([dataclasses.replace(OUTCOMES[0], left=True), *OUTCOMES[1:]], "labels_differing", [0]),
        ([*OUTCOMES, dataclasses.replace(OUTCOMES[2], known_ms=5)], "labels_differing", [2]),
    ],
    ids=["once", "again", "missing", "too many", "otherwise", "a repeat that says something else"],
)
def test_labels_that_are_wrong_are_named(delivered: list[Outcome], field: str, found: list[int]) -> None:
    verdict = Verdict(1)
    check_labels(verdict, OUTCOMES, delivered)
    assert getattr(verdict, field) == found
    assert verdict.right == (not found)


def test_the_plan_sends_every_event_by_its_partition_and_some_of_them_again_or_late() -> None:
    assert len(LOG) > PLANNED.events == sum(map(len, EVENTS.values()))
    late = [
        m
        for day, messages in enumerate(PLANNED.days)
        for m in messages
        if json.loads(m.value)["occurred_at"] < FIRST_MS + day * DAY_MS
    ]
    assert late
    assert len({message.partition for message in LOG}) == 4


def test_twenty_seeds_have_every_fault_and_every_stage_its_own() -> None:
    drawn = [schedule(seed) for seed in range(1, 21)]
    assert {fault.kind for one in drawn for fault in one.faults} == set(KINDS)
    assert {one.stage for one in drawn} == set(STAGES)
    for one in drawn:
        assert len(one.faults) >= 5
        assert set(SPECIALTY[one.stage]) <= {fault.kind for fault in one.faults}
        assert all(one.stage in KINDS[fault.kind].stages for fault in one.faults)
        for step in one.steps:
            assert len({KINDS[fault.kind].target for fault in step.faults}) == len(step.faults)
    assert any(fault.hold_s >= 60 for one in drawn for fault in one.faults)
