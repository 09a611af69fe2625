"""The probable cause of a customer's leaving, in the seven classes by which a business can act.

A rule, not a finding: no model of causes is learnt yet. It reads what is known now about one customer and says "unknown"
rather than guess. Price, benefit, policy, industry and natural causes leave no trace in purchases, complaints and logins; they
stay in the vocabulary for people and for the learner to come.

Source of the classes: churn management literature; the first five are controllable.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

CauseClass = Literal["product", "price", "service", "benefit", "policy", "industry", "natural", "unknown"]

CAUSE_CLASSES: tuple[CauseClass, ...] = get_args(CauseClass)

CONTROLLABLE: frozenset[CauseClass] = frozenset({"product", "price", "service", "benefit", "policy"})

HIGH_REFUND_SHARE = 0.3
"""Refunds above this share of what was spent in 90 days point to the goods."""


class Cause(NamedTuple):
    """A cause class and what made us say so."""

    cause: CauseClass
    why: str


def probable_cause(*, complaints_90d: int, refunds_90d_minor: int, spent_90d_minor: int) -> Cause:
    """The first rule that holds: complaints in 90 days are service; a high refund share is product; else unknown.

    complaints_90d                      >= 0
    refunds_90d_minor, spent_90d_minor  minor units of the last 90 days, >= 0, spent before refunds are taken off
    Refunds with nothing spent count as high: the goods came back in the end.
    Raises ValueError for negative arguments.

    >>> probable_cause(complaints_90d=0, refunds_90d_minor=40, spent_90d_minor=100)
    Cause(cause='product', why='rule: refunds of 40 % of what was spent in 90 days')
    """
    if complaints_90d < 0 or refunds_90d_minor < 0 or spent_90d_minor < 0:
        raise ValueError(
            f"complaints_90d = {complaints_90d}, refunds_90d_minor = {refunds_90d_minor}, spent_90d_minor = {spent_90d_minor}: "
            "none may be below 0; refunds are positive amounts"
        )
    if complaints_90d > 0:
        noun = "complaint" if complaints_90d == 1 else "complaints"
        return Cause("service", f"rule: {complaints_90d} {noun} in 90 days")
    if refunds_90d_minor > HIGH_REFUND_SHARE * spent_90d_minor:
        if spent_90d_minor == 0:
            return Cause("product", "rule: refunds in 90 days, and nothing spent")
        return Cause(
            "product", f"rule: refunds of {100 * refunds_90d_minor / spent_90d_minor:.0f} % of what was spent in 90 days"
        )
    return Cause("unknown", "rule: no complaint and few refunds in 90 days")
