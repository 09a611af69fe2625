"""What the policy remembers, when it wants to be asked again, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.policy import POLICY_STATE, SENDS, TRANSITIONS, ReasonCode, decide
from alerts.rules import PolicyRules
from tests.support.policy import FIRED_HIGH, RETURNED, RULES, T0, H, Look, one, play


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
    decisions = decide(np.zeros(3, POLICY_STATE), np.full(3, 9000, "u2"), as_of_ms, np.zeros(3, int), np.zeros(3, bool), rules)
    assert decisions.state["episode_s"].tolist() == [1, 1, 2**32 - 1]


def test_a_time_before_the_records_first_second_is_never_taken_for_never():
    alerted = np.zeros(1, POLICY_STATE)
    alerted["tier"] = 1
    assert one(alerted, Look(-T0 / H - 1, 0.1, "", 0)).state["cool_from_s"].tolist() == [1]
    assert one(np.zeros(1, POLICY_STATE), Look(-T0 / H - 1, 0.9, "", 0)).state["breach_s"].tolist() == [1]


def test_message_numbers_stop_at_the_largest_the_record_holds():
    state = np.zeros(1, POLICY_STATE)
    state["tier"], state["transition"] = 3, 65_535
    assert one(state, Look(0, 0.1, "", 0)).state["transition"].tolist() == [65_535]


def test_the_record_is_seventeen_packed_bytes():
    assert POLICY_STATE.itemsize == 17


def test_what_sends_a_message_changes_the_tier():
    names = {code.name for code in TRANSITIONS}
    assert names == {"FIRED", "ESCALATED", "DEESCALATED", "RESOLVED_RETURNED", "RESOLVED_RISK_FELL", "RESOLVED_CANCELLED"}
    assert [code in TRANSITIONS for code in ReasonCode] == SENDS.tolist()


def test_senders_and_their_transitions():
    state = np.zeros(3, POLICY_STATE)
    state["tier"], state["transition"], state["episode_s"] = [0, 2, 3], [4, 1, 9], [1, 2, T0]
    hour, zero = np.full(3, T0 * 1000), np.zeros(3, int)
    decisions = decide(state, np.array([0, 7500, 5000], "u2"), hour, zero + 5, zero.astype(bool), RULES)
    assert decisions.senders().tolist() == [2]
    assert decisions.transition(2) == (ReasonCode.DEESCALATED, 1, 3, 10, T0)
