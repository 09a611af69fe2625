"""A champion whose shop changes under it: it is noticed, it falls back, and it comes back when it has learnt anew."""

from __future__ import annotations

import pytest

from detectors.learner import Learner
from detectors.learner_rules import LearnerRules
from streams.columns import DAY_MS
from tests.support.changing_shop import GRID_DAYS, HORIZON_DAYS, START_DAY, live, purchases

RULES = LearnerRules(HORIZON_DAYS, GRID_DAYS)
CHANGE, REVIVAL = 300, 420
"""Days of the shop."""
STAYS, LEAVES = 0.03, 0.3


def told(learner: Learner) -> list[tuple[int, str]]:
    """(day of the shop, what) of each event."""
    return [(event.at_ms // DAY_MS - START_DAY, event.what) for event in learner.events]


def day_of(learner: Learner, what: str) -> int:
    """Of the first event of this kind."""
    return next(day for day, name in told(learner) if name == what)


def log_loss(learner: Learner, name: str) -> float:
    return learner.prequential.measured(name, "total").log_loss


@pytest.fixture(scope="module")
def steady() -> Learner:
    """Who spends much stays, on and on: what the closed form cannot know."""
    return live(purchases(450, lambda _, much: STAYS if much else LEAVES), 450, RULES)


@pytest.fixture(scope="module")
def turned() -> Learner:
    """From one day on those who spend much leave, and those who spend little stay."""
    return live(purchases(560, lambda day, much: STAYS if much is (day < CHANGE) else LEAVES), 560, RULES)


@pytest.fixture(scope="module")
def died() -> Learner:
    """For four months whoever buys does so for the last time; then it is as before."""

    def leaves(day: float, much: bool) -> float:
        return 1.0 if CHANGE <= day < REVIVAL else STAYS if much else LEAVES

    return live(purchases(640, leaves), 640, RULES)


def test_in_a_steady_shop_the_champion_serves_for_good_and_nothing_alarms(steady):
    assert [what for _, what in told(steady)] == ["serving"]
    assert day_of(steady, "serving") < 120
    measured = {name: steady.prequential.measured(name) for name in ("champion", "closed_form", "idle", "served")}
    assert measured["champion"].auc > measured["closed_form"].auc + 0.01
    assert measured["champion"].log_loss < measured["closed_form"].log_loss - 0.02 < measured["idle"].log_loss
    assert measured["served"] == measured["champion"]


def test_where_customers_turn_round_it_is_noticed_and_the_closed_form_serves_until_the_champion_has_learnt_anew(turned):
    assert [what for _, what in told(turned) if what != "drift"] == ["serving", "demoted", "recovered"]
    assert CHANGE < day_of(turned, "drift") < CHANGE + 3 * HORIZON_DAYS
    assert CHANGE < day_of(turned, "demoted") < CHANGE + 3 * HORIZON_DAYS < day_of(turned, "recovered")
    assert turned.served().name == "logit"


def test_the_gate_is_worth_it_where_customers_turn_round(turned):
    """The champion of a week after the turn would have been worse than nothing learnt; all in all it pays to have learnt."""
    assert log_loss(turned, "served") < log_loss(turned, "closed_form") - 0.005
    assert "closed form" in next(event.why for event in turned.events if event.what == "demoted")


def test_where_a_shop_dies_out_the_champion_falls_back_and_returns_when_the_shop_does(died):
    assert [what for _, what in told(died) if what != "drift"] == ["serving", "demoted", "recovered"]
    assert CHANGE < day_of(died, "demoted") < REVIVAL < day_of(died, "recovered")
    assert log_loss(died, "served") < log_loss(died, "closed_form")


def test_each_event_says_why_with_its_numbers(turned):
    words = {event.what: event.why for event in turned.events}
    assert "nats over" in words["demoted"]
    assert "closed form 0." in words["demoted"]
    assert "the champion's log loss went from -0.0" in next(event.why for event in turned.events if event.what == "drift")
