"""One customer and alerts about them, for tests that need an alert and not its making."""

from __future__ import annotations

from typing import Any

from alerts.alert import Alert, EventRef, ModelRef, build_alert
from alerts.context import AlertContext
from alerts.facts import CustomerFacts
from alerts.policy import ReasonCode, Transition
from detectors.causes import Cause
from detectors.reasons import Reason

DAY_MS = 86_400_000
AS_OF_MS = 1_700_000_000_250
FIRED_S = 1_700_000_000

FACTS = CustomerFacts(
    customer_id="c-17",
    as_of_ms=AS_OF_MS,
    first_seen_ms=AS_OF_MS - 400 * DAY_MS,
    first_purchase_day=19_275,
    last_purchase_ms=AS_OF_MS - 63 * DAY_MS,
    last_login_ms=None,
    last_complaint_ms=AS_OF_MS - DAY_MS,
    purchases=9,
    purchase_days=9,
    logins=0,
    complaints=1,
    severity_sum=4,
    refunds=0,
    spent_minor=200_000,
    refunded_minor=0,
    purchases_7d=0,
    purchases_30d=0,
    purchases_90d=2,
    purchases_365d=8,
    spent_7d_minor=0,
    spent_30d_minor=0,
    spent_90d_minor=40_000,
    spent_365d_minor=123_450,
    logins_7d=0,
    logins_30d=0,
    logins_90d=0,
    logins_365d=0,
    complaints_7d=1,
    complaints_30d=1,
    complaints_90d=1,
    complaints_365d=1,
    severity_7d=4,
    severity_30d=4,
    severity_90d=4,
    severity_365d=4,
    refunded_90d_minor=0,
    idle_days=63.0004,
    usual_gap_days=14.0,
    gap_spread_days=3.0,
    tenure_days=400.0,
    rfm=(1, 4, 5),
    segment="at-risk",
)

REASONS = (
    Reason("silence", 2.41, 63, "days", "no order for 63 days; usually every 14"),
    Reason("rhythm", -0.83, 9, "orders", "9 orders in 400 days; gaps of 14 days, give or take 3"),
    Reason("complaints", None, 1, "complaints", "1 complaint in 30 days, yesterday, severity 4 of 5"),
)

CONTEXT = AlertContext(horizon_days=90, currency="USD", config_hash="0123456789ab", holdout_share=0.0, holdout_salt="churnwatch")


def transition(decision: ReasonCode, tier: int, previous_tier: int, number: int) -> Transition:
    return Transition(decision, tier, previous_tier, number, FIRED_S)


def an_alert(moved: Transition | None = None, facts: CustomerFacts = FACTS, **changes: Any) -> Alert:
    """The alert of FACTS that fires at critical, with `changes` to what `build_alert` is told."""
    told: dict[str, Any] = {
        "risk_bp": 9_100,
        "idle_risk": 0.98889,
        "reasons": REASONS,
        "baseline": -0.46,
        "cause": "service",
        "cause_why": "rule: 1 complaint in 90 days",
        "suggested_action": "Call today: settle the complaint, then confirm in writing.",
        "event": EventRef("complaint", "e-5", "2023-11-13T22:13:20.250Z"),
        "model": ModelRef("mbg-nbd", "shipped-1"),
        "context": CONTEXT,
    }
    told |= changes
    told["cause"] = Cause(told["cause"], told.pop("cause_why"), told.pop("cause_confidence", None))
    return build_alert(facts, moved or transition(ReasonCode.FIRED, 3, 0, 1), **told)
