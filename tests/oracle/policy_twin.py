"""The alert policy, one customer at a time in plain words: the oracle for alerts/policy.py.

Slow and obvious on purpose. It shares no code with the columnar policy; only the names of the reasons are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class TwinRules:
    fire_bp: tuple[int, int, int]
    release_bp: tuple[int, int, int]
    breaches: int
    breach_spacing_s: int
    cool_down_s: int
    min_purchases: int


@dataclass(frozen=True)
class TwinState:
    tier: int = 0
    candidate: int = 0
    breaches: int = 0
    transition: int = 0
    breach_s: int = 0
    episode_s: int = 0
    cool_from_s: int = 0


@dataclass(frozen=True)
class TwinDecision:
    state: TwinState
    reason: str
    wants_look_ms: int = 0


def highest_reached(risk_bp: int, lines: tuple[int, int, int], up_to: int) -> int:
    for tier in range(up_to, 0, -1):
        if risk_bp >= lines[tier - 1]:
            return tier
    return 0


def decide_one(
    state: TwinState, risk_bp: int, as_of_ms: int, purchases: int, by_purchase: bool, rules: TwinRules, ended: bool = False
) -> TwinDecision:
    """One evaluation of one customer."""
    no_streak = replace(state, candidate=0, breaches=0, breach_s=0)
    now_s = as_of_ms // 1000

    if ended and state.tier > 0:
        return TwinDecision(replace(no_streak, tier=0, transition=state.transition + 1), "RESOLVED_CANCELLED")
    if ended:
        return TwinDecision(no_streak, "CANCELLED")
    if state.tier > 0 and risk_bp < rules.release_bp[state.tier - 1]:
        lower = highest_reached(risk_bp, rules.release_bp, state.tier - 1)
        fallen = replace(no_streak, tier=lower, transition=state.transition + 1)
        if lower > 0:
            return TwinDecision(fallen, "DEESCALATED")
        ended = replace(fallen, cool_from_s=now_s)
        return TwinDecision(ended, "RESOLVED_RETURNED" if by_purchase else "RESOLVED_RISK_FELL")

    if purchases < rules.min_purchases:
        return TwinDecision(no_streak, "TOO_FEW_PURCHASES")

    proposed = highest_reached(risk_bp, rules.fire_bp, 3)
    if proposed > state.tier:
        return breach(state, proposed, as_of_ms, rules)
    if state.tier == 0:
        return TwinDecision(no_streak, "BELOW_THRESHOLD")
    if proposed == state.tier:
        return TwinDecision(no_streak, "STEADY")
    return TwinDecision(no_streak, "HELD_BY_HYSTERESIS")


def breach(state: TwinState, proposed: int, as_of_ms: int, rules: TwinRules) -> TwinDecision:
    now_s = as_of_ms // 1000
    counts = False
    if state.breaches == 0:
        state = replace(state, candidate=proposed, breaches=1, breach_s=now_s)
        counts = True
    else:
        state = replace(state, candidate=min(state.candidate, proposed))
        if now_s - state.breach_s >= rules.breach_spacing_s:
            state = replace(state, breaches=state.breaches + 1, breach_s=now_s)
            counts = True
        # More than enough need not be counted: only "enough" is ever asked.
        state = replace(state, breaches=min(state.breaches, rules.breaches))

    if state.breaches < rules.breaches:
        if counts:
            return TwinDecision(state, "AWAITING_BREACHES", as_of_ms + rules.breach_spacing_s * 1000)
        return TwinDecision(state, "BREACH_TOO_SOON", (state.breach_s + rules.breach_spacing_s) * 1000)

    risen = replace(state, tier=state.candidate, candidate=0, breaches=0, breach_s=0)
    if state.tier > 0:
        return TwinDecision(replace(risen, transition=state.transition + 1), "ESCALATED")
    cool_until_s = state.cool_from_s + rules.cool_down_s
    if state.cool_from_s != 0 and now_s < cool_until_s:
        return TwinDecision(state, "COOLING_DOWN", cool_until_s * 1000)
    # No two episodes of a customer share their start, for the alert's id is made of it.
    return TwinDecision(replace(risen, transition=1, episode_s=max(now_s, state.episode_s + 1)), "FIRED")
