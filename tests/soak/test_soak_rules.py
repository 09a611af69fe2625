"""The soak's own rules: what counts as flat, and that its customers' totals are those of what is sent."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

import pytest

from tests.soak.flat import comes_down, trend
from tests.soak.steady import SteadyDays


def test_noise_and_single_outliers_are_flat_and_a_leak_is_not() -> None:
    chance = Random(1)
    times = [2.0 * k for k in range(900)]
    noise = [100 + chance.uniform(-3, 3) + (400 if k % 97 == 0 else 0) for k in range(900)]
    assert trend(times, noise).flat(0.05, 0.0)
    leaking = [value + 0.02 * k for k, value in enumerate(noise)]
    assert not trend(times, leaking).flat(0.05, 0.0)


def test_a_step_near_the_end_is_growth() -> None:
    assert trend(range(900), [100] * 700 + [400] * 200).grown == 300


def test_growth_while_it_warms_up_is_not_judged() -> None:
    times = list(range(300))
    assert trend(times, [min(k, 90) for k in times]).grown == 0


def test_too_few_measurements_are_refused() -> None:
    with pytest.raises(ValueError, match="measure for longer"):
        trend([0, 1, 2], [1, 1, 1])


def test_a_backlog_must_be_worked_off_now_and_again() -> None:
    assert comes_down([k % 50 for k in range(3000)], 5)
    assert not comes_down([k % 50 for k in range(2000)] + [80] * 1000, 5)


def test_totals_are_those_of_what_is_sent_once() -> None:
    days = SteadyDays(seed=3, days=20, customers=30, events_a_day=40, partitions=4)
    events = {json.loads(m.value)["event_id"]: (m.topic, json.loads(m.value)) for day in days for m in day}
    assert len(events) == 800 < sum(map(len, days))
    logins = Counter(event["customer_id"] for topic, event in events.values() if topic == "logins")
    assert {customer: sums["logins"] for customer, sums in days.totals().items() if sums["logins"]} == dict(logins)
    spent = sum(round(event["amount"] * 100) for topic, event in events.values() if event.get("amount", 0) > 0)
    assert sum(sums["spent_minor"] for sums in days.totals().values()) == spent
