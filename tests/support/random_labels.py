"""Labels of nobody: inputs as they may be, outcomes by chance from silence and money, known tick by tick."""

from __future__ import annotations

import numpy as np

from detectors.labels import Labels
from detectors.model_inputs import INPUTS
from detectors.parameters import SHIPPED, BtydParameters
from detectors.scored import Scored, scored
from detectors.served import ServedModel

DAY_MS = 86_400_000
FITTED: BtydParameters = BtydParameters(
    model="mbg_nbd", version="fitted-1", r=1.2, alpha_days=25.0, a=0.6, b=2.5, customers=900, log_likelihood=None,
    fitted_at_ms=1_000 * DAY_MS, source="invented",
)  # fmt: skip
SECOND_FIT = BtydParameters(
    model="mbg_nbd", version="fitted-2", r=0.9, alpha_days=31.0, a=0.7, b=2.1, customers=950, log_likelihood=None,
    fitted_at_ms=1_100 * DAY_MS, source="invented",
)  # fmt: skip
UNFITTED = SHIPPED


def random_inputs(chance: np.random.Generator, n: int) -> np.ndarray:
    """n rows of raw inputs within their ranges."""
    inputs = chance.gamma(1.0, 3.0, (n, len(INPUTS))).astype(np.float32)
    place = {name: k for k, name in enumerate(INPUTS)}
    repeats = chance.integers(0, 6, n)
    between = np.where(repeats > 0, repeats * chance.uniform(3, 30, n), 0).round()
    idle = chance.exponential(20.0, n)
    inputs[:, place["repeat_days"]], inputs[:, place["between_days"]] = repeats, between
    inputs[:, place["observed_days"]] = between + np.floor(idle)
    inputs[:, place["idle_days"]] = idle
    inputs[:, place["spent_minor"]] = chance.gamma(2.0, 5_000.0, n)
    return inputs


def random_labels(chance: np.random.Generator, n: int, known_ms: int, horizon_days: int) -> Labels:
    """n labels known within the day that ends at `known_ms`, of snapshots a horizon and a day before."""
    inputs = random_inputs(chance, n)
    money, idle = inputs[:, INPUTS.index("spent_minor")], inputs[:, INPUTS.index("idle_days")]
    logit = (idle - 20.0) / 15.0 - (money - 10_000.0) / 6_000.0
    left = (chance.random(n) < 1.0 / (1.0 + np.exp(-logit))).astype(np.uint8)
    known = np.full(n, known_ms, np.int64)
    at_ms = known - (horizon_days + 1) * DAY_MS
    return Labels(chance.integers(0, 2**63, n).astype(np.uint64), at_ms, known, left, inputs).in_order()


def random_scores(chance: np.random.Generator, n: int, model: ServedModel) -> Scored:
    """What n customers taken down now are scored by the model in use."""
    closed_form, logit = model.logits(random_inputs(chance, n))
    return scored(closed_form, logit, "" if model.linear is None else model.linear.version)
