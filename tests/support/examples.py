"""How many examples a property gets.

HYPOTHESIS_PROFILE   quick (default): the same examples on every run; thorough: 20 times as many, drawn anew
                     (`pytest --hypothesis-seed=N` repeats a run)
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

PROFILES = {"quick": 1, "thorough": 20}


def examples(n: int) -> settings:
    """Settings of a property that needs `n` examples in the quick profile. Raises ValueError for an unknown profile."""
    profile = os.environ.get("HYPOTHESIS_PROFILE", "quick")
    if profile not in PROFILES:
        raise ValueError(f"HYPOTHESIS_PROFILE is {profile!r}: must be one of {', '.join(PROFILES)}")
    return settings(
        max_examples=n * PROFILES[profile],
        derandomize=profile == "quick",
        deadline=None,  # a far jump in time fires many looks: examples differ a hundredfold in cost
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
