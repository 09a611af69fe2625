"""The peers decide as the worker's policy does, evaluation after evaluation, and know a repeat."""

from __future__ import annotations

from copy import deepcopy

import numpy as np

from alerts.policy import POLICY_STATE, SENDS, ReasonCode
from alerts.policy import decide as decide_columns
from benchmarks.peers.job import fold, new_state
from benchmarks.peers.policy import decide, new_policy
from streams.runtime.rules import engine_rules
from streams.runtime.settings import load_settings

RULES = engine_rules(load_settings(None, {})).policy
START_S = 1_700_000_000


def test_the_peers_send_what_the_policy_sends_and_keep_the_same() -> None:
    """500 customers of 60 evaluations at random risks, minutes to days apart; the columns of the policy are the oracle."""
    chance = np.random.default_rng(4)
    n = 500
    columns, peers, sent = np.zeros(n, POLICY_STATE), [new_policy() for _ in range(n)], set()
    at_s, purchases = np.full(n, START_S), chance.integers(1, 5, n)
    for _ in range(60):
        at_s = at_s + chance.choice([60, 3_600, 21_600, 90_000, 400_000], n)
        risk_bp = chance.choice([1_000, 4_199, 4_200, 5_000, 6_200, 7_000, 7_699, 8_500, 9_900], n).astype(np.uint16)
        by_purchase = chance.random(n) < 0.3
        expected = decide_columns(columns, risk_bp, at_s * 1000, purchases, by_purchase, RULES)
        columns = expected.state
        for i, code in enumerate(expected.reason.tolist()):
            found = decide(peers[i], risk_bp[i] / 10_000, int(at_s[i]), int(purchases[i]), bool(by_purchase[i]))
            assert found == (ReasonCode(code).name.lower() if SENDS[code] else None)
            sent.add(found)
    assert sent == {None, "fired", "escalated", "deescalated", "resolved_returned", "resolved_risk_fell"}
    ours = {"number": "transition"}
    for name in new_policy():
        assert [policy[name] for policy in peers] == columns[ours.get(name, name)].tolist(), name


def test_one_of_the_last_eight_events_that_comes_again_changes_nothing() -> None:
    state = new_state()
    event = {"event_id": "e0", "customer_id": "anna", "occurred_at": "2024-03-01T10:00:00+00:00", "amount": 12.5}
    fold(state, "purchase", event)
    for number in range(1, 8):
        fold(state, "login", {"event_id": f"e{number}", "customer_id": "anna", "occurred_at": "2024-03-02T10:00:00+00:00"})
    before = deepcopy(state)
    assert fold(state, "purchase", event) is None
    assert state == before
    fold(state, "login", event | {"event_id": "e8"})
    fold(state, "purchase", event)
    assert state["spent_minor"] == 2_500, "what is no longer among the last eight counts again"


def test_a_message_has_the_facts_at_its_time() -> None:
    """Two purchases five days apart, then silence that a complaint and a login a day apart show."""
    state, day = new_state(), "2024-{}T10:00:00+00:00".format
    sent = [
        fold(state, kind, {"event_id": f"e{i}", "customer_id": "anna", "occurred_at": day(on), "amount": 10.0, "severity": 4})
        for i, (kind, on) in enumerate(
            [("purchase", "03-01"), ("purchase", "03-06"), ("complaint", "11-01"), ("login", "11-02"), ("login", "11-03")]
        )
    ]
    [found] = [message for message in sent if message is not None]
    assert found["decision"] == "fired"
    assert (found["customer_id"], found["tier"], found["previous_tier"], found["number"]) == ("anna", "critical", "none", 1)
    assert (found["idle_days"], found["usual_gap_days"], found["at_ms"]) == (241.0, 5.0, 1_730_541_600_000)
    assert (found["spent_90d"], found["spent_365d"], found["purchases_365d"], found["logins_7d"]) == (0, 2_000, 2, 1)
    assert (found["complaints_7d"], found["severity_365d"]) == (1, 4)
    assert found["reason"] == "no purchase for 241 days, usually every 5, complaints in 90 days: 1"
