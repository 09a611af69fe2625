"""Challengers: a label is judged by what was known before its snapshot, and by nothing later; chance has a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from river.linear_model import LogisticRegression
from river.optim import AdaGrad

from detectors.challengers import CHALLENGERS, LEARNING_RATE, Challengers, Said, sampled
from detectors.design import COLUMNS, design
from detectors.labels import Labels
from detectors.learner_rules import LATEST_DAYS, LearnerRules
from detectors.measures import measure
from tests.support.random_labels import DAY_MS, UNFITTED, random_labels

HORIZON_DAYS, EVERY_DAYS, A_DAY = 4, 2, 10
RULES = LearnerRules(HORIZON_DAYS, grid_days=6)
START_MS = 12_000 * DAY_MS


def labels_of(days: int, seed: int = 6) -> Labels:
    """Labels of each day, in order: of snapshots a horizon and a day before."""
    chance = np.random.default_rng(seed)
    return Labels.concat([random_labels(chance, A_DAY, START_MS + k * DAY_MS, HORIZON_DAYS) for k in range(days)])


def said_of(labels: Labels, share: float = 0.6) -> Said:
    """What two others said, made up from the labels' ids; of some labels nothing is known."""
    p = (labels.id % np.uint64(1_000)).astype(np.float64) / 1_000
    return Said(np.stack([p, 1.0 - p], axis=1), sampled(labels.id * np.uint64(3), share))


def taught(labels: Labels, said: Said | None = None, parts: int = 1, **changes: object) -> Challengers:
    """Challengers who have learnt these, in so many parts."""
    challengers, said = Challengers(RULES, UNFITTED, **changes), said or said_of(labels)
    for at in np.array_split(np.arange(len(labels)), parts):
        challengers.learn(labels.take(at), Said(said.p[at], said.known[at]))
    return challengers


def state(challengers: Challengers) -> tuple[object, ...]:
    return challengers.alone.state(), challengers.compared.state(), challengers.labels, challengers.newest_ms


def by_twin(labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """(p, whether there is one) of a regression taught anew, for each snapshot, with what its copy may have learnt.

    A copy has all that was known before a day that two divides; of those, a snapshot has the newest whose labels were all known
    before it.
    """
    columns = design(labels.inputs, UNFITTED, float(HORIZON_DAYS))
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in columns.tolist()]
    known_day, at_day = labels.known_ms // DAY_MS, labels.at_ms // DAY_MS
    p, there = np.zeros(len(labels)), np.zeros(len(labels), np.bool_)
    for day in np.unique(at_day).tolist():
        upto_day = max((d for d in known_day.tolist() if d < day and (d + 1) % EVERY_DAYS == 0), default=None)
        if upto_day is None:
            continue
        twin = LogisticRegression(AdaGrad(LEARNING_RATE))
        for k in np.flatnonzero(known_day <= upto_day).tolist():
            twin.learn_one(rows[k], bool(labels.left[k]))
        for k in np.flatnonzero(at_day == day).tolist():
            p[k], there[k] = twin.predict_proba_one(rows[k])[True], True
    return np.clip(p, 1e-4, 1 - 1e-4), there


def test_a_label_is_judged_by_the_newest_copy_from_before_its_snapshot():
    labels = labels_of(20)
    p, there = by_twin(labels)
    challengers = taught(labels)
    expected, found = measure(p[there], labels.left[there]), challengers.alone.measured("adagrad", "total")
    assert found.n == expected.n > 10 * A_DAY
    assert (found.log_loss, found.brier) == (pytest.approx(expected.log_loss, abs=1e-6), pytest.approx(expected.brier, abs=1e-6))


def test_others_stand_beside_them_on_the_labels_of_which_all_have_said_something():
    labels = labels_of(20)
    said, (_, there) = said_of(labels), by_twin(labels)
    compared = there & said.known
    found = taught(labels, said).measured("total")
    for place, name in enumerate(("champion", "closed_form")):
        expected = measure(said.p[compared, place], labels.left[compared])
        one = found["watched"][name]
        assert (one.n, one.log_loss) == (expected.n, pytest.approx(expected.log_loss, abs=1e-6)), name
    assert list(found["watched"]) == ["champion", "closed_form", *CHALLENGERS]
    assert {one.n for one in found["watched"].values()} == {int(compared.sum())}
    assert {one.n for one in found["all"].values()} == {int(there.sum())}
    assert {one.n for one in found["repeat_buyers"].values()} == {int((there & (labels.inputs[:, 0] >= 1)).sum())}
    assert list(found["all"]) == list(found["repeat_buyers"]) == list(CHALLENGERS)


@pytest.mark.parametrize("day", [8, 13])
def test_what_is_said_of_a_snapshot_depends_on_nothing_that_was_known_later(day):
    """Outcomes from the snapshot's day on are turned round: what was measured up to the labels of that day is as it was."""
    labels = labels_of(day + HORIZON_DAYS + 2)
    at_ms = START_MS + day * DAY_MS
    other = replace(labels, left=np.where(labels.known_ms >= at_ms, 1 - labels.left, labels.left))
    judged = int(((labels.at_ms <= at_ms) & by_twin(labels)[1]).sum())
    one, turned = (taught(labels).alone._p[:judged] for labels in (labels, other))
    assert judged >= A_DAY
    assert one.tobytes() == turned.tobytes()


def test_what_was_known_before_a_snapshot_is_what_is_asked():
    """And so not another: were outcomes from before turned round, it would be measured otherwise."""
    labels = labels_of(20)
    other = replace(labels, left=np.where(labels.known_ms < START_MS + 3 * DAY_MS, 1 - labels.left, labels.left))
    assert taught(labels).alone._p.tobytes() != taught(other).alone._p.tobytes()


@pytest.mark.parametrize("parts", [2, 7, 16 * A_DAY])
def test_equal_labels_give_equal_measures_wherever_they_are_cut(parts):
    labels = labels_of(16)
    assert state(taught(labels, parts=parts)) == state(taught(labels))


def test_another_seed_is_another_forest_and_the_same_regression():
    labels = labels_of(40)
    one, other = (taught(labels, seed=seed).measured("total")["all"] for seed in (1, 2))
    assert one["forest"] != other["forest"]
    assert one["adagrad"] == other["adagrad"]


def test_a_share_of_the_labels_is_learnt_always_the_same():
    labels = labels_of(12)
    labels = replace(labels, id=labels.id * np.uint64(2))  # ids are of 64 bits, those of `random_labels` of 63
    chosen = sampled(labels.id, 0.4)
    assert 0.3 < chosen.mean() < 0.5
    assert state(taught(labels, share=0.4)) == state(taught(labels.take(chosen), share=0.4)) == state(taught(labels.take(chosen)))
    assert not (chosen & ~sampled(labels.id, 0.7)).any()  # who is of a share is of every greater one
    assert sampled(labels.id, 1.0).all()


def test_copies_are_kept_as_long_as_a_label_may_ask_for_them():
    challengers = taught(labels_of(30))
    last_ms = START_MS + 29 * DAY_MS
    oldest_ms = last_ms - (HORIZON_DAYS + LATEST_DAYS) * DAY_MS
    assert challengers.copies[0].until_ms < oldest_ms + EVERY_DAYS * DAY_MS
    assert len(challengers.copies) <= (HORIZON_DAYS + LATEST_DAYS) // EVERY_DAYS + 2


def test_without_labels_there_is_nothing_to_say():
    challengers = taught(Labels.none(), Said(np.empty((0, 2)), np.empty(0, np.bool_)))
    assert challengers.labels == challengers.measured("rolling")["all"]["forest"].n == 0
