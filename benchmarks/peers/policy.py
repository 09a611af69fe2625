"""From risk to tier: two lines a tier, two breaches in a row and well apart, and a pause between alerts.

Tier k begins at its fire line and is kept down to its release line. A rise takes `BREACHES` breaches, of which those count that
come `SPACING_S` after the last that counted, and goes to the lowest tier of them; a fall is at once. After an alert has ended
none begins for `COOL_DOWN_S`. The numbers are those that the worker is shipped with.
"""

from __future__ import annotations

from typing import Any

FIRE = (0.5, 0.7, 0.85)
RELEASE = (0.42, 0.62, 0.77)
"""Risks at which tiers 1, 2 and 3 begin, and below which they end."""

BREACHES = 2
SPACING_S = 6 * 3_600
COOL_DOWN_S = 7 * 86_400
MIN_PURCHASES = 2

Policy = dict[str, Any]


def new_policy() -> Policy:
    """Nobody alerted; times are seconds, 0 = never. `number`: of the last message since the alert began at `episode_s`."""
    return {"tier": 0, "candidate": 0, "breaches": 0, "breach_s": 0, "number": 0, "episode_s": 0, "cool_from_s": 0}


def decide(policy: Policy, risk: float, at_s: int, purchases: int, by_purchase: bool) -> str | None:
    """Change the policy's state by one evaluation; what was decided where a message is to be sent, else None."""
    tier = policy["tier"]
    proposed = sum(risk >= line for line in FIRE)
    if proposed > tier and purchases >= MIN_PURCHASES:
        return _breach(policy, proposed, at_s)
    if policy["breaches"]:
        policy["candidate"] = policy["breaches"] = policy["breach_s"] = 0
    kept = sum(risk >= line for line in RELEASE)
    return _fall(policy, kept, at_s, by_purchase) if kept < tier else None


def _breach(policy: Policy, proposed: int, at_s: int) -> str | None:
    first = policy["breaches"] == 0
    policy["candidate"] = proposed if first else min(policy["candidate"], proposed)
    if first or at_s - policy["breach_s"] >= SPACING_S:
        policy["breaches"] = min(policy["breaches"] + 1, BREACHES)
        policy["breach_s"] = at_s
    fires = policy["tier"] == 0
    cooling = fires and policy["cool_from_s"] and at_s - policy["cool_from_s"] < COOL_DOWN_S
    if policy["breaches"] < BREACHES or cooling:
        return None
    policy["tier"] = policy["candidate"]
    policy["candidate"] = policy["breaches"] = policy["breach_s"] = 0
    if not fires:
        policy["number"] += 1
        return "escalated"
    policy["number"], policy["episode_s"] = 1, at_s
    return "fired"


def _fall(policy: Policy, kept: int, at_s: int, by_purchase: bool) -> str:
    policy["tier"] = kept
    policy["number"] += 1
    if kept:
        return "deescalated"
    policy["cool_from_s"] = at_s
    return "resolved_returned" if by_purchase else "resolved_risk_fell"
