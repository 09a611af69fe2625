"""Challengers: what each said at the snapshot is what the label measures, shifted like the champion, and chance has a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from river.linear_model import LogisticRegression
from river.optim import AdaGrad

from detectors.challengers import LEARNING_RATE, NAMES, Challengers
from detectors.design import COLUMNS, design, prior_mean
from detectors.labels import Labels
from detectors.learner_rules import LearnerRules
from detectors.linear_model import LinearModel
from detectors.measures import measure
from detectors.served import ServedModel
from tests.support.random_labels import DAY_MS, FITTED, UNFITTED, random_labels

HORIZON_DAYS = 4
RULES = LearnerRules(HORIZON_DAYS, 2)
START_MS = 12_000 * DAY_MS
CHAMPION = ServedModel(UNFITTED, float(HORIZON_DAYS), LinearModel(prior_mean(), "m", 1, 1, 1, 0.0))


def play(challengers, model=CHAMPION, *, ticks=20, cut=False, skip=()):
    """Snapshots of each day, and their labels a horizon and a day later. Gives what was taken, by day."""
    chance = np.random.default_rng(6)
    days = [random_labels(chance, 25, START_MS + k * DAY_MS, HORIZON_DAYS) for k in range(ticks)]
    for k in range(ticks):
        taken, tick_ms = days[k], START_MS + k * DAY_MS
        challengers.taken(taken.id, taken.inputs, model, tick_ms)
        known = days[k - HORIZON_DAYS - 1] if k > HORIZON_DAYS and k not in skip else Labels.none()
        for part in (slice(0, 7), slice(7, None)) if cut else (slice(None),):
            challengers.learn(known.take(part), model)
    return days


def test_what_was_said_at_the_snapshot_is_what_the_label_measures():
    """The same regression beside it, asked at the snapshots and taught at the labels."""
    challengers = Challengers(RULES)
    days = play(challengers)
    twin, said, left = LogisticRegression(AdaGrad(LEARNING_RATE)), [], []
    asked = []
    for k, taken in enumerate(days):
        columns = design(taken.inputs, UNFITTED, HORIZON_DAYS)
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in columns.tolist()]
        asked.append((rows, [twin.predict_proba_one(row)[True] for row in rows]))
        if k > HORIZON_DAYS:
            rows, p = asked[k - HORIZON_DAYS - 1]
            outcome = days[k - HORIZON_DAYS - 1].left.tolist()
            said, left = said + p, left + outcome
            for row, one in zip(rows, outcome, strict=True):
                twin.learn_one(row, bool(one))
    expected, found = measure(np.clip(said, 1e-4, 1 - 1e-4), left), challengers.prequential.measured("adagrad", "total")
    assert found.n == expected.n == 15 * 25
    assert found.log_loss == pytest.approx(expected.log_loss, abs=1e-6)


def test_the_champion_and_the_closed_form_stand_beside_them_on_the_same_labels():
    challengers = Challengers(RULES)
    days = play(challengers)
    judged = Labels.concat(days[:15])
    for name, model in (("champion", CHAMPION), ("closed_form", replace(CHAMPION, linear=None))):
        expected, found = measure(model.risk(judged.inputs), judged.left), challengers.prequential.measured(name, "total")
        assert (found.n, found.log_loss) == (expected.n, pytest.approx(expected.log_loss, abs=1e-6)), name
    assert {challengers.prequential.measured(name, "total").n for name in NAMES} == {15 * 25}


def test_equal_labels_give_equal_measures_wherever_they_are_cut():
    whole, cut = Challengers(RULES), Challengers(RULES)
    play(whole)
    play(cut, cut=True)
    assert whole.prequential.state() == cut.prequential.state()


def test_another_seed_is_another_forest_and_the_same_regression():
    one, other = Challengers(RULES, seed=1), Challengers(RULES, seed=2)
    play(one, ticks=40)
    play(other, ticks=40)
    measured = [{name: challengers.prequential.measured(name, "total") for name in NAMES} for challengers in (one, other)]
    assert measured[0]["forest"] != measured[1]["forest"]
    assert measured[0]["adagrad"] == measured[1]["adagrad"]


def test_with_fitted_parameters_their_mean_risk_is_the_closed_forms():
    challengers, model = Challengers(replace(RULES, grid_days=20)), replace(CHAMPION, closed_form=FITTED)
    days = play(challengers, model, ticks=40)
    labels = days[-1]
    challengers.taken(labels.id + 1, labels.inputs, model, START_MS + 40 * DAY_MS)
    said = np.array([p for _, p in list(challengers._waiting.values())[-len(labels) :]])
    watched = labels.inputs[:, 0] >= 1
    means = dict(zip(NAMES, said[watched].mean(axis=0), strict=True))
    assert means["adagrad"] == pytest.approx(means["closed_form"], abs=0.06)
    assert means["forest"] == pytest.approx(means["closed_form"], abs=0.06)


def test_nothing_is_measured_before_there_is_a_champion_but_all_is_learnt():
    challengers = Challengers(RULES)
    play(challengers, replace(CHAMPION, linear=None))
    assert challengers.prequential.labels == 0
    assert challengers.models["adagrad"].weights


def test_what_no_label_came_for_is_let_go():
    challengers = Challengers(RULES)
    play(challengers, ticks=40, skip=range(40))
    assert len(challengers._waiting) == 25 * (HORIZON_DAYS + 8 + 1)
