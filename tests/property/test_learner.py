"""Wherever labels are cut and whenever it is stored, it goes on to the same bytes, and is judged by what it served."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.champion import GateRules
from detectors.labels import Labels
from detectors.learner import Learner
from detectors.learner_rules import LearnerRules
from detectors.measures import measure
from tests.support.examples import examples
from tests.support.random_labels import DAY_MS, FITTED, SECOND_FIT, UNFITTED, random_labels, random_scores

HORIZON_DAYS = 4
RULES = LearnerRules(
    HORIZON_DAYS, grid_days=2, gate=GateRules(min_each=3, min_days=1, settle_labels=5), window_days=9, window=37,
    drift_delta=0.3, shift_customers=120,
)  # fmt: skip
START_MS = 12_000 * DAY_MS


@st.composite
def histories(draw):
    """Per tick: a seed, how many labels, how many scores, and a command or a refit, if any; and where it is cut or stored."""
    ticks = draw(st.integers(5, 20))
    seed = draw(st.integers(0, 2**32 - 1))
    sizes = draw(st.lists(st.integers(0, 25), min_size=ticks, max_size=ticks))
    doing = draw(
        st.lists(
            st.sampled_from(["", "", "", "", "fitted", "second", "unfitted", "freeze", "roll back", "release"]),
            min_size=ticks,
            max_size=ticks,
        )
    )
    cuts = draw(st.lists(st.lists(st.integers(0, 25), max_size=3), min_size=ticks, max_size=ticks))
    return seed, sizes, doing, cuts


def play(history, *, cut, store):
    """The learner after all ticks; with `cut`, each tick's labels come in parts; with `store`, it is continued from bytes."""
    seed, sizes, doing, cuts = history
    learner, chance = Learner(RULES, UNFITTED), np.random.default_rng(seed)
    first = None
    for k, (size, what, places) in enumerate(zip(sizes, doing, cuts, strict=True)):
        tick_ms = START_MS + k * DAY_MS
        labels = random_labels(chance, size, tick_ms, HORIZON_DAYS)
        scores = [random_scores(chance, int(chance.integers(0, 90)), learner.served()) for _ in range(2)]
        do(learner, what, tick_ms - 1, first)
        first = first or learner.served()
        parts = sorted({0, *(place for place in places if place < size), size}) if cut else [0, size]
        for score in reversed(scores) if cut else [scores]:
            learner.scored([score] if cut else score, tick_ms)
        for start, stop in zip(parts, [*parts[1:], size], strict=True):
            learner.learn(labels.take(slice(start, stop)), tick_ms)
            learner = Learner.from_bytes(learner.to_bytes(), RULES) if store else learner
    return learner


def do(learner, what, at_ms, first):
    match what:
        case "fitted" | "second" | "unfitted":
            learner.refit({"fitted": FITTED, "second": SECOND_FIT, "unfitted": UNFITTED}[what])
        case "freeze":
            learner.freeze(at_ms)
        case "roll back" if first is not None:
            learner.roll_back(first, at_ms)
        case "release":
            learner.release(at_ms)


@given(histories(), st.booleans(), st.booleans())
@examples(60)
def test_cuts_and_continuations_give_the_same_bytes_and_the_same_model(history, cut, store):
    whole = play(history, cut=False, store=False)
    other = play(history, cut=cut, store=store)
    assert other.to_bytes() == whole.to_bytes()
    assert other.served() == whole.served()
    assert other.report() == whole.report()


@given(histories())
@examples(60)
def test_it_is_judged_by_what_it_served_when_the_snapshots_were_taken(history):
    """What `served` gave out at each tick is kept here, and each label asked of the last one before its snapshot."""
    seed, sizes, doing, _ = history
    learner, chance = Learner(RULES, FITTED), np.random.default_rng(seed)
    given_out, said, left = [], [], []
    for k, (size, what) in enumerate(zip(sizes, doing, strict=True)):
        tick_ms = START_MS + k * DAY_MS
        labels = random_labels(chance, size, tick_ms, HORIZON_DAYS)
        scores = [random_scores(chance, 60, learner.served())]
        if what in ("second", "freeze", "release"):
            do(learner, what, tick_ms - 1, None)
            if given_out:
                given_out[-1] = (given_out[-1][0], learner.served(), given_out[-1][2])
        learner.scored(scores, tick_ms)
        before = [entry for entry in given_out if entry[0] < tick_ms - (HORIZON_DAYS + 1) * DAY_MS]
        if before and before[-1][2]:  # there was a champion to judge
            said += before[-1][1].risk(labels.inputs).tolist()
            left += labels.left.tolist()
        learner.learn(labels, tick_ms)
        given_out.append((tick_ms, learner.served(), learner.logit.labels > 0))
    expected, found = measure(said, left), learner.prequential.measured("served", "total")
    assert found.n == expected.n
    assert found.log_loss == pytest.approx(expected.log_loss, abs=2e-9, nan_ok=True)
    assert found.brier == pytest.approx(expected.brier, abs=2e-9, nan_ok=True)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
@examples(40)
def test_what_it_was_does_not_depend_on_what_it_learns_later(seed, later):
    """A model that was given out is a value: it says the same after the learner has gone on."""
    chance = np.random.default_rng(seed)
    learner = Learner(RULES, FITTED)
    learner.learn(random_labels(chance, 30, START_MS, HORIZON_DAYS), START_MS)
    model = learner.past.latest.model
    version, weights = model.linear.version, model.linear.weights.tobytes()
    learner.learn(random_labels(chance, later, START_MS + DAY_MS, HORIZON_DAYS), START_MS + DAY_MS)
    assert (model.linear.version, model.linear.weights.tobytes()) == (version, weights)
    assert learner.past.latest.model.linear.version != version


def test_a_tick_without_labels_changes_nothing_but_the_time():
    learner = Learner(RULES, FITTED)
    learner.learn(Labels.none(), START_MS)
    served = learner.served()
    learner.learn(Labels.none(), START_MS + DAY_MS)
    assert learner.served() == served
    assert learner.tick_ms == START_MS + DAY_MS
