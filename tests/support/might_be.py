"""Customers who might be, as inputs of a model: times and counts fit together, some have complaints and logins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.model_inputs import INPUTS


def customers(n: int, seed: int = 1) -> NDArray[np.float32]:
    """float32 (n, len(INPUTS)); same seed, same customers."""
    rng = np.random.default_rng(seed)
    known = dict.fromkeys(INPUTS, np.zeros(n))
    gaps = rng.geometric(0.3, n) - 1
    known["repeat_days"], known["idle_days"] = gaps, rng.exponential(60, n)
    known["between_days"] = np.where(gaps > 0, np.rint(rng.exponential(40, n) * gaps) + gaps, 0)
    known["observed_days"] = np.rint(known["between_days"] + known["idle_days"])
    known["purchases"], known["spent_minor"] = gaps + 1, rng.lognormal(8, 1, n) * (gaps + 1)
    known["gap_sq_sum"] = known["between_days"] ** 2 / np.maximum(gaps, 1) * rng.uniform(1, 2, n)
    known["longest_gap_days"] = known["last_gap_days"] = known["between_days"] / np.maximum(gaps, 1)
    known["days_180d"] = np.minimum(gaps + 1, 3)
    known["decayed_purchases_45"] = known["decayed_purchases_120"] = np.exp(-known["idle_days"] / 45)
    known["complaints"] = known["complaints_30d"] = rng.random(n) < 0.1
    known["logins"] = known["logins_365d"] = known["logins_90d"] = rng.poisson(2, n)
    return np.stack([known[name] for name in INPUTS], axis=1).astype(np.float32)
