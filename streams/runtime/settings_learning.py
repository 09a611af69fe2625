"""The settings of learning: when customers' outcomes are taken down, how they are learnt from, and what serves."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from streams.runtime.settings_base import Positive, Section


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
    refit_days: int = Field(
        30,
        ge=1,
        le=3650,
        description="The closed form is fitted anew every so many days of event time; with risk.parameters_file never",
    )
    min_labels: int = Field(
        100, ge=1, description="Labels of each outcome among the evidence without which what was learnt does not serve"
    )
    evidence_days: int = Field(90, ge=1, le=3650, description="What was learnt is judged by the labels of so many days")
    min_days: int = Field(30, ge=0, le=3650, description="And the days over which they must lie")
    settle_labels: int = Field(500, ge=0, description="Labels between two changes of what serves")
    tolerance: float = Field(
        0.002,
        ge=0,
        description="What was learnt serves on while its log loss is above the closed form's and idle time's by no more, nats",
    )
    measured_labels: int = Field(10_000, ge=100, le=1_000_000, description="Labels in the rolling measures")
    challengers_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the labels that challengers learn and are measured by; less where their forest is too slow",
    )
    drift_delta: float = Field(
        0.002, gt=0, lt=1, description="Chance of a false alarm whenever it is looked whether what was learnt holds no longer"
    )
    publish_s: Positive = Field(60.0, description="What is learnt live reaches the workers at most every so many seconds")
    keep_models: int = Field(
        30, ge=1, le=1000, description="Models kept on `churn.models` to go back to, at most one a day of event time"
    )

    @property
    def serves(self) -> bool:
        """Whether workers score by what was learnt."""
        return self.enabled and self.serve


DECIDES_NOTHING: Final = frozenset({"publish_s", "keep_models", "measured_labels", "challengers_share"})
"""Settings of learning on which no decision depends."""
