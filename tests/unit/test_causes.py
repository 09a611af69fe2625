"""Cause classes by rule, and an action for every tier and cause."""

from __future__ import annotations

import pytest

from detectors.actions import NO_ACTION, TIERS, suggested_action
from detectors.causes import CAUSE_CLASSES, CONTROLLABLE, Cause, probable_cause


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
