"""Cause classes by rule, and an action for every tier and cause."""

from __future__ import annotations

import pytest

from detectors.actions import NO_ACTION, TIERS, suggested_action
from detectors.causes import CAUSE_CLASSES, CONTROLLABLE, Cause, LastComplaint, controllable, probable_cause


@pytest.mark.parametrize(
    ("complaints", "refunds", "spent", "cause", "why"),
    [
        (1, 0, 0, "service", "rule: 1 complaint in 90 days"),
        (3, 900, 1000, "service", "rule: 3 complaints in 90 days"),
        (0, 301, 1000, "product", "rule: refunds of 30 % of what was spent in 90 days"),
        (0, 300, 1000, "unknown", "rule: no complaint and few refunds in 90 days"),
        (0, 5, 0, "product", "rule: refunds in 90 days, and nothing spent"),
        (0, 0, 0, "unknown", "rule: no complaint and few refunds in 90 days"),
    ],
)
def test_the_first_rule_that_holds_names_the_cause(complaints, refunds, spent, cause, why):
    found = probable_cause(complaints_90d=complaints, refunds_90d_minor=refunds, spent_90d_minor=spent)
    assert found == Cause(cause, why)


@pytest.mark.parametrize(
    ("last", "cause", "why", "confidence"),
    [
        (("price", 0.8, 0.4), "price", "learnt: today's complaint reads as price", 0.7951),
        (("price", 0.8, 1.9), "price", "learnt: the complaint of 1 day ago reads as price", 0.7769),
        (("natural", 0.9, 45.0), "natural", "learnt: the complaint of 45 days ago reads as natural", 0.45),
        (("policy", 1.0, 90.0), "policy", "learnt: the complaint of 90 days ago reads as policy", 0.25),
        (("policy", 1.0, 90.01), "service", "rule: 1 complaint in 90 days", None),
        (("unknown", 0.9, 1.0), "service", "rule: 1 complaint in 90 days", None),
        (None, "service", "rule: 1 complaint in 90 days", None),
    ],
)
def test_the_last_complaint_comes_before_any_rule_while_it_is_recent_and_was_understood(last, cause, why, confidence):
    told = None if last is None else LastComplaint(*last)
    found = probable_cause(complaints_90d=1, refunds_90d_minor=900, spent_90d_minor=1000, last_complaint=told)
    assert found == Cause(cause, why, confidence)


def test_a_complaint_ahead_of_its_time_is_refused():
    with pytest.raises(ValueError, match="age_days = -1"):
        probable_cause(complaints_90d=1, refunds_90d_minor=0, spent_90d_minor=0, last_complaint=LastComplaint("price", 0.8, -1.0))


def test_industry_and_nature_cannot_be_controlled_and_of_the_unknown_nothing_is_said():
    assert [controllable(cause) for cause in CAUSE_CLASSES] == [True] * 5 + [False] * 2 + [None]
    assert controllable("") is None


@pytest.mark.parametrize("name", ["complaints_90d", "refunds_90d_minor", "spent_90d_minor"])
def test_negative_signals_are_refused_by_name(name):
    with pytest.raises(ValueError, match=f"{name} = -1"):
        probable_cause(**{"complaints_90d": 0, "refunds_90d_minor": 0, "spent_90d_minor": 0, name: -1})


def test_there_are_seven_classes_and_unknown_and_five_are_controllable():
    assert set(CAUSE_CLASSES) == {"product", "price", "service", "benefit", "policy", "industry", "natural", "unknown"}
    assert {"product", "price", "service", "benefit", "policy"} == CONTROLLABLE


def test_every_tier_and_cause_has_its_own_sentence():
    sentences = [suggested_action(tier, cause) for cause in CAUSE_CLASSES for tier in range(1, len(TIERS))]
    assert len(set(sentences)) == len(CAUSE_CLASSES) * 3
    assert all(s.endswith(".") and s[0].isupper() for s in sentences)


def test_money_is_offered_only_late():
    early = " ".join(suggested_action(tier, cause) for cause in CAUSE_CLASSES for tier in (1, 2))
    assert "offer" not in early


@pytest.mark.parametrize("cause", CAUSE_CLASSES)
def test_nothing_is_done_without_a_tier(cause):
    assert suggested_action(0, cause) == NO_ACTION


@pytest.mark.parametrize(
    ("tier", "cause", "message"), [(4, "price", "tier = 4"), (-1, "price", "tier = -1"), (1, "cost", "'cost'")]
)
def test_an_unknown_tier_or_cause_is_refused_by_name(tier, cause, message):
    with pytest.raises(ValueError, match=message):
        suggested_action(tier, cause)
