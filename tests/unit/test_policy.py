"""Each rule of the policy, told as what happens to one customer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from alerts.policy import POLICY_STATE, SENDS, TRANSITIONS, ReasonCode, decide
from alerts.rules import PolicyRules

H = 3_600
T0 = 1_700_000_000
RULES = PolicyRules(
    fire_bp=(5000, 7000, 8500),
    release_bp=(4200, 6200, 7700),
    breaches=2,
    breach_spacing_s=6 * H,
    cool_down_s=168 * H,
    min_purchases=2,
)


class Look(NamedTuple):
    """An evaluation `at_h` hours after T0, and the reason and tier that must come of it."""

    at_h: float
    risk: float
    reason: str
    tier: int
    purchases: int = 5
    by_purchase: bool = False


def one(state: np.ndarray, look: Look, rules: PolicyRules = RULES):
    return decide(
        state,
        np.array([round(look.risk * 10_000)], np.uint16),
        np.array([int((T0 + look.at_h * H) * 1000)]),
        np.array([look.purchases]),
        np.array([look.by_purchase]),
        rules,
    )


def play(looks: list[Look], rules: PolicyRules = RULES) -> np.void:
    state = np.zeros(1, POLICY_STATE)
    for number, look in enumerate(looks):
        decisions = one(state, look, rules)
        got = (number, ReasonCode(decisions.reason[0]).name, int(decisions.state["tier"][0]))
        assert got == (number, look.reason, look.tier)
        state = decisions.state
    return state[0]


FIRED_HIGH = [Look(0, 0.75, "AWAITING_BREACHES", 0), Look(6, 0.75, "FIRED", 2)]
RETURNED = [*FIRED_HIGH, Look(10, 0.10, "RESOLVED_RETURNED", 0, by_purchase=True)]

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


def test_the_record_tells_the_episode():
    state = play([*FIRED_HIGH, Look(12, 0.9, "AWAITING_BREACHES", 2), Look(18, 0.9, "ESCALATED", 3)])
    assert state.item() == (3, 0, 0, 2, 0, T0 + 6 * H, 0)
    state = play(RETURNED)
    assert state.item() == (0, 0, 0, 2, 0, T0 + 6 * H, T0 + 10 * H)


def test_a_new_episode_numbers_its_messages_from_one_and_has_its_own_start():
    state = play([*RETURNED, Look(300, 0.9, "AWAITING_BREACHES", 0), Look(306, 0.9, "FIRED", 3)])
    assert (state["transition"], state["episode_s"], state["cool_from_s"]) == (1, T0 + 306 * H, T0 + 10 * H)


def test_two_episodes_within_one_second_still_have_different_starts():
    rules = PolicyRules(RULES.fire_bp, RULES.release_bp, 1, 0, 0, 0)
    again = [Look(0, 0.9, "FIRED", 3), Look(0, 0.1, "RESOLVED_RISK_FELL", 0)]
    assert [play(again * n, rules)["episode_s"] - T0 for n in (1, 2, 3)] == [0, 1, 2]


def test_the_record_tells_the_streak():
    state = play([Look(0, 0.99, "AWAITING_BREACHES", 0), Look(1, 0.55, "BREACH_TOO_SOON", 0)])
    assert state.item() == (0, 1, 1, 0, T0, 0, 0)


def test_the_policy_asks_to_see_a_customer_again_when_waiting_can_end():
    state = np.zeros(1, POLICY_STATE)
    wishes = []
    for look in [*RETURNED, Look(100, 0.9, "", 0), Look(101, 0.9, "", 0), Look(106, 0.9, "", 0), Look(178, 0.9, "", 0)]:
        decisions = one(state, look)
        state = decisions.state
        wishes.append(int(decisions.wants_look_ms[0]))
    hours = [0 if wish == 0 else (wish / 1000 - T0) / H for wish in wishes]
    assert hours == [6, 0, 0, 106, 106, 178, 0]


def test_arguments_stay_as_they_are_and_the_new_state_is_an_array_of_its_own():
    record = np.zeros(3, np.dtype([("before", "u8"), ("policy", POLICY_STATE), ("after", "u1")]))
    record["policy"]["breaches"], record["policy"]["candidate"], record["policy"]["breach_s"] = 1, 3, T0
    before = record.copy()
    risk_bp = np.array([9000, 9000, 100], np.uint16)
    columns = (np.full(3, (T0 + 7 * H) * 1000), np.full(3, 5), np.zeros(3, bool))
    decisions = decide(record["policy"], risk_bp, *columns, RULES)
    assert decisions.state["tier"].tolist() == [3, 3, 0]
    assert record.tobytes() == before.tobytes()
    assert not np.shares_memory(decisions.state, record)


def test_no_customers_is_no_decisions():
    empty = np.zeros(0, np.int64)
    decisions = decide(np.zeros(0, POLICY_STATE), empty.astype("u2"), empty, empty, empty.astype(bool), RULES)
    assert len(decisions.state) == len(decisions.reason) == len(decisions.wants_look_ms) == 0


def test_columns_of_different_length_are_refused():
    two = np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="differ in length"):
        decide(np.zeros(1, POLICY_STATE), two.astype("u2"), two, two, two.astype(bool), RULES)


def test_times_a_record_cannot_hold_are_held_at_its_ends():
    rules = PolicyRules(RULES.fire_bp, RULES.release_bp, 1, 0, 0, 0)
    as_of_ms = np.array([-5000, 0, 2**32 * 1000 + 1])
    decisions = decide(
        np.zeros(3, POLICY_STATE), np.full(3, 9000, "u2"), as_of_ms, np.zeros(3, int), np.zeros(3, bool), rules
    )
    assert decisions.state["episode_s"].tolist() == [1, 1, 2**32 - 1]


def test_message_numbers_stop_at_the_largest_the_record_holds():
    state = np.zeros(1, POLICY_STATE)
    state["tier"], state["transition"] = 3, 65_535
    assert one(state, Look(0, 0.1, "", 0)).state["transition"].tolist() == [65_535]


def test_the_record_is_seventeen_packed_bytes():
    assert POLICY_STATE.itemsize == 17


def test_what_sends_a_message_changes_the_tier():
    names = {code.name for code in TRANSITIONS}
    assert names == {"FIRED", "ESCALATED", "DEESCALATED", "RESOLVED_RETURNED", "RESOLVED_RISK_FELL"}
    assert [code in TRANSITIONS for code in ReasonCode] == SENDS.tolist()


def test_senders_and_their_transitions():
    state = np.zeros(3, POLICY_STATE)
    state["tier"], state["transition"], state["episode_s"] = [0, 2, 3], [4, 1, 9], [1, 2, T0]
    hour, zero = np.full(3, T0 * 1000), np.zeros(3, int)
    decisions = decide(state, np.array([0, 7500, 5000], "u2"), hour, zero + 5, zero.astype(bool), RULES)
    assert decisions.senders().tolist() == [2]
    assert decisions.transition(2) == (ReasonCode.DEESCALATED, 1, 3, 10, T0)


def test_a_release_line_may_lie_below_the_fire_line_of_the_tier_under_it():
    rules = PolicyRules((5000, 5500, 6000), (4000, 4500, 5000), 1, 0, 0, 0)
    play([Look(0, 0.7, "FIRED", 3), Look(1, 0.5, "HELD_BY_HYSTERESIS", 3), Look(2, 0.49, "DEESCALATED", 2)], rules)
