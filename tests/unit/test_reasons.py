"""Reasons in words: the golden sentences, their order, and what is left out."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from detectors.btyd import p_no_purchase
from detectors.parameters import SHIPPED
from detectors.reasons import Reason, contributions, explain

QUIET = {
    "idle_days": 63.9,
    "usual_gap_days": 14.2,
    "gap_spread_days": 3.4,
    "purchases": 9,
    "tenure_days": 175.5,
    "parts": {"silence": 2.4104, "rhythm": -0.8349},
    "complaints_30d": 0,
    "complaints_90d": 0,
    "mean_severity_90d": None,
    "last_complaint_days": None,
    "logins_30d": 8,
    "logins_90d": 24,
    "last_login_days": 2.0,
    "refunds_90d_minor": 0,
    "spent_90d_minor": 5000,
}


def reasons(**changes) -> dict[str, Reason]:
    return {reason.feature: reason for reason in explain(**{**QUIET, **changes})}


def test_a_quiet_customer_has_exactly_the_two_scored_reasons():
    assert explain(**QUIET) == [
        Reason("silence", 2.41, 63, "days", "no order for 63 days; usually every 14"),
        Reason("rhythm", -0.835, 9, "orders", "9 orders in 175 days; gaps of 14 days, give or take 3"),
    ]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"idle_days": 0.9}, "ordered today; usually every 14 days"),
        ({"idle_days": 1.0}, "no order for 1 day; usually every 14 days"),
        ({"idle_days": 2.0}, "no order for 2 days; usually every 14"),
        ({"usual_gap_days": 1.2}, "no order for 63 days; usually every day"),
        ({"usual_gap_days": 0.2}, "no order for 63 days; usually several a day"),
        ({"usual_gap_days": None}, "no order for 63 days"),
        ({"usual_gap_days": None, "purchases": 1}, "no order for 63 days since the only one"),
        ({"usual_gap_days": None, "purchases": 1, "idle_days": 0}, "ordered today for the first time"),
    ],
)
def test_silence_in_words(changes, text):
    assert reasons(**changes)["silence"].text == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"purchases": 1}, "one order so far: no rhythm yet"),
        ({"purchases": 2, "usual_gap_days": None, "gap_spread_days": None}, "2 orders in 175 days"),
        ({"gap_spread_days": None}, "9 orders in 175 days; gaps of 14 days"),
        ({"gap_spread_days": 0.1}, "9 orders in 175 days; gaps of 14 days, give or take less than 1"),
        ({"tenure_days": 1.4, "usual_gap_days": 0.5}, "9 orders in 1 day; gaps of 1 day, give or take 3"),
        ({"tenure_days": 0.4, "usual_gap_days": 0.1}, "9 orders on one day"),
    ],
)
def test_rhythm_in_words(changes, text):
    assert reasons(**changes)["rhythm"].text == text


@pytest.mark.parametrize(
    ("n_30d", "n_90d", "severity", "last", "text"),
    [
        (1, 1, 4.0, 1.5, "1 complaint yesterday, severity 4 of 5"),
        (0, 1, 2.0, 45.0, "1 complaint 45 days ago, severity 2 of 5"),
        (2, 2, 3.5, 0.0, "2 complaints in 30 days, the last today, mean severity 3.5 of 5"),
        (1, 3, 11 / 3, 4.0, "3 complaints in 90 days (1 in the last 30), the last 4 days ago, mean severity 3.7 of 5"),
        (0, 2, 3.0, 40.0, "2 complaints in 90 days, the last 40 days ago, mean severity 3.0 of 5"),
        (0, 1, None, None, "1 complaint in 90 days"),
    ],
)
def test_complaints_in_words(n_30d, n_90d, severity, last, text):
    found = reasons(complaints_30d=n_30d, complaints_90d=n_90d, mean_severity_90d=severity, last_complaint_days=last)
    assert found["complaints"] == Reason("complaints", None, n_90d, "complaints", text)


@pytest.mark.parametrize(
    ("n_30d", "n_90d", "last", "text"),
    [
        (1, 24, 12.0, "logins thinned out: 1 in 30 days, 24 in 90; the last 12 days ago"),
        (4, 24, 1.0, "logins thinned out: 4 in 30 days, 24 in 90; the last yesterday"),
        (5, 24, 1.0, None),  # more than half of the usual 8
        (0, 6, 31.0, "logins thinned out: none in 30 days, 6 in 90; the last 31 days ago"),
        (0, 5, 31.0, None),  # too few to tell
        (0, 0, None, None),
    ],
)
def test_logins_are_named_when_30_days_bring_at_most_half_of_a_third_of_90(n_30d, n_90d, last, text):
    found = reasons(logins_30d=n_30d, logins_90d=n_90d, last_login_days=last).get("logins")
    assert found == (None if text is None else Reason("logins", None, n_30d, "logins", text))


@pytest.mark.parametrize(
    ("refunds", "spent", "value", "text"),
    [
        (2000, 5000, 0.4, "refunds of 40 % of what was spent in 90 days"),
        (12500, 5000, 2.5, "refunds of 250 % of what was spent in 90 days"),
        (1, 5000, 0.0, "refunds of less than 1 % of what was spent in 90 days"),
        (700, 0, None, "refunds in 90 days, and nothing spent"),
    ],
)
def test_refunds_in_words(refunds, spent, value, text):
    found = reasons(refunds_90d_minor=refunds, spent_90d_minor=spent)["refunds"]
    assert found == Reason("refunds", None, value, "share of spend", text)


@pytest.mark.parametrize(
    ("silence", "rhythm", "first"),
    [(2.0, -1.0, "silence"), (1.0, -2.0, "rhythm"), (1.0, 2.0, "rhythm"), (-1.0, 1.0, "silence")],
)
def test_scored_reasons_come_by_size_and_unscored_ones_after_them(silence, rhythm, first):
    found = explain(
        **QUIET | {"parts": {"silence": silence, "rhythm": rhythm}, "complaints_90d": 1, "logins_30d": 0, "refunds_90d_minor": 9}
    )
    assert found[0].feature == first
    assert [reason.feature for reason in found][2:] == ["complaints", "logins", "refunds"]
    assert [reason.contribution is None for reason in found] == [False, False, True, True, True]


EVERYTHING = {
    "silence": 1.0, "rhythm": -0.3, "complaints": 0.8, "logins": -0.05, "refunds": -0.7, "frequency": 0.9, "trend": 0.2,
    "money": -0.1, "tenure": 0.09,
}  # fmt: skip


def test_what_a_model_scores_comes_by_size_and_what_adds_little_is_left_out():
    seen = {"complaints_90d": 1, "logins_30d": 0, "refunds_90d_minor": 9, "purchases_90d": 2, "purchases_365d": 9}
    found = explain(**QUIET | seen | {"spent_365d_minor": 20_000, "parts": EVERYTHING})
    names = ["silence", "frequency", "complaints", "refunds", "rhythm", "trend", "money", "logins"]
    assert [reason.feature for reason in found] == names
    assert {reason.feature: reason.contribution for reason in found} == {name: EVERYTHING[name] for name in names}
    assert reasons(**seen, parts=EVERYTHING)["frequency"].text == "2 orders in 90 days, 9 in a year"


def test_a_signal_that_says_nothing_is_not_told_whatever_it_adds():
    assert {reason.feature for reason in explain(**QUIET | {"parts": EVERYTHING})}.isdisjoint({"complaints", "logins", "refunds"})


def test_a_contribution_of_minus_nothing_is_written_as_nothing():
    found = reasons(parts={"rhythm": -0.0001})["rhythm"]
    assert msgspec.json.encode(found).startswith(b'{"feature":"rhythm","contribution":0.0,')


@pytest.mark.parametrize("changes", [{"purchases": 0}, {"idle_days": -1}, {"tenure_days": -0.5}, {"idle_days": float("nan")}])
def test_who_has_not_ordered_or_orders_tomorrow_cannot_be_explained(changes):
    (name,) = changes
    with pytest.raises(ValueError, match=rf"{name} = .*must be at least"):
        reasons(**changes)


def test_contributions_by_hand_for_one_customer():
    def logit(x, t_x, T):
        p = p_no_purchase(SHIPPED, [x], [t_x], [T], 90.0)[0]
        return np.log(p / (1 - p))

    mean_x = 200 * 0.525 / (6.183 * 7)
    neither, idle, own, both = logit(mean_x, 200, 200), logit(mean_x, 200, 260), logit(12, 200, 200), logit(12, 200, 260)
    found = [part[0] for part in contributions(SHIPPED, [12], [200], [260], 90.0)]
    assert found == pytest.approx([neither, (idle - neither + both - own) / 2, (own - neither + both - idle) / 2])


def test_a_one_time_buyer_has_no_rhythm_and_a_buyer_of_today_no_silence():
    found = contributions(SHIPPED, [0, 8], [0, 200], [63, 200], 90.0)
    assert found.rhythm[0] == 0.0
    assert found.silence[1] == 0.0
