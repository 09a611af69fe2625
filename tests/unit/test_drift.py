"""Drift: what is an alarm and what is not, and what it does to what was learnt."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import drift
from detectors.design import COLUMNS, prior_variance
from detectors.drift import DriftWatch, widened
from detectors.measures import losses


def alarms(watch, values):
    """(label, Drift) of each alarm."""
    told = ((k, watch.update(float(value))) for k, value in enumerate(values))
    return [(k, alarm) for k, alarm in told if alarm is not None]


@pytest.fixture
def chance():
    return np.random.default_rng(7)


def test_a_champion_that_becomes_worse_than_it_was_is_an_alarm_with_its_numbers(chance):
    watch = DriftWatch(0.002)
    assert not alarms(watch, chance.normal(-0.01, 0.2, 5000))
    [(label, alarm), *_] = alarms(watch, chance.normal(0.09, 0.2, 2000))
    assert label < 1000
    assert alarm.before == pytest.approx(-0.01, abs=0.02)
    assert alarm.since == pytest.approx(0.09, abs=0.05)
    assert alarm.labels == pytest.approx(label + 1, rel=0.5)


def test_a_champion_that_becomes_better_is_none(chance):
    watch = DriftWatch(0.002)
    assert not alarms(watch, np.concatenate([chance.normal(0.0, 0.2, 5000), chance.normal(-0.2, 0.2, 5000)]))


def test_more_leavers_everywhere_is_none(chance):
    """Champion and closed form say nearly the same; then twice as many leave as both say."""
    watch = DriftWatch(0.002)
    for base_rate in (0.3, 0.6):
        logit = chance.normal(np.log(0.3 / 0.7), 0.5, 6000)
        p = 1 / (1 + np.exp(-logit))
        champion = 1 / (1 + np.exp(-(logit + chance.normal(0.0, 0.2, 6000))))
        left = (chance.random(6000) < np.clip(p * base_rate / 0.3, 0, 1)).astype(np.uint8)
        assert losses(champion, left).mean() == pytest.approx(0.6 if base_rate == 0.3 else 0.85, abs=0.1)
        assert not alarms(watch, losses(champion, left) - losses(p, left))


def test_what_it_has_seen_is_all_of_its_state_and_bounded(chance, monkeypatch):
    monkeypatch.setattr(drift, "KEPT", 300)
    values = np.concatenate([chance.normal(mean, 0.2, 900) for mean in (0.0, 0.3, 0.1, 0.6, -0.2, 0.4)])
    whole = DriftWatch(0.002)
    expected, found, continued = [], [], DriftWatch(0.002)
    for k, value in enumerate(values):
        expected += alarms(whole, [value])
        continued = DriftWatch.from_bytes(continued.to_bytes(), 0.002) if k % 37 == 0 else continued
        found += alarms(continued, [value])
        assert len(continued.to_bytes()) < 8 * 600
    assert len(expected) >= 2
    assert found == expected
    assert continued.to_bytes() == whole.to_bytes()


def test_a_wider_posterior_keeps_its_correlations_and_ends_at_the_prior(chance):
    n = len(COLUMNS)
    factor = chance.normal(0.0, 0.05, (n, 4))
    narrow = factor @ factor.T + np.diag(prior_variance() * chance.choice([1.0, 0.01], n))
    wide = widened(narrow)
    variance, before = np.diagonal(wide), np.diagonal(narrow)
    expected = np.maximum(before, np.minimum(4 * before, prior_variance()))
    assert variance == pytest.approx(expected)
    assert (variance > before).any()
    correlation = [matrix / np.sqrt(np.outer(np.diagonal(matrix), np.diagonal(matrix))) for matrix in (narrow, wide)]
    assert correlation[1] == pytest.approx(correlation[0])
    assert np.array_equal(wide, wide.T)


@pytest.mark.parametrize("delta", [0.0, 1.0, float("nan")])
def test_a_chance_that_is_none_is_refused(delta):
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        DriftWatch(delta)
