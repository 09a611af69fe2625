"""Why a risk is what it is: contributions that add up, and reasons in words.

The closed form sees two things about a customer, and the logit of the risk is split between them:

    logit(risk) = base + silence + rhythm

    silence   the idle days as they are, against none: now moved back to the last purchase day (T := t_x)
    rhythm    the repeat days as they are, against what the population's mean rate makes of the same time (x := t_x r / alpha)
    base      the risk of that mean customer on a purchase day

Each is the Shapley value: the mean of what it adds before and after the other, since five weeks mean one thing to a weekly
and another to a yearly buyer. Positive contributions raise the risk. A one-time buyer has no rhythm: exactly 0.

The linear model sees more, and its logit is a sum by itself (`served.ServedModel.contributions`): what each group of features
adds is exact. A group of which nothing is told goes to the base, so base and reasons always add up to the logit.

Source: Shapley 1953; Lundberg & Lee 2017 for the use on scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from detectors import reason_words as words
from detectors.btyd import history, logit_no_purchase
from detectors.column import Column, Numbers
from detectors.parameters import BtydParameters

Feature = Literal["silence", "rhythm", "complaints", "logins", "refunds", "frequency", "trend", "money", "tenure"]

LEAST_TOLD = 0.1
"""Log odds; a person has seconds, and less than this moves a risk of .5 by .025."""

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
    complaints_30d: int,
    complaints_90d: int,
    mean_severity_90d: float | None,
    last_complaint_days: float | None,
    logins_30d: int,
    logins_90d: int,
    last_login_days: float | None,
    refunds_90d_minor: int,
    spent_90d_minor: int,
    parts: Mapping[str, float],
    purchases_30d: int = 0,
    purchases_90d: int = 0,
    purchases_365d: int = 0,
    spent_365d_minor: int = 0,
) -> list[Reason]:
    """The reasons for one customer: those that were scored, the larger |contribution| first, then signals not scored.

    idle_days             since the last order, >= 0; last_*_days likewise, None where there was none
    usual_gap_days        own usual days between orders, gap_spread_days their spread; None where not known yet
    purchases             orders in life, >= 1; tenure_days since the first one, >= 0
    parts                 this customer's contributions by feature, log odds; what is not there was no part of the score
    *_30d, *_90d, *_365d  counts of the last so many days; mean_severity_90d 1..5, None without complaints
    *_minor               money of that time, minor units, >= 0; spent before refunds are taken off
    Signals that say nothing (no complaint, logins as ever, no refund) are left out, and what adds less than LEAST_TOLD.
    Raises ValueError for purchases or days out of range.

    >>> for reason in explain(
    ...     parts={"silence": 2.41, "rhythm": -0.83}, idle_days=63, usual_gap_days=14, gap_spread_days=3, purchases=9,
    ...     tenure_days=175, complaints_30d=1, complaints_90d=1, mean_severity_90d=4, last_complaint_days=1, logins_30d=8,
    ...     logins_90d=24, last_login_days=2, refunds_90d_minor=0, spent_90d_minor=5000):
    ...     print(reason.contribution, reason.text)
    2.41 no order for 63 days; usually every 14
    -0.83 9 orders in 175 days; gaps of 14 days, give or take 3
    None 1 complaint yesterday, severity 4 of 5
    """
    _check(purchases, idle_days, tenure_days)
    told: dict[Feature, words.Said] = {
        "silence": words.silence(idle_days, usual_gap_days, purchases),
        "rhythm": words.rhythm(purchases, tenure_days, usual_gap_days, gap_spread_days),
    }
    if complaints_90d > 0:
        told["complaints"] = words.complaints(complaints_30d, complaints_90d, mean_severity_90d, last_complaint_days)
    if logins_90d >= MIN_LOGINS_90D and 3 * logins_30d <= THINNED_SHARE * logins_90d:
        told["logins"] = words.logins(logins_30d, logins_90d, last_login_days)
    if refunds_90d_minor > 0:
        told["refunds"] = words.refunds(refunds_90d_minor, spent_90d_minor)
    if len(parts) > len(Contributions._fields):
        purchased, spent_minor = (purchases_30d, purchases_90d, purchases_365d), (spent_90d_minor, spent_365d_minor)
        told |= _by_the_linear_model(parts, purchased, spent_minor, tenure_days)
    found = [Reason(feature, _scored(parts.get(feature)), *said) for feature, said in told.items()]
    return sorted(found, key=lambda reason: -1.0 if reason.contribution is None else abs(reason.contribution), reverse=True)


def _check(purchases: int, idle_days: float, tenure_days: float) -> None:
    if purchases < 1 or not (idle_days >= 0 and tenure_days >= 0):
        raise ValueError(
            f"purchases = {purchases}, idle_days = {idle_days:g}, tenure_days = {tenure_days:g}: "
            "must be at least 1, 0 and 0; explain only customers who have ordered, at or after their last order"
        )


def _by_the_linear_model(
    parts: Mapping[str, float], purchases: tuple[int, int, int], spent_minor: tuple[int, int], tenure_days: float
) -> dict[Feature, words.Said]:
    """What it weighs beyond silence and rhythm.

    purchases     in 30, 90 and 365 days;  spent_minor   in 90 and 365
    """
    told: dict[Feature, words.Said] = {}
    if abs(parts["frequency"]) >= LEAST_TOLD:
        told["frequency"] = words.frequency(*purchases[1:])
    if abs(parts["trend"]) >= LEAST_TOLD:
        told["trend"] = words.trend(*purchases)
    if abs(parts["money"]) >= LEAST_TOLD:
        told["money"] = words.money(*spent_minor)
    if abs(parts["tenure"]) >= LEAST_TOLD:
        told["tenure"] = words.tenure(tenure_days)
    return told


def _scored(contribution: float | None) -> float | None:
    return None if contribution is None else round(float(contribution), 3) + 0.0  # + 0.0 turns -0.0 into 0.0
