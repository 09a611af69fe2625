"""Why a risk is what it is: contributions that add up, and reasons in words.

The closed form sees two things about a customer, and the logit of the risk is split between them:

    logit(risk) = base + silence + rhythm

    silence   the idle days as they are, against none: now moved back to the last purchase day (T := t_x)
    rhythm    the repeat days as they are, against what the population's mean rate makes of the same time (x := t_x r / alpha)
    base      the risk of that mean customer on a purchase day

Each is the Shapley value: the mean of what it adds before and after the other, since five weeks mean one thing to a weekly
and another to a yearly buyer. Positive contributions raise the risk. A one-time buyer has no rhythm: exactly 0.

Source: Shapley 1953; Lundberg & Lee 2017 for the use on scores.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from detectors.btyd import history, logit_no_purchase
from detectors.column import Column, Numbers
from detectors.parameters import BtydParameters

Feature = Literal["silence", "rhythm", "complaints", "logins", "refunds"]

MIN_LOGINS_90D = 6
"""Fewer logins in 90 days cannot be seen to thin out."""

THINNED_SHARE = 0.5
"""Logins have thinned out when 30 days brought at most this share of a third of the 90-day count."""


class Contributions(NamedTuple):
    """Columns in log odds: base + silence + rhythm is the logit of the risk, to float64 rounding."""

    base: Column
    silence: Column
    rhythm: Column


class Reason(msgspec.Struct, frozen=True, gc=False):
    """One thing that is known about a customer and bears on the risk.

    feature        what it is about, one of `Feature`
    contribution   log odds, 3 decimals, > 0 raises the risk; None: seen, but no part of the score
    value          the number that the text is about, in `unit`
    text           in words, for a person who has seconds
    """

    feature: Feature
    contribution: float | None
    value: float | int | None
    unit: str
    text: str


def contributions(params: BtydParameters, x: Numbers, t_x_days: Numbers, T_days: Numbers, horizon_days: float) -> Contributions:
    """The logit of `btyd.p_no_purchase` in three parts, one value a row. Arguments and errors as there.

    >>> from detectors.parameters import SHIPPED
    >>> [part.round(2).tolist() for part in contributions(SHIPPED, [0, 12], [0, 200], [63, 210], 90.0)]
    [[0.91, 0.02], [0.86, 0.26], [0.0, -2.29]]
    """
    x, t_x_days, T_days = history(x, t_x_days, T_days)
    mean_x = t_x_days * (params.r / params.alpha_days)
    neither = logit_no_purchase(params, mean_x, t_x_days, t_x_days, horizon_days)
    silence_only = logit_no_purchase(params, mean_x, t_x_days, T_days, horizon_days)
    rhythm_only = logit_no_purchase(params, x, t_x_days, t_x_days, horizon_days)
    both = logit_no_purchase(params, x, t_x_days, T_days, horizon_days)
    silence = 0.5 * ((silence_only - neither) + (both - rhythm_only))
    rhythm = 0.5 * ((rhythm_only - neither) + (both - silence_only))
    return Contributions(neither, silence, rhythm)


def explain(
    *,
    idle_days: float,
    usual_gap_days: float | None,
    gap_spread_days: float | None,
    purchases: int,
    tenure_days: float,
    silence: float,
    rhythm: float,
    complaints_30d: int,
    complaints_90d: int,
    mean_severity_90d: float | None,
    last_complaint_days: float | None,
    logins_30d: int,
    logins_90d: int,
    last_login_days: float | None,
    refunds_90d_minor: int,
    spent_90d_minor: int,
) -> list[Reason]:
    """The reasons for one customer: first silence and rhythm, the larger |contribution| first, then signals not scored.

    idle_days             since the last order, >= 0; last_*_days likewise, None where there was none
    usual_gap_days        own usual days between orders, gap_spread_days their spread; None where not known yet
    purchases             orders in life, >= 1; tenure_days since the first one, >= 0
    silence, rhythm       this customer's `contributions`
    *_30d, *_90d          counts of the last 30 and 90 days; mean_severity_90d 1..5, None without complaints
    *_minor               money of the last 90 days, minor units, >= 0; spent before refunds are taken off
    Signals that say nothing (no complaint, logins as ever, no refund) are left out.
    Raises ValueError for purchases or days out of range.

    >>> for reason in explain(
    ...     idle_days=63, usual_gap_days=14, gap_spread_days=3, purchases=9, tenure_days=175, silence=2.41, rhythm=-0.83,
    ...     complaints_30d=1, complaints_90d=1, mean_severity_90d=4, last_complaint_days=1, logins_30d=8, logins_90d=24,
    ...     last_login_days=2, refunds_90d_minor=0, spent_90d_minor=5000):
    ...     print(reason.contribution, reason.text)
    2.41 no order for 63 days; usually every 14
    -0.83 9 orders in 175 days; gaps of 14 days, give or take 3
    None 1 complaint yesterday, severity 4 of 5
    """
    if purchases < 1 or not (idle_days >= 0 and tenure_days >= 0):
        raise ValueError(
            f"purchases = {purchases}, idle_days = {idle_days:g}, tenure_days = {tenure_days:g}: "
            "must be at least 1, 0 and 0; explain only customers who have ordered, at or after their last order"
        )
    reasons = [
        _silence(idle_days, usual_gap_days, purchases, silence),
        _rhythm(purchases, tenure_days, usual_gap_days, gap_spread_days, rhythm),
    ]
    if abs(rhythm) > abs(silence):
        reasons.reverse()
    if complaints_90d > 0:
        reasons.append(_complaints(complaints_30d, complaints_90d, mean_severity_90d, last_complaint_days))
    if logins_90d >= MIN_LOGINS_90D and 3 * logins_30d <= THINNED_SHARE * logins_90d:
        reasons.append(_logins(logins_30d, logins_90d, last_login_days))
    if refunds_90d_minor > 0:
        reasons.append(_refunds(refunds_90d_minor, spent_90d_minor))
    return reasons


def _silence(idle_days: float, gap_days: float | None, purchases: int, contribution: float) -> Reason:
    idle = int(idle_days)
    text = f"no order for {_count(idle, 'day')}" if idle else "ordered today"
    if gap_days is not None:
        text += f"; usually {_every(gap_days, spelt=idle < 2)}"
    elif purchases == 1:
        text += " since the only one" if idle else " for the first time"
    return Reason("silence", _scored(contribution), idle, "days", text)


def _rhythm(purchases: int, tenure_days: float, gap_days: float | None, spread_days: float | None, contribution: float) -> Reason:
    if purchases == 1:
        return Reason("rhythm", _scored(contribution), 1, "orders", "one order so far: no rhythm yet")
    tenure = int(tenure_days)
    text = f"{purchases} orders " + (f"in {_count(tenure, 'day')}" if tenure else "on one day")
    if gap_days is not None and gap_days >= 0.5:
        text += f"; gaps of {_count(max(1, round(gap_days)), 'day')}"
        if spread_days is not None:
            text += f", give or take {round(spread_days) or 'less than 1'}"
    return Reason("rhythm", _scored(contribution), purchases, "orders", text)


def _complaints(n_30d: int, n_90d: int, severity: float | None, last_days: float | None) -> Reason:
    if n_90d == 1 and last_days is not None:
        text = f"1 complaint {_ago(last_days)}"
    elif n_30d >= n_90d:
        text = f"{_count(n_90d, 'complaint')} in 30 days"
    else:
        text = f"{_count(n_90d, 'complaint')} in 90 days" + (f" ({n_30d} in the last 30)" if n_30d else "")
    if n_90d > 1 and last_days is not None:
        text += f", the last {_ago(last_days)}"
    if severity is not None:
        text += f", severity {severity:.0f} of 5" if n_90d == 1 else f", mean severity {severity:.1f} of 5"
    return Reason("complaints", None, n_90d, "complaints", text)


def _logins(n_30d: int, n_90d: int, last_days: float | None) -> Reason:
    text = f"logins thinned out: {n_30d or 'none'} in 30 days, {n_90d} in 90"
    if last_days is not None:
        text += f"; the last {_ago(last_days)}"
    return Reason("logins", None, n_30d, "logins", text)


def _refunds(refunds_minor: int, spent_minor: int) -> Reason:
    if spent_minor <= 0:
        return Reason("refunds", None, None, "share of spend", "refunds in 90 days, and nothing spent")
    share = refunds_minor / spent_minor
    percent = f"{100 * share:.0f}" if share >= 0.01 else "less than 1"
    return Reason("refunds", None, round(share, 3), "share of spend", f"refunds of {percent} % of what was spent in 90 days")


def _scored(contribution: float) -> float:
    return round(float(contribution), 3) + 0.0  # + 0.0 turns -0.0 into 0.0


def _count(n: int, noun: str) -> str:
    return f"1 {noun}" if n == 1 else f"{n} {noun}s"


def _every(gap_days: float, spelt: bool) -> str:
    """How often, in words; 'days' only where the sentence has not said it."""
    if gap_days < 0.5:
        return "several a day"
    gap = round(gap_days)
    if gap <= 1:
        return "every day"
    return f"every {gap} days" if spelt else f"every {gap}"


def _ago(days: float) -> str:
    whole = int(days)
    if whole == 0:
        return "today"
    return "yesterday" if whole == 1 else f"{whole} days ago"
