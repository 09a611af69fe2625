"""The champion beneath a model that is frozen or rolled back to: it keeps its shift, by what it scored itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detectors.champion import GateRules
from detectors.labels import Labels
from detectors.learner import Learner
from detectors.learner_rules import LearnerRules
from tests.support.random_labels import DAY_MS, FITTED, random_labels, random_scores

HORIZON_DAYS = 30
START_MS = 12_000 * DAY_MS
RULES = LearnerRules(HORIZON_DAYS, 10, GateRules(min_each=20, min_days=3, settle_labels=50, tolerance=0.05))


@pytest.fixture
def chance():
    return np.random.default_rng(11)


def held(learner, chance, how):
    """A learner of 31 days, then held for longer than the grid, by days of `stayers`; and its shift before."""
    earlier = stayers(learner, chance, 26).served()
    stayers(learner, chance, 5, first_day=26)
    shift = learner.past.latest.model.linear.shift
    assert abs(shift) > 0.5, "or it could be lost unseen"
    if how == "freeze":
        learner.freeze(START_MS + 31 * DAY_MS - 1)
    else:
        learner.roll_back(earlier, START_MS + 31 * DAY_MS - 1)
    return stayers(learner, chance, RULES.grid_days + 4, first_day=31), shift


def stayers(learner, chance, count, *, first_day=0):
    """So many ticks, with fewer leavers than the closed form has it: the champion is moved up."""
    for day in range(first_day, first_day + count):
        tick_ms = START_MS + day * DAY_MS
        learner.scored([random_scores(chance, 100, learner.served())], tick_ms)
        labels = random_labels(chance, 40, tick_ms, HORIZON_DAYS)
        learner.learn(replace(labels, left=labels.left * (chance.random(40) < 0.55).astype(np.uint8)), tick_ms)
    return learner


@pytest.mark.parametrize("how", ["freeze", "roll back"])
def test_held_for_longer_than_the_grid_the_champion_keeps_the_shift_that_it_last_had(chance, how):
    learner, shift = held(Learner(RULES, FITTED), chance, how)
    assert learner.past.latest.model.linear.shift == shift
    learner.release(START_MS + 45 * DAY_MS - 1)
    assert learner.past.latest.model.linear.shift == shift
    learner.learn(Labels.none(), START_MS + 45 * DAY_MS)
    assert learner.past.latest.model.linear.shift == shift


@pytest.mark.parametrize("how", ["freeze", "roll back"])
def test_what_the_model_that_was_held_said_is_not_the_champions_after_release_either(chance, how):
    learner, shift = held(Learner(RULES, FITTED), chance, how)
    late = random_scores(chance, 400, learner.served())
    learner.release(START_MS + 45 * DAY_MS - 1)
    learner.scored([late], START_MS + 45 * DAY_MS)
    learner.learn(Labels.none(), START_MS + 45 * DAY_MS)
    assert learner.past.latest.model.linear.shift == shift


def test_what_was_kept_for_want_of_newer_goes_as_the_champion_scores_again(chance):
    learner, shift = held(Learner(RULES, FITTED), chance, "freeze")
    learner.release(START_MS + 45 * DAY_MS - 1)
    for day, kept in ((45, 4), (46, 3), (47, 2), (48, 1), (49, 0), (50, 0)):
        stayers(learner, chance, 1, first_day=day)
        assert sum(at_ms < START_MS + 31 * DAY_MS for at_ms, _ in learner.scored_parts) == kept
        assert sum(part.customers for _, part in learner.scored_parts) >= RULES.shift_customers
    assert learner.past.latest.model.linear.shift != shift


def test_once_the_champion_has_scored_for_a_grid_again_what_is_older_counts_no_more_however_few_there_are(chance):
    rules = replace(RULES, shift_customers=100_000)
    learner, _ = held(Learner(rules, FITTED), chance, "freeze")
    learner.release(START_MS + 45 * DAY_MS - 1)
    stayers(learner, chance, RULES.grid_days - 1, first_day=45)
    assert learner.scored_parts[0][0] < START_MS + 31 * DAY_MS
    stayers(learner, chance, 1, first_day=45 + RULES.grid_days - 1)
    assert [at_ms for at_ms, _ in learner.scored_parts] == [START_MS + day * DAY_MS for day in range(45, 55)]


def test_released_before_anything_was_learnt_what_was_frozen_is_the_champion_and_speaks_for_it(chance):
    learner = stayers(Learner(RULES, FITTED), chance, 31)
    learner.freeze(START_MS + 31 * DAY_MS - 1)
    learner.learn(Labels.none(), START_MS + 31 * DAY_MS)
    learner.release(START_MS + 32 * DAY_MS - 1)
    learner.scored([random_scores(chance, 100, learner.served())], START_MS + 32 * DAY_MS)
    assert learner.scored_parts[-1][0] == START_MS + 32 * DAY_MS
