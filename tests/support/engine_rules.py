"""Rules for the engine's tests: the settings' defaults, and others at the edges of what may be set."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from hypothesis import strategies as st

from alerts.context import AlertContext
from alerts.rules import PolicyRules
from detectors.parameters import SHIPPED, BtydParameters
from detectors.served import ServedModel
from streams.columns import DAY_MS
from streams.engine import EngineRules
from streams.explain import Context
from streams.outcomes import OutcomeRules
from streams.timers import LookRules
from tests.oracle.engine_twin import EngineTwin

HOUR_MS = 3_600_000
DEFAULT_LOOKS = LookRules(min_ms=DAY_MS, max_ms=30 * DAY_MS, gap_permille=250, until_ms=730 * DAY_MS, default_gap_ms=30 * DAY_MS)
ODD_LOOKS = LookRules(min_ms=7_200_001, max_ms=20 * DAY_MS + 1, gap_permille=500, until_ms=100 * DAY_MS, default_gap_ms=10_007)
FORGETFUL_LOOKS = replace(ODD_LOOKS, forget_s=40 * 86_400)
LATE_TO_FORGET_LOOKS = replace(ODD_LOOKS, forget_s=370 * 86_400)  # long after looks have ended
DEFAULT_POLICY = PolicyRules(
    fire_bp=(5000, 7000, 8500),
    release_bp=(4200, 6200, 7700),
    breaches=2,
    breach_spacing_s=21_600,
    cool_down_s=604_800,
    min_purchases=2,
)
EAGER_POLICY = PolicyRules(
    fire_bp=(3000, 6000, 8000),
    release_bp=(2900, 5900, 7900),
    breaches=1,
    breach_spacing_s=0,
    cool_down_s=3_456_000,
    min_purchases=1,
)
PATIENT_POLICY = PolicyRules(
    fire_bp=(4000, 6000, 7500), release_bp=(2000, 4000, 5500), breaches=3, breach_spacing_s=90_001, cool_down_s=0, min_purchases=0
)


LIVELY = msgspec.structs.replace(SHIPPED, version="lively", r=2.0, alpha_days=20.0, a=0.1, b=3.0)
"""Parameters of a base that buys more often and leaves less: everybody's risk falls when they take over."""


MONTHLY = OutcomeRules(horizon_days=90, grid_days=30, active_days=365, lateness_ms=DAY_MS)
BUSY = OutcomeRules(horizon_days=4, grid_days=2, active_days=11, lateness_ms=7 * DAY_MS)
PROMPT = OutcomeRules(horizon_days=12, grid_days=3, active_days=90, lateness_ms=0)
BY_PURCHASES = (MONTHLY, BUSY, PROMPT)
BY_LOGINS = tuple(replace(rules, staying="logins") for rules in BY_PURCHASES)


def served(rules: EngineRules, parameters: BtydParameters = SHIPPED) -> ServedModel:
    """The closed form alone, under these rules."""
    return ServedModel(parameters, rules.horizon_days)


def engine_rules(
    lateness_ms: int = DAY_MS,
    horizon_days: float = 90.0,
    looks: LookRules = DEFAULT_LOOKS,
    policy: PolicyRules = DEFAULT_POLICY,
    outcomes: OutcomeRules | None = None,
) -> EngineRules:
    alert = AlertContext(
        horizon_days=horizon_days, currency="USD", config_hash="0" * 12, holdout_share=0.1, holdout_salt="churnwatch"
    )
    return EngineRules(lateness_ms, horizon_days, looks, policy, Context(alert, silence_patience=1.0), outcomes)


def any_rules() -> st.SearchStrategy[EngineRules]:
    return st.builds(
        engine_rules,
        lateness_ms=st.sampled_from([DAY_MS, 0, 1, HOUR_MS, 7 * DAY_MS]),
        horizon_days=st.sampled_from([90.0, 7.5]),
        looks=st.sampled_from([DEFAULT_LOOKS, DEFAULT_LOOKS, ODD_LOOKS, ODD_LOOKS, FORGETFUL_LOOKS, LATE_TO_FORGET_LOOKS]),
        policy=st.sampled_from([DEFAULT_POLICY, EAGER_POLICY, PATIENT_POLICY]),
        outcomes=st.sampled_from([None, *BY_PURCHASES, *BY_LOGINS]),
    )


def twin_of(rules: EngineRules) -> EngineTwin:
    """A twin that goes by the same rules and the shipped parameters."""
    lateness_ms, horizon_days, outcomes = rules.lateness_ms, rules.horizon_days, rules.outcomes
    return EngineTwin(SHIPPED, rules.policy, rules.looks, lateness_ms=lateness_ms, horizon_days=horizon_days, outcomes=outcomes)
