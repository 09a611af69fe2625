"""Each rule of the policy, told as what happens to one customer."""

from __future__ import annotations

import pytest

from alerts.policy import ReasonCode
from alerts.rules import PolicyRules
from tests.support.policy import FIRED_HIGH, RETURNED, RULES, H, Look, play

STORIES = {
    "a risk below every line is no breach": [Look(0, 0.4999, "BELOW_THRESHOLD", 0)],
    "a risk on the fire line is a breach": [Look(0, 0.5, "AWAITING_BREACHES", 0)],
    "a customer with too few purchases is not alerted, whatever the risk": [
        Look(0, 0.99, "TOO_FEW_PURCHASES", 0, purchases=1),
        Look(9, 0.99, "TOO_FEW_PURCHASES", 0, purchases=1),
    ],
    "too few purchases is said of low risks too": [Look(0, 0.01, "TOO_FEW_PURCHASES", 0, purchases=1)],
    "breaches under the quality gate do not count once it opens": [
        Look(0, 0.99, "TOO_FEW_PURCHASES", 0, purchases=1),
        Look(9, 0.99, "AWAITING_BREACHES", 0, purchases=2),
    ],
    "an open alert under a stricter gate stays, does not rise, and can end": [
        *FIRED_HIGH,
        Look(7, 0.75, "TOO_FEW_PURCHASES", 2, purchases=1),
        Look(8, 0.99, "TOO_FEW_PURCHASES", 2, purchases=1),
        Look(20, 0.99, "TOO_FEW_PURCHASES", 2, purchases=1),
        Look(21, 0.30, "RESOLVED_RISK_FELL", 0, purchases=1),
    ],
    "two breaches six hours apart fire": FIRED_HIGH,
    "a second breach a second short of six hours does not count": [
        Look(0, 0.75, "AWAITING_BREACHES", 0),
        Look(6 - 1 / H, 0.75, "BREACH_TOO_SOON", 0),
        Look(6, 0.75, "FIRED", 2),
    ],
    "spacing is counted from the last breach that counted": [
        Look(0, 0.75, "AWAITING_BREACHES", 0),
        Look(5, 0.75, "BREACH_TOO_SOON", 0),
        Look(7, 0.75, "FIRED", 2),
    ],
    "an evaluation from the past never counts": [
        Look(0, 0.75, "AWAITING_BREACHES", 0),
        Look(-9, 0.75, "BREACH_TOO_SOON", 0),
    ],
    "a calm evaluation ends the streak": [
        Look(0, 0.75, "AWAITING_BREACHES", 0),
        Look(6, 0.49, "BELOW_THRESHOLD", 0),
        Look(12, 0.75, "AWAITING_BREACHES", 0),
    ],
    "the tier is the lowest that the streak breached, when the last is higher": [
        Look(0, 0.55, "AWAITING_BREACHES", 0),
        Look(6, 0.99, "FIRED", 1),
    ],
    "the tier is the lowest that the streak breached, when the last is lower": [
        Look(0, 0.99, "AWAITING_BREACHES", 0),
        Look(6, 0.55, "FIRED", 1),
    ],
    "a breach too soon to count can still lower the tier": [
        Look(0, 0.99, "AWAITING_BREACHES", 0),
        Look(1, 0.55, "BREACH_TOO_SOON", 0),
        Look(6, 0.99, "FIRED", 1),
    ],
    "the streak starts anew after it fired": [
        Look(0, 0.55, "AWAITING_BREACHES", 0),
        Look(6, 0.99, "FIRED", 1),
        Look(12, 0.99, "AWAITING_BREACHES", 1),
        Look(18, 0.99, "ESCALATED", 3),
    ],
    "an alert at its fire line is steady, between the lines held, on the release line still held": [
        *FIRED_HIGH,
        Look(7, 0.70, "STEADY", 2),
        Look(8, 0.6999, "HELD_BY_HYSTERESIS", 2),
        Look(9, 0.62, "HELD_BY_HYSTERESIS", 2),
    ],
    "below the release line the tier falls at once to the one whose release line still holds": [
        *FIRED_HIGH,
        Look(6.1, 0.6199, "DEESCALATED", 1),
        Look(6.2, 0.42, "HELD_BY_HYSTERESIS", 1),
        Look(6.3, 0.4199, "RESOLVED_RISK_FELL", 0),
    ],
    "a tier may be skipped on the way down": [*FIRED_HIGH, Look(7, 0.30, "RESOLVED_RISK_FELL", 0)],
    "a purchase that does not lower the risk enough resolves nothing": [
        *FIRED_HIGH,
        Look(7, 0.65, "HELD_BY_HYSTERESIS", 2, by_purchase=True),
    ],
    "a purchase that only lowers the tier is a de-escalation": [*FIRED_HIGH, Look(7, 0.5, "DEESCALATED", 1, by_purchase=True)],
    "a purchase that ends the alert says so": RETURNED,
    "a held evaluation ends the streak towards a higher tier": [
        *FIRED_HIGH,
        Look(12, 0.90, "AWAITING_BREACHES", 2),
        Look(15, 0.65, "HELD_BY_HYSTERESIS", 2),
        Look(18, 0.90, "AWAITING_BREACHES", 2),
    ],
    "a new episode waits for the cool-down to end, to the second": [
        *RETURNED,
        Look(100, 0.90, "AWAITING_BREACHES", 0),
        Look(106, 0.90, "COOLING_DOWN", 0),
        Look(178 - 1 / H, 0.90, "COOLING_DOWN", 0),
        Look(178, 0.90, "FIRED", 3),
    ],
    "a streak kept through the cool-down fires at the first evaluation after it, however close to the last": [
        *RETURNED,
        Look(100, 0.90, "AWAITING_BREACHES", 0),
        Look(177.9, 0.90, "COOLING_DOWN", 0),
        Look(178.1, 0.90, "FIRED", 3),
    ],
    "a calm evaluation in the cool-down ends the streak": [
        *RETURNED,
        Look(100, 0.90, "AWAITING_BREACHES", 0),
        Look(106, 0.90, "COOLING_DOWN", 0),
        Look(110, 0.10, "BELOW_THRESHOLD", 0),
        Look(178, 0.90, "AWAITING_BREACHES", 0),
    ],
    "whoever cancels is alerted no more, whatever the risk, and begins anew on returning": [
        *FIRED_HIGH,
        Look(7, 0.99, "RESOLVED_CANCELLED", 0, ended=True),
        Look(8, 0.99, "CANCELLED", 0, ended=True),
        Look(20, 0.99, "CANCELLED", 0, ended=True, purchases=1),
        Look(30, 0.99, "AWAITING_BREACHES", 0, by_purchase=True),
        Look(36, 0.99, "FIRED", 3),
    ],
    "a cancellation ends the streak": [
        Look(0, 0.75, "AWAITING_BREACHES", 0),
        Look(6, 0.75, "CANCELLED", 0, ended=True),
        Look(12, 0.75, "AWAITING_BREACHES", 0),
    ],
    "escalation knows no cool-down": [
        *RETURNED,
        Look(200, 0.55, "AWAITING_BREACHES", 0),
        Look(206, 0.55, "FIRED", 1),
        Look(207, 0.99, "AWAITING_BREACHES", 1),
        Look(213, 0.99, "ESCALATED", 3),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_story(story):
    play(story)


def test_every_reason_has_a_story():
    assert {look.reason for story in STORIES.values() for look in story} == {code.name for code in ReasonCode}


def test_one_breach_is_enough_where_one_is_asked_for():
    rules = PolicyRules(RULES.fire_bp, RULES.release_bp, 1, 6 * H, 0, 0)
    play([Look(0, 0.9, "FIRED", 3), Look(0.1, 0.1, "RESOLVED_RISK_FELL", 0), Look(0.2, 0.9, "FIRED", 3)], rules)


def test_a_streak_longer_than_255_breaches_still_waits_and_fires():
    rules = PolicyRules(RULES.fire_bp, RULES.release_bp, 2, 0, 400 * H, 0)
    cooling = [Look(2 + hour, 0.9, "COOLING_DOWN", 0) for hour in range(1, 301)]
    start = [Look(0, 0.9, "AWAITING_BREACHES", 0), Look(0, 0.9, "FIRED", 3), Look(1, 0.1, "RESOLVED_RISK_FELL", 0)]
    play([*start, Look(2, 0.9, "AWAITING_BREACHES", 0), *cooling, Look(401, 0.9, "FIRED", 3)], rules)


def test_a_release_line_may_lie_below_the_fire_line_of_the_tier_under_it():
    rules = PolicyRules((5000, 5500, 6000), (4000, 4500, 5000), 1, 0, 0, 0)
    play([Look(0, 0.7, "FIRED", 3), Look(1, 0.5, "HELD_BY_HYSTERESIS", 3), Look(2, 0.49, "DEESCALATED", 2)], rules)
