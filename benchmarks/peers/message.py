"""What is sent when a tier changes: the decision, and the facts that a reader needs to act on it."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.windows import complaint_sums, sums

TIERS = ("none", "watch", "high", "critical")


def message(customer: str, state: dict[str, Any], decision: str, previous_tier: int) -> dict[str, Any]:
    """Of a customer who has bought, as at the newest event. Spend is minor units."""
    policy, at_ms = state["policy"], state["seen_ms"]
    facts = sums(state["windows"]) | complaint_sums(state["last_complaints"], at_ms // 1000)
    idle_days = round(max(at_ms - state["last_purchase_ms"], 0) / 86_400_000, 3)
    return {
        "alert_id": f"{customer}-{policy['episode_s']}",
        "number": policy["number"],
        "customer_id": customer,
        "decision": decision,
        "tier": TIERS[policy["tier"]],
        "previous_tier": TIERS[previous_tier],
        "risk": round(state["risk"], 4),
        "reason": _reason(idle_days, state["usual_gap_days"], facts),
        "at_ms": at_ms,
        "idle_days": idle_days,
        "usual_gap_days": state["usual_gap_days"] or None,
        **facts,
    }


def _reason(idle_days: float, usual_gap_days: float, facts: dict[str, int]) -> str:
    parts = [f"no purchase for {idle_days:.0f} days"]
    if usual_gap_days:
        parts.append(f"usually every {usual_gap_days:g}")
    if facts["complaints_90d"]:
        parts.append(f"complaints in 90 days: {facts['complaints_90d']}")
    if facts["logins_90d"] >= 6 and facts["logins_30d"] * 6 <= facts["logins_90d"]:
        parts.append(f"logins have thinned out: {facts['logins_30d']} in 30 days")
    return ", ".join(parts)
