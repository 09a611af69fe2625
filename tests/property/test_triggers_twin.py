"""However alerts are cut into steps, and whatever is forgotten between them, the triggers are those of the one-at-a-time twin."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import Alert
from alerts.playbook import Play, Playbook
from alerts.triggers import DAY_S, Outcome, candidates, decide, forgettable_before_s
from tests.oracle.triggers_twin import triggers
from tests.support.examples import examples
from tests.support.streams_of_rows import cuts
from tests.support.triggers import SOURCE, alert_at, stake

START_S = 1_700_000_000
TIERS = st.sampled_from(["watch", "high", "critical"])
CAUSES, SEGMENTS = ["service", "product", "unknown"], ["loyal", "at-risk"]
DECISIONS = ["fired", "fired", "escalated", "deescalated", "resolved_returned"]

plays = st.builds(
    Play, name=st.just(""), tier=TIERS, least_value=st.integers(0, 3), action=st.just("a"), message=st.just("m"),
    segments=st.lists(st.sampled_from(SEGMENTS), max_size=1).map(tuple),
    causes=st.lists(st.sampled_from(CAUSES), max_size=2).map(tuple), every_days=st.integers(1, 4),
)  # fmt: skip


@st.composite
def playbooks(draw: Any) -> Playbook:
    drawn = draw(st.lists(plays, min_size=1, max_size=4))
    return Playbook(tuple(msgspec.structs.replace(one, name=f"p{k}") for k, one in enumerate(drawn)))


@st.composite
def alerts(draw: Any) -> list[tuple[int, Alert]]:
    """Alerts in the order of event time; gaps often end just before, at or just after a whole number of days."""
    at_s, found = START_S, []
    for k in range(draw(st.integers(0, 25))):
        at_s += draw(
            st.one_of(st.integers(0, 5), st.builds(lambda d, x: max(0, d * DAY_S + x), st.integers(0, 2), st.integers(-1, 1)))
        )
        tier = draw(TIERS)
        alert = alert_at(
            at_s, draw(st.sampled_from(["a", "b"])), tier=tier, decision=draw(st.sampled_from(DECISIONS)),
            live=draw(st.sampled_from([True, True, True, False])), holdout=draw(st.sampled_from([False, False, False, True])),
            segment=draw(st.sampled_from(SEGMENTS)), cause=draw(st.sampled_from(CAUSES)), message_id=f"{'0' * 24}-{k}",
            value_at_stake=stake(draw(st.integers(-100, 400))),
        )  # fmt: skip
        found.append((at_s, alert))
    return found


@given(playbooks(), alerts(), st.data())
@examples(300)
def test_triggers_are_the_twins_wherever_the_steps_are_cut(plays: Playbook, told: list[tuple[int, Alert]], data: Any) -> None:
    found: list[tuple[str, str, str]] = []
    remembered: dict[str, int] = {}
    outcomes: list[Outcome] = []
    for part in data.draw(cuts(len(told))):
        step = told[part]
        wanting = candidates([alert for _, alert in step], plays)
        earlier_s = {name: remembered[name] for name in wanting.names if name in remembered}
        decided = decide(wanting, earlier_s, plays, SOURCE)
        found += [(trigger.subject, trigger.data.play, trigger.time) for trigger in decided.triggers]
        outcomes += decided.outcomes
        remembered |= decided.triggered_s
        if step and data.draw(st.booleans()):
            watermark_ms = step[-1][0] * 1000 + 999  # later alerts are not older than that second
            before_s = forgettable_before_s(watermark_ms, plays)
            remembered = {name: at_s for name, at_s in remembered.items() if at_s >= before_s}
    by_twin = triggers(told, plays.plays)
    assert found == [(who, what, alert_at(at_s).as_of) for who, what, at_s in by_twin]
    assert outcomes.count(Outcome.TRIGGERED) == len(by_twin)
    assert len(outcomes) == sum(alert.decision in ("fired", "escalated") for _, alert in told)
