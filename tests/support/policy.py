"""Evaluations of one customer told as a story, for tests of the policy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from alerts.policy import POLICY_STATE, Decisions, ReasonCode, decide
from alerts.rules import PolicyRules

H = 3_600
T0 = 1_700_000_000
RULES = PolicyRules(
    fire_bp=(5000, 7000, 8500),
    release_bp=(4200, 6200, 7700),
    breaches=2,
    breach_spacing_s=6 * H,
    cool_down_s=168 * H,
    min_purchases=2,
)


class Look(NamedTuple):
    """An evaluation `at_h` hours after T0, and the reason and tier that must come of it."""

    at_h: float
    risk: float
    reason: str
    tier: int
    purchases: int = 5
    by_purchase: bool = False
    ended: bool = False


def one(state: np.ndarray, look: Look, rules: PolicyRules = RULES) -> Decisions:
    return decide(
        state,
        np.array([round(look.risk * 10_000)], np.uint16),
        np.array([int((T0 + look.at_h * H) * 1000)]),
        np.array([look.purchases]),
        np.array([look.by_purchase]),
        rules,
        np.array([look.ended]),
    )


def play(looks: list[Look], rules: PolicyRules = RULES) -> np.void:
    state = np.zeros(1, POLICY_STATE)
    for number, look in enumerate(looks):
        decisions = one(state, look, rules)
        got = (number, ReasonCode(decisions.reason[0]).name, int(decisions.state["tier"][0]))
        assert got == (number, look.reason, look.tier)
        state = decisions.state
    return state[0]


FIRED_HIGH = [Look(0, 0.75, "AWAITING_BREACHES", 0), Look(6, 0.75, "FIRED", 2)]
RETURNED = [*FIRED_HIGH, Look(10, 0.10, "RESOLVED_RETURNED", 0, by_purchase=True)]
