"""Which rules of outcomes there are, how many snapshots wait by them, and what a cancellation says of these."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streams.columns import DAY_MS
from streams.customer import new_records
from streams.outcomes import OutcomeRules, customer_hashes, open_days, phases
from tests.oracle.rfm_twin import EventTwin
from tests.property.test_labels import backtested
from tests.support.engine_rules import MONTHLY, engine_rules

START_DAY = 15_000
FIRST_DAY = START_DAY + 1 + (int(phases(customer_hashes(["c0"]), 30)[0]) - START_DAY - 1) % 30
"""Of the snapshots of c0."""


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("horizon_days", 0, "horizon of 0 days"),
        ("horizon_days", -30, "horizon of -30 days"),
        ("active_days", 0, "active for 0"),
        ("grid_days", 0, "grid of 0 days"),
        ("grid_days", 31, "grid of 31 days"),
        ("lateness_ms", 1, "lateness of 1 ms"),
        ("lateness_ms", 8 * DAY_MS, "lateness of 691200000 ms"),
        ("staying", "visits", "staying by visits"),
    ],
)
def test_rules_that_cannot_be_are_refused(field: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(MONTHLY, **{field: value})


@pytest.mark.parametrize(("rules", "most"), [(MONTHLY, 4), (OutcomeRules(90, 3, 365, 7 * DAY_MS), 33)])
def test_so_many_snapshots_wait_at_most(rules: OutcomeRules, most: int) -> None:
    rows = new_records(1)
    rows["purchases"], rows["first_day"] = 1, 100
    phase, days = phases(customer_hashes(["c0"]), rules.grid_days), range(15_200, 15_200 + rules.grid_days)
    times_ms = [day * DAY_MS + edge for day in days for edge in (-1, 0, 1)]
    waiting = [len(open_days(rows, np.array([at_ms]), phase, rules)[0]) for at_ms in times_ms]
    assert max(waiting) == most == -(-(rules.horizon_days + rules.lateness_ms // DAY_MS) // rules.grid_days)


@pytest.mark.parametrize("staying", ["purchases", "logins"])
@pytest.mark.parametrize(("days", "stays"), [(89.5, False), (90.0, True), (90.5, True)])
def test_who_stayed_for_a_horizon_and_then_cancels_has_stayed_for_it(staying: Any, days: float, stays: bool) -> None:
    kind, first_ms = {"purchases": "purchase", "logins": "login"}[staying], FIRST_DAY * DAY_MS
    events = [EventTwin("purchase", START_DAY * DAY_MS, "c0", 100, 0, 1)]
    events += [EventTwin(kind, first_ms + (9 * k + 3) * DAY_MS, "c0", 100, 0, 10 + k) for k in range(10)]
    events.append(EventTwin("cancellation", first_ms + int(days * DAY_MS), "c0", 0, 0, 99))
    events.append(EventTwin("tick", first_ms + 400 * DAY_MS))
    found = backtested(events, [slice(0, len(events))], engine_rules(outcomes=replace(MONTHLY, staying=staying)), 0)
    left = {at_ms // DAY_MS - FIRST_DAY: left for _, at_ms, _, left in found}
    assert left[0] == (not stays)
    assert left[30] == left[60] == 1
