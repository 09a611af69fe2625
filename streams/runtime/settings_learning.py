"""The settings of learning: when customers' outcomes are taken down, and who is learnt from."""

from __future__ import annotations

from pydantic import Field

from streams.runtime.settings_base import Section


class LearningSettings(Section):
    enabled: bool = Field(
        False, description="Take down what customers then did, for the learner to learn from, and serve what it learnt"
    )
    serve: bool = Field(
        True, description="Score by what was learnt; false: by the closed form, while outcomes are taken down and learnt"
    )
    snapshots_per_horizon: int = Field(
        3, ge=1, le=30, description="Snapshots of each customer in one horizon; risk.horizon_days must be a multiple of it"
    )
    active_days: int = Field(
        365, ge=1, le=3650, description="Snapshots are taken of customers whose last purchase is at most so many days ago"
    )
