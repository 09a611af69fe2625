"""The probable cause of a customer's leaving, in the seven classes by which a business can act.

What the last complaint spoke of (`cause_model` reads it as it arrives), as long as that is recent; else a rule over what is
known now about the customer, which is no finding; else "unknown" rather than a guess. A learnt cause is the less sure the
longer ago the complaint is: its confidence halves every `HALF_LIFE_DAYS`.

Source of the classes: churn management literature; the first five are controllable.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

CauseClass = Literal["product", "price", "service", "benefit", "policy", "industry", "natural", "unknown"]

CAUSE_CLASSES: tuple[CauseClass, ...] = get_args(CauseClass)

CONTROLLABLE: frozenset[CauseClass] = frozenset({"product", "price", "service", "benefit", "policy"})

HIGH_REFUND_SHARE = 0.3
"""Refunds above this share of what was spent in 90 days point to the goods."""

RECENT_DAYS = 90
"""A complaint older than this says nothing any more."""
HALF_LIFE_DAYS = 45.0


class Example(NamedTuple):
    """A complaint whose cause a person has named; "" where text or category is absent."""

    cause: CauseClass
    text: str
    category: str = ""


class LastComplaint(NamedTuple):
    """What the customer's last complaint spoke of.

    cause        "unknown" where its words did not tell, or it had none
    confidence   of the model, as it read the complaint, 0 to 1
    age_days     since the complaint, >= 0
    """

    cause: CauseClass
    confidence: float
    age_days: float


class Cause(NamedTuple):
    """A cause class, what made us say so, and how sure that is.

    confidence   0 to 1; None for what a rule says, since a rule does not know how often it is right
    """

    cause: CauseClass
    why: str
    confidence: float | None = None


def controllable(cause: str) -> bool | None:
    """Whether the business can do something about such a cause; None for "unknown", and for what is no cause class."""
    return None if cause == "unknown" or cause not in CAUSE_CLASSES else cause in CONTROLLABLE


def probable_cause(
    *, complaints_90d: int, refunds_90d_minor: int, spent_90d_minor: int, last_complaint: LastComplaint | None = None
) -> Cause:
    """What the last complaint spoke of; else the first rule that holds: complaints in 90 days are service; a high refund share is
    product; else unknown.

    complaints_90d                      >= 0
    refunds_90d_minor, spent_90d_minor  minor units of the last 90 days, >= 0, spent before refunds are taken off
    last_complaint                      None: there has been none
    Refunds with nothing spent count as high: the goods came back in the end.
    Raises ValueError for negative arguments.

    >>> probable_cause(complaints_90d=0, refunds_90d_minor=40, spent_90d_minor=100)
    Cause(cause='product', why='rule: refunds of 40 % of what was spent in 90 days', confidence=None)
    >>> price = LastComplaint("price", 0.8, 45.2)
    >>> probable_cause(complaints_90d=1, refunds_90d_minor=0, spent_90d_minor=0, last_complaint=price)
    Cause(cause='price', why='learnt: the complaint of 45 days ago reads as price', confidence=0.3988)
    """
    if complaints_90d < 0 or refunds_90d_minor < 0 or spent_90d_minor < 0:
        raise ValueError(
            f"complaints_90d = {complaints_90d}, refunds_90d_minor = {refunds_90d_minor}, spent_90d_minor = {spent_90d_minor}: "
            "none may be below 0; refunds are positive amounts"
        )
    if last_complaint is not None and last_complaint.cause != "unknown" and last_complaint.age_days <= RECENT_DAYS:
        return _learnt(last_complaint)
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


def _learnt(last: LastComplaint) -> Cause:
    if last.age_days < 0:
        raise ValueError(f"age_days = {last.age_days}: a complaint cannot be ahead of the time it is told for")
    days = int(last.age_days)
    when = f"the complaint of {days} day{'' if days == 1 else 's'} ago" if days else "today's complaint"
    confidence = round(last.confidence * 2 ** (-last.age_days / HALF_LIFE_DAYS), 4)
    return Cause(last.cause, f"learnt: {when} reads as {last.cause}", confidence)
