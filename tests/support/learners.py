"""Learners that have learnt something, for tests."""

from __future__ import annotations

import numpy as np

from detectors.champion import GateRules
from detectors.labels import Labels
from detectors.learner import Learner
from detectors.learner_rules import LearnerRules
from detectors.model_inputs import INPUTS
from detectors.parameters import SHIPPED
from detectors.scored import scored
from streams.columns import DAY_MS

RULES = LearnerRules(horizon_days=4, grid_days=2, gate=GateRules(min_each=5, min_days=3, settle_labels=10), window_days=10)
DAY_0 = 20_000


def some_labels(day: int, count: int, seed: int = 0) -> Labels:
    """Labels that became known at the beginning of a day, of customers who are watched; who buys often stays."""
    chance = np.random.default_rng((seed, day))
    inputs = np.zeros((count, len(INPUTS)), np.float32)
    repeat, idle = chance.integers(1, 9, count), chance.integers(0, 8, count)
    for name, values in (
        ("repeat_days", repeat),
        ("between_days", repeat * 7),
        ("observed_days", repeat * 7 + idle),
        ("idle_days", idle),
    ):
        inputs[:, INPUTS.index(name)] = values
    left = (chance.random(count) < 0.95 - repeat / 10).astype(np.uint8)
    known_ms = np.full(count, day * DAY_MS)
    ids = np.arange(count, dtype=np.uint64) + np.uint64(day << 32)
    return Labels(ids, known_ms - 5 * DAY_MS, known_ms, left, inputs).in_order()


def a_learner(days: int, labels_a_day: int = 20) -> Learner:
    """One that has learnt for so many days; from the fifth on what it learnt serves."""
    learner = Learner(RULES, SHIPPED)
    chance = np.random.default_rng(5)
    for day in range(DAY_0, DAY_0 + days):
        champion = learner.served().linear
        risk = chance.random(150)
        learner.scored(
            [scored(risk, chance.normal(size=150) if champion else None, champion.version if champion else "")], day * DAY_MS
        )
        learner.learn(some_labels(day, labels_a_day), day * DAY_MS)
    return learner
