"""What alerts were worth: by columns, and customer by customer from the definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.policy import ReasonCode
from streams.backtest.alert_log import NEVER_MS, AlertLog
from streams.backtest.alert_outcomes import alert_outcomes
from streams.backtest.occasions import Occasions
from streams.backtest.silences import LongSilences
from streams.columns import DAY_MS
from streams.transitions import Transitions
from tests.support.examples import examples

FIRED, ESCALATED, RETURNED, FELL = (
    ReasonCode.FIRED, ReasonCode.ESCALATED, ReasonCode.RESOLVED_RETURNED, ReasonCode.RESOLVED_RISK_FELL
)  # fmt: skip


def sent(messages: list[tuple[int, int, int]]) -> tuple[Transitions, np.ndarray]:
    """(customer, time, reason) as a step sends them."""
    who, when, reason = (np.array(column, np.int64) for column in (zip(*messages, strict=True) if messages else ((), (), ())))
    nothing = np.zeros(len(who), np.uint8)
    return (
        Transitions([str(one) for one in who], when, reason.astype(np.uint8), nothing, nothing, nothing, nothing),
        who.astype(np.uint32),
    )


@st.composite
def lives(draw: st.DrawFn):
    """Per customer: occasions, and alerts as (from, until or None), which do not overlap."""
    found = {}
    for who in range(draw(st.integers(1, 3))):
        bought = sorted(draw(st.sets(st.integers(1, 50), max_size=8)))
        times = sorted(draw(st.sets(st.integers(1, 60), max_size=8)))
        alerts = list(zip(times[::2], [*times[1::2], *([None] if len(times) % 2 else [])], strict=True))
        found[who] = bought, alerts
    return found


def by_definition(found, horizon, end, least):
    decided = right = left = warned = before = 0
    lead = []
    for bought, alerts in found.values():
        for start, _ in alerts:
            if start + horizon <= end:
                decided += 1
                # who never bought before the alert has no silence to be in; the policy never alerts on such a customer
                right += any(p <= start for p in bought) and not any(start < p <= start + horizon for p in bought)
        for k, p in enumerate(bought):
            if k + 1 < least or p + horizon > end or any(p < q <= p + horizon for q in bought):
                continue
            left += 1
            if any(start < p and (until is None or until > p) for start, until in alerts):
                warned, before = warned + 1, before + 1
            elif within := [start for start, _ in alerts if p <= start <= p + horizon]:
                warned += 1
                lead.append(p + horizon - within[0])
    return decided, right, left, warned, before, sorted(lead)


@given(lives(), st.integers(1, 30), st.integers(50, 70), st.integers(1, 3))
@examples(400)
def test_they_are_what_the_definitions_say(found, horizon, end, least):
    occasions, silences, log = Occasions(len(found)), LongSilences(horizon), AlertLog()
    bought = sorted((when, who) for who, (times, _) in found.items() for when in times)
    silences.add(occasions.add(np.array([w for _, w in bought], np.uint32), np.array([t for t, _ in bought], np.int64)))
    messages = [(who, start, FIRED) for who, (_, alerts) in found.items() for start, _ in alerts]
    messages += [(who, until, FELL) for who, (_, alerts) in found.items() for _, until in alerts if until is not None]
    messages.sort(key=lambda one: (one[1], one[2]))
    for part in (messages[: len(messages) // 2], messages[len(messages) // 2 :]):
        log.add(*sent(part))
    got = alert_outcomes(log.episodes(), silences.all(occasions, end), horizon, end, least)
    lead = sorted(np.rint(got.lead_days * DAY_MS).astype(int).tolist())
    assert (got.decided, got.kept_silent, got.left, got.alerted, got.already, lead) == by_definition(found, horizon, end, least)
    assert got.precision == (got.kept_silent / got.decided if got.decided else None)
    assert got.recall == (got.alerted / got.left if got.left else None)


def test_an_alert_lasts_until_its_customer_is_resolved_or_fires_anew():
    log = AlertLog()
    log.add(*sent([(7, 10, FIRED), (2, 11, FIRED), (7, 12, ESCALATED), (7, 20, RETURNED)]))
    log.add(*sent([(7, 30, FIRED), (2, 40, FIRED), (2, 50, FELL)]))
    episodes = log.episodes()
    assert list(zip(episodes.customer.tolist(), episodes.from_ms.tolist(), episodes.until_ms.tolist(), strict=True)) == [
        (2, 11, 40), (2, 40, 50), (7, 10, 20), (7, 30, NEVER_MS)
    ]  # fmt: skip


def test_of_no_alert_and_nobody_who_left_nothing_is_said():
    occasions = Occasions(3)
    silences = LongSilences(10)
    silences.add(occasions.add(np.empty(0, np.uint32), np.empty(0, np.int64)))
    got = alert_outcomes(AlertLog().episodes(), silences.all(occasions, 100), 10, 100, 2)
    assert (got.precision, got.recall, len(got.lead_days)) == (None, None, 0)


@pytest.mark.parametrize("since", [5, 6])
def test_an_alert_at_the_very_purchase_is_within_the_silence_and_the_longest_lead(since):
    occasions, silences, log = Occasions(1), LongSilences(10), AlertLog()
    silences.add(occasions.add(np.array([0, 0], np.uint32), np.array([1, since], np.int64)))
    log.add(*sent([(0, since, FIRED)]))
    got = alert_outcomes(log.episodes(), silences.all(occasions, 100), 10, 100, 2)
    assert (got.alerted, got.already, (got.lead_days * DAY_MS).tolist()) == (1, 0, [10.0])
