"""From settings to the rules that the pure core works by; the same function for the worker, the backtest and the tests."""

from __future__ import annotations

from alerts.context import AlertContext
from alerts.rules import PolicyRules
from detectors.champion import GateRules
from detectors.learner_rules import LearnerRules
from streams.columns import DAY_MS
from streams.contract import EventRules
from streams.engine import EngineRules
from streams.explain import Context
from streams.outcomes import OutcomeRules
from streams.runtime.cause_files import cause_model
from streams.runtime.settings import Settings
from streams.timers import LookRules


def engine_rules(settings: Settings) -> EngineRules:
    """What decides, apart from the data and the model."""
    looks, policy, inactive_days = settings.looks, settings.policy, settings.retention.inactive_days
    return EngineRules(
        lateness_ms=settings.time.lateness_s * 1000,
        horizon_days=settings.risk.horizon_days,
        looks=LookRules(
            min_ms=looks.min_s * 1000,
            max_ms=looks.max_s * 1000,
            gap_permille=max(1, round(looks.gap_share * 1000)),
            until_ms=looks.until_days * DAY_MS,
            default_gap_ms=round(looks.default_gap_days * DAY_MS),
            forget_s=None if inactive_days is None else inactive_days * DAY_MS // 1000,
        ),
        policy=PolicyRules.from_settings(
            watch=policy.watch,
            high=policy.high,
            critical=policy.critical,
            release_margin=policy.release_margin,
            breaches=policy.breaches,
            breach_spacing_s=policy.breach_spacing_s,
            cool_down_s=policy.cool_down_s,
            min_purchases=policy.min_purchases,
        ),
        context=Context(
            alert=AlertContext(
                horizon_days=settings.risk.horizon_days,
                currency=settings.money.base_currency,
                config_hash=settings.config_hash,
                holdout_share=policy.holdout_share,
                holdout_salt=policy.holdout_salt,
                learnt_by=settings.risk.staying,
            ),
            silence_patience=settings.risk.silence_patience,
        ),
        outcomes=outcome_rules(settings),
    )


def outcome_rules(settings: Settings) -> OutcomeRules | None:
    """When customers are taken down for learning; None where nothing is learnt."""
    learning, horizon_days = settings.learning, settings.risk.horizon_days
    if not learning.enabled:
        return None
    return OutcomeRules(
        horizon_days=horizon_days,
        grid_days=horizon_days // learning.snapshots_per_horizon,
        active_days=learning.active_days,
        lateness_ms=settings.time.lateness_s * 1000,
        staying=settings.risk.staying,
    )


def learner_rules(settings: Settings) -> LearnerRules | None:
    """How it is learnt; None where nothing is."""
    outcomes, learning = outcome_rules(settings), settings.learning
    if outcomes is None:
        return None
    return LearnerRules(
        horizon_days=outcomes.horizon_days,
        grid_days=outcomes.grid_days,
        gate=GateRules(learning.min_labels, learning.min_days, learning.settle_labels, learning.tolerance),
        window_days=learning.evidence_days,
        window=learning.measured_labels,
        drift_delta=learning.drift_delta,
        staying=outcomes.staying,
    )


def event_rules(settings: Settings) -> EventRules:
    """What a live partition accepts as an event; one into which history is loaded goes by their `of_history`.

    Raises SettingsError where the model of causes cannot be read."""
    return EventRules(settings.money.base_currency, settings.money.rates, settings.time.skew_s * 1000, cause_model(settings))
