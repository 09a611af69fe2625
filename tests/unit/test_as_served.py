"""Which model judges a label, what is kept of the past, and what idle time says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detectors.as_served import NAMES, AsServed, Offer
from detectors.design import prior_mean
from detectors.idle_time import CENTRE, IdleTime, idle_p, idle_z
from detectors.linear_model import LinearModel
from detectors.model_inputs import INPUTS
from detectors.served import ServedModel
from tests.support.random_labels import DAY_MS, FITTED, random_inputs, random_labels

START_MS = 12_000 * DAY_MS


def model(shift=0.0, *, serves=True):
    return ServedModel(FITTED, 30.0, LinearModel(prior_mean(), f"m{shift}", 5, 1, 2, shift), serves)


def offer(day, shift=0.0, **changes):
    return replace(Offer(START_MS + day * DAY_MS, model(shift), 0.1, 0.5), **changes)


def taken_on(day, n=6):
    """Labels of snapshots on a day."""
    labels = random_labels(np.random.default_rng(day), n, START_MS, 30)
    return replace(labels, at_ms=np.full(n, START_MS + day * DAY_MS))


def champion(past, labels):
    return past.said(labels).p[:, NAMES.index("champion")]


def test_a_label_is_judged_by_the_last_offer_before_its_snapshot():
    past = AsServed(kept_days=40)
    for day, shift in ((1, -1.0), (2, 0.0), (5, 1.0)):
        past.offer(offer(day, shift))
    for day, shift in ((2, -1.0), (3, 0.0), (5, 0.0), (6, 1.0), (30, 1.0)):
        labels = taken_on(day)
        assert np.array_equal(champion(past, labels), model(shift).risk(labels.inputs)), day
    assert not past.said(taken_on(1)).judged.any()


def test_labels_of_several_days_are_each_judged_by_their_own():
    past = AsServed(kept_days=40)
    for day, shift in ((1, -1.0), (2, 1.0)):
        past.offer(offer(day, shift, on_record=shift > 0))
    both = taken_on(2)
    both = replace(both, at_ms=np.where(np.arange(6) % 2 == 0, START_MS + 2 * DAY_MS, START_MS + 9 * DAY_MS))
    said = past.said(both)
    expected = np.where(np.arange(6) % 2 == 0, model(-1.0).risk(both.inputs), model(1.0).risk(both.inputs))
    assert np.array_equal(said.p[:, 0], expected)
    assert said.on_record.tolist() == [False, True] * 3


def test_what_was_in_force_at_the_oldest_day_is_kept_and_no_more():
    past = AsServed(kept_days=10)
    for day in range(1, 31):
        past.offer(offer(day, float(day // 8)))
    assert len(past.state()) == 2  # in force on days 16 to 23 and from day 24; day 20 is the oldest that may be asked for
    labels = taken_on(20)
    assert np.array_equal(champion(past, labels), model(2.0).risk(labels.inputs))


def test_what_serves_is_the_champion_the_closed_form_or_what_is_pinned():
    labels = taken_on(3)
    for found, expected in (
        (offer(1, 1.0), model(1.0)),
        (offer(1, model=model(1.0, serves=False)), ServedModel(FITTED, 30.0)),
        (offer(1, 1.0, pinned=model(-2.0)), model(-2.0)),
    ):
        past = AsServed(kept_days=10)
        past.offer(found)
        said = past.said(labels).p
        assert np.array_equal(said[:, NAMES.index("served")], expected.risk(labels.inputs))
        assert np.array_equal(said[:, NAMES.index("champion")], model(1.0).risk(labels.inputs))
        assert np.array_equal(said[:, NAMES.index("closed_form")], ServedModel(FITTED, 30.0).risk(labels.inputs))


def test_idle_time_is_a_kalman_filter_of_two_weights():
    """The same in matrices, from the definition: precision grows by curvature z z', the mean moves by its inverse."""
    chance = np.random.default_rng(2)
    idle, mean, covariance = IdleTime(), np.zeros(2), np.eye(2)
    for z, left in zip(chance.normal(0, 1, 200), chance.integers(0, 2, 200), strict=True):
        row = np.array([1.0, z])
        p = 1 / (1 + np.exp(-row @ mean))
        covariance = np.linalg.inv(np.linalg.inv(covariance) + max(p * (1 - p), 0.02) * np.outer(row, row))
        mean = mean + covariance @ row * (left - p)
        covariance = covariance + 1e-7 * np.eye(2)
        idle.learn(float(z), int(left))
    assert [idle.level, idle.slope] == pytest.approx(mean, rel=1e-6)
    assert [idle.level_variance, idle.covariance, idle.slope_variance] == pytest.approx(
        [covariance[0, 0], covariance[0, 1], covariance[1, 1]], rel=1e-6
    )


def test_idle_time_learns_from_labels_how_bad_a_sign_silence_is():
    chance, idle = np.random.default_rng(4), IdleTime()
    z = chance.normal(0.0, 1.0, 20_000)
    left = (chance.random(20_000) < 1 / (1 + np.exp(-(-0.5 + 1.2 * z)))).astype(int)
    for one, what in zip(z.tolist(), left.tolist(), strict=True):
        idle.learn(one, what)
    assert (idle.level, idle.slope) == (pytest.approx(-0.5, abs=0.1), pytest.approx(1.2, abs=0.1))


def test_idle_time_ranks_as_idle_days_do():
    inputs = random_inputs(np.random.default_rng(1), 100)
    z = idle_z(inputs)
    assert z == pytest.approx(np.log1p(inputs[:, INPUTS.index("idle_days")]) - CENTRE, abs=1e-6)
    assert np.array_equal(np.argsort(idle_p(0.3, 0.8, z)), np.argsort(z))
