"""The learner, case by case: what serves before and after labels, holds, the shift, versions, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from detectors.champion import GateRules, Hold, Standing
from detectors.drift import Drift
from detectors.evidence import Evidence
from detectors.labels import Labels
from detectors.learner import Learner
from detectors.learner_rules import LearnerRules
from detectors.learner_state import LearnerState
from detectors.model_inputs import INPUTS
from detectors.scored import scored
from tests.support.random_labels import DAY_MS, FITTED, SECOND_FIT, UNFITTED, random_inputs, random_labels, random_scores

HORIZON_DAYS = 30
START_MS = 12_000 * DAY_MS
RULES = LearnerRules(HORIZON_DAYS, 10, GateRules(min_each=20, min_days=3, settle_labels=50, tolerance=0.05))


@pytest.fixture
def chance():
    return np.random.default_rng(11)


def days(learner, chance, count, *, labels=40, first_day=0):
    """So many ticks, each with labels and scores by the model in use."""
    for day in range(first_day, first_day + count):
        tick_ms = START_MS + day * DAY_MS
        learner.scored([random_scores(chance, 100, learner.served())], tick_ms)
        learner.learn(random_labels(chance, labels, tick_ms, HORIZON_DAYS), tick_ms)
    return learner


def test_with_no_label_it_is_the_closed_form(chance):
    learner = Learner(RULES, FITTED)
    inputs = random_inputs(chance, 50)
    learner.learn(Labels.none(), START_MS)
    served = learner.served()
    assert (served.name, served.version, served.linear) == ("mbg_nbd", "fitted-1", None)
    learner.refit(SECOND_FIT)
    assert learner.served().version == "fitted-1"  # until the tick is closed
    learner.learn(Labels.none(), START_MS + DAY_MS)
    assert learner.served().version == "fitted-2"
    assert not np.array_equal(learner.served().risk(inputs), served.risk(inputs))


def test_it_serves_once_there_are_labels_enough_and_is_asked_from_the_first_one_on(chance):
    learner = days(Learner(RULES, FITTED), chance, 1)
    assert (learner.served().name, learner.gate.standing) == ("mbg_nbd", Standing.WAITING)
    assert learner.served().linear is not None  # tried on the snapshots, so that its shift is known when it is to serve
    days(learner, chance, 30, first_day=1)
    assert (learner.served().name, learner.gate.standing) == ("logit", Standing.SERVING)
    report = learner.report()
    assert report["served_from_ms"] == learner.events[0].at_ms
    assert [event["what"] for event in report["events"]] == ["serving"]
    assert report["labels"] == 31 * 40


def test_the_shift_puts_the_mean_risk_where_the_closed_form_has_it(chance):
    learner = days(Learner(RULES, FITTED), chance, 40)
    taken = random_inputs(chance, 4000)
    taken[:, INPUTS.index("spent_minor")] *= 3.0  # richer than any that was scored
    model = replace(learner.past.latest.model, serves=True)
    closed_form, logit = model.logits(taken)
    assert abs(model.risk(taken).mean() - closed_form.mean()) > 0.02
    learner.scored([scored(closed_form, logit, model.linear.version)], START_MS + 40 * DAY_MS)
    learner.learn(Labels.none(), START_MS + 40 * DAY_MS)
    shifted = replace(learner.past.latest.model, serves=True)
    assert shifted.risk(taken).mean() == pytest.approx(closed_form.mean(), abs=0.002)


def test_what_is_not_learnt_by_purchases_is_not_moved_onto_a_closed_form_that_is_about_them(chance):
    learner = days(Learner(replace(RULES, staying="logins"), FITTED), chance, 5)
    assert learner.past.latest.model.linear.shift == 0.0


def test_parameters_of_another_business_give_no_shift(chance):
    learner = days(Learner(RULES, UNFITTED), chance, 5)
    assert learner.past.latest.model.linear.shift == 0.0
    learner.refit(FITTED)
    days(learner, chance, 1, first_day=5)
    assert learner.past.latest.model.linear.shift != 0.0


def test_what_is_frozen_serves_on_while_it_learns(chance):
    learner = days(Learner(RULES, FITTED), chance, 31)
    frozen = learner.served()
    learner.freeze(START_MS + 31 * DAY_MS - 1)
    days(learner, chance, 15, first_day=31)
    assert learner.served() == frozen
    assert learner.gate.hold is Hold.FROZEN
    assert learner.logit.labels == 46 * 40
    learner.release(START_MS + 46 * DAY_MS - 1)
    assert learner.served().linear.labels == 46 * 40
    assert [event.what for event in learner.events if event.what in ("frozen", "released")] == ["frozen", "released"]


def test_what_is_rolled_back_to_serves_and_what_it_said_gives_the_champion_no_shift(chance):
    learner = days(Learner(RULES, FITTED), chance, 31)
    earlier = learner.served()
    days(learner, chance, 5, first_day=31)
    learner.roll_back(earlier, START_MS + 36 * DAY_MS - 1)
    before = learner.scored_parts
    days(learner, chance, 2, first_day=36)
    assert (learner.served(), learner.gate.hold) == (earlier, Hold.ROLLED_BACK)
    assert learner.scored_parts == before[2:], "what is old goes, and nothing comes in its place"
    with pytest.raises(ValueError, match="horizon of 90 days: this learner has 30"):
        learner.roll_back(replace(earlier, horizon_days=90.0), START_MS)


def test_releasing_what_is_not_held_is_nothing(chance):
    learner = days(Learner(RULES, FITTED), chance, 3)
    before = learner.to_bytes()
    learner.release(START_MS + 3 * DAY_MS)
    assert learner.to_bytes() == before


def test_a_version_is_made_of_what_the_model_says():
    one, other = (days(Learner(RULES, FITTED), np.random.default_rng(3), 4) for _ in range(2))
    assert one.past.latest.model.linear.version == other.past.latest.model.linear.version
    assert one.past.latest.model.linear.version.startswith("logit-160-")
    other.refit(SECOND_FIT)
    other.learn(Labels.none(), START_MS + 4 * DAY_MS)
    assert one.past.latest.model.linear.version != other.past.latest.model.linear.version


def test_time_does_not_run_backwards(chance):
    learner = days(Learner(RULES, FITTED), chance, 3)
    with pytest.raises(ValueError, match="must not be before"):
        learner.learn(Labels.none(), START_MS)
    with pytest.raises(ValueError, match="must not be before"):
        learner.learn(random_labels(chance, 1, START_MS + 9 * DAY_MS, HORIZON_DAYS), START_MS + 8 * DAY_MS)


def test_nobody_who_is_not_watched_speaks_for_the_champion_and_all_are_learnt_from(chance):
    learner = Learner(RULES, FITTED)
    labels = random_labels(chance, 200, START_MS, HORIZON_DAYS)
    strangers = labels.take(labels.inputs[:, 0] == 0)
    learner.learn(strangers, START_MS)
    assert (learner.gate.labels, learner.logit.labels) == (0, len(strangers))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schema": "churnwatch.learner/0"}, "schema = 'churnwatch.learner/0': this learner has 'churnwatch.learner/1'"),
        ({"inputs_hash": "0" * 16}, "inputs_hash = '0000000000000000': this learner has"),
        ({"design_hash": "0" * 16}, "design_hash = '0000000000000000': this learner has"),
        ({"horizon_days": 90}, "horizon_days = 90: this learner has 30"),
        ({"staying": "logins"}, "staying = 'logins': this learner has 'purchases'"),
    ],
)
def test_a_state_of_something_else_is_refused_by_name(chance, changes, told):
    data = days(Learner(RULES, FITTED), chance, 2).to_bytes()
    other = msgspec.structs.replace(msgspec.msgpack.decode(data, type=LearnerState), **changes)
    with pytest.raises(ValueError, match=told) as refused:
        Learner.from_bytes(msgspec.msgpack.encode(other), RULES)
    assert str(refused.value).endswith("learn again from the labels")


@pytest.mark.parametrize("data", [b"", b"\x00", b"{}", b"\xc1\xff"])
def test_bytes_that_are_no_state_are_refused(data):
    with pytest.raises(ValueError, match="learner state: "):
        Learner.from_bytes(data, RULES)


def test_settings_changed_while_it_was_away_hold_from_the_first_label_on(chance):
    data = days(Learner(RULES, FITTED), chance, 60).to_bytes()
    rules = replace(RULES, window_days=20, window=50, drift_delta=0.1, grid_days=5, shift_customers=200)
    found = Learner.from_bytes(data, rules)
    today = found.tick_ms // DAY_MS
    for evidence in found.accounts:
        assert evidence.window_days == 20
        assert all(day.day > today - 20 for day in evidence.days)
        assert evidence.total.labels == sum(day.labels for day in evidence.days)
    days(found, chance, 1, first_day=60)
    assert len(found.accounts.fresh.days) == 20
    assert (found.prequential.measured("champion").n, found.drift.delta) == (50, 0.1)
    assert [at_ms for at_ms, _ in found.scored_parts] == [START_MS + day * DAY_MS for day in range(56, 61)]
    assert Learner.from_bytes(found.to_bytes(), rules).to_bytes() == found.to_bytes()


def test_a_longer_window_fills_as_labels_come(chance):
    data = days(Learner(replace(RULES, window_days=20), FITTED), chance, 60).to_bytes()
    found = Learner.from_bytes(data, replace(RULES, window_days=40))
    assert len(days(found, chance, 30, first_day=60).accounts.fresh.days) == 40


def test_how_much_a_label_counts_is_the_releases_and_not_the_states(chance):
    learner = days(Learner(RULES, FITTED), chance, 3)
    learner.logit.label_weight = 0.9  # of a release to come
    assert Learner.from_bytes(learner.to_bytes(), RULES).logit.label_weight == Learner(RULES, FITTED).logit.label_weight


def spoil_logit(learner):
    learner.logit.mean[3] = np.nan


def spoil_idle(learner):
    learner.idle.slope = np.inf


def spoil_drift(learner):
    learner.drift._seen.append(np.nan)


@pytest.mark.parametrize("spoil", [spoil_logit, spoil_idle, spoil_drift])
def test_a_state_of_numbers_that_are_none_is_refused(chance, spoil):
    learner = days(Learner(RULES, FITTED), chance, 2)
    spoil(learner)
    with pytest.raises(ValueError, match=r"finite.*learn again from the labels"):
        Learner.from_bytes(learner.to_bytes(), RULES)


def test_a_champion_that_drifted_and_gets_no_labels_any_more_is_demoted_when_a_window_is_over(chance, monkeypatch):
    """Its evidence starts anew at the label that showed the drift, with that label; so the window runs from there."""
    learner = days(Learner(RULES, FITTED), chance, 70)
    assert learner.gate.standing is Standing.SERVING
    monkeypatch.setattr(learner.drift, "update", lambda _above: Drift(-0.1, 0.1, 9))
    days(learner, chance, 1, first_day=70, labels=1)
    monkeypatch.undo()
    assert (learner.events[-1].what, learner.accounts.fresh.total.labels) == ("drift", 1)
    for day in range(71, 71 + RULES.window_days):
        assert learner.gate.standing is Standing.SERVING, day
        learner.learn(Labels.none(), START_MS + day * DAY_MS)
    assert learner.gate.standing is Standing.DEMOTED


def test_a_label_that_was_known_on_an_earlier_day_counts_on_the_last_one():
    found = Evidence(window_days=10)
    for day in (100, 103, 101):
        found.add(day, 1, 5, 6, 7)
    assert [(row.day, row.labels) for row in found.days] == [(100, 1), (103, 2)]
