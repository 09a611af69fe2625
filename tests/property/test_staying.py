"""What became of a customer is what their events say, counted from a list of all of them, late ones included."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streams.columns import DAY_MS
from streams.engine import EngineRules
from streams.outcomes import OutcomeRules
from tests.oracle.rfm_twin import EventTwin
from tests.property.test_labels import Told, backtested
from tests.support.engine_rules import engine_rules
from tests.support.examples import examples
from tests.support.streams_of_rows import START_MS, cuts

HOUR_MS = 3_600_000
SHORT = OutcomeRules(horizon_days=6, grid_days=2, active_days=3, lateness_ms=DAY_MS)
LATE = OutcomeRules(horizon_days=3, grid_days=1, active_days=3, lateness_ms=7 * DAY_MS)
PROMPT = OutcomeRules(horizon_days=4, grid_days=4, active_days=40, lateness_ms=0)
LIVES = {"purchases": "purchase", "logins": "login"}


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[EventTwin], list[slice], EngineRules]:
    """One customer's month, in the order in which the events arrive: each as late as it may be, or less."""
    outcomes = draw(st.sampled_from([SHORT, LATE, LATE, PROMPT]))
    outcomes = replace(outcomes, staying=draw(st.sampled_from(["purchases", "logins", "logins"])))
    edge = st.integers(0, 30).map(lambda day: day * DAY_MS) | st.integers(0, 30 * 24).map(lambda hour: hour * HOUR_MS)
    time = st.tuples(edge, st.sampled_from([-1, 0, 1])).map(sum)
    lag = st.sampled_from([0, outcomes.lateness_ms]) | st.integers(0, outcomes.lateness_ms)
    kind = st.sampled_from(["purchase", "login", "login", "refund", "refund"])
    drawn = draw(st.lists(st.tuples(time, lag, kind), min_size=4, max_size=12))
    first = START_MS // DAY_MS * DAY_MS
    sent = sorted([(1, 0, "purchase"), *drawn], key=lambda one: one[0] + one[1])
    events = [EventTwin(what, first + at, "c0", 100 * (what != "login"), 0, n + 1) for n, (at, _, what) in enumerate(sent)]
    events.append(EventTwin("tick", first + 60 * DAY_MS))
    return events, draw(cuts(len(events))), engine_rules(outcomes.lateness_ms, float(outcomes.horizon_days), outcomes=outcomes)


def counted(events: list[EventTwin], told: list[Told], outcomes: OutcomeRules) -> list[int]:
    """Left or not, of the snapshot of each label."""
    days = {event.time_ms // DAY_MS for event in events if event.kind == LIVES[outcomes.staying]}
    snapshots = [at_ms // DAY_MS for _, at_ms, _, _ in told]
    return [int(not days & set(range(day, day + outcomes.horizon_days))) for day in snapshots]


@given(lives())
@examples(300)
def test_who_has_left_is_who_did_nothing_that_counts_within_the_horizon(drawn):
    events, batches, rules = drawn
    assert rules.outcomes is not None
    told = backtested(events, batches, rules, 0)
    assert [left for *_, left in told] == counted(events, told, rules.outcomes)
    ends_ms = [at_ms + rules.outcomes.horizon_days * DAY_MS for _, at_ms, _, _ in told]
    assert all(end <= known <= end + rules.outcomes.lateness_ms for (_, _, known, _), end in zip(told, ends_ms, strict=True))


def test_the_drawn_lives_have_every_kind_of_outcome():
    """A property proves nothing about what is never drawn."""
    kinds: Counter[tuple[str, str]] = Counter()

    @given(lives())
    @examples(300)
    def collect(drawn):
        events, batches, rules = drawn
        outcomes = rules.outcomes
        assert outcomes is not None
        for _, at_ms, known_ms, left in backtested(events, batches, rules, 0):
            since_end_ms = known_ms - at_ms - outcomes.horizon_days * DAY_MS
            late = 0 < since_end_ms < outcomes.lateness_ms
            kinds[outcomes.staying, "left" if left else "stayed after all" if late else "stayed"] += 1

    collect()
    assert kinds["logins", "stayed after all"] > 10
    assert min(kinds[staying, what] for staying in LIVES for what in ("left", "stayed")) > 20
