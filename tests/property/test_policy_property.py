"""The columnar policy against its scalar twin, over histories of many customers cut into random batches."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.policy import POLICY_STATE, TRANSITIONS, ReasonCode, decide
from alerts.rules import PolicyRules
from tests.oracle.policy_twin import TwinRules, TwinState, decide_one

START_MS = 1_700_000_000_000
WAITING = [ReasonCode.AWAITING_BREACHES, ReasonCode.BREACH_TOO_SOON, ReasonCode.COOLING_DOWN]


@st.composite
def policy_rules(draw: st.DrawFn) -> PolicyRules:
    fire = tuple(sorted(draw(st.lists(st.integers(10, 10_000), min_size=3, max_size=3, unique=True))))
    margin = draw(st.integers(1, fire[0] - 1))
    return PolicyRules(
        fire_bp=fire,
        release_bp=tuple(line - margin for line in fire),
        breaches=draw(st.integers(1, 4)),
        breach_spacing_s=draw(st.sampled_from([0, 1, 60])),
        cool_down_s=draw(st.sampled_from([0, 1, 200])),
        min_purchases=draw(st.integers(0, 3)),
    )


def interesting_risks(rules: PolicyRules) -> st.SearchStrategy[int]:
    edges = {edge + by for edge in (*rules.fire_bp, *rules.release_bp) for by in (-1, 0, 1)} | {0, 10_000}
    return st.one_of(st.sampled_from(sorted(e for e in edges if 0 <= e <= 10_000)), st.integers(0, 10_000))


def steps_of_time(rules: PolicyRules) -> st.SearchStrategy[int]:
    edges = {s * 1000 + by for s in (rules.breach_spacing_s, rules.cool_down_s) for by in (-1000, -1, 0, 1, 1000)}
    return st.one_of(st.sampled_from(sorted(edges)), st.integers(0, 70_000))


@st.composite
def histories(draw: st.DrawFn) -> tuple[PolicyRules, int, list[list[tuple[int, int, int, int, bool, bool]]]]:
    """Rules, number of customers, and batches of (customer, ms since the last one, risk, purchases, by purchase, ended)."""
    rules = draw(policy_rules())
    customers = draw(st.integers(1, 5))
    entry = st.tuples(
        st.integers(0, customers - 1),
        steps_of_time(rules),
        interesting_risks(rules),
        st.integers(0, 4) if draw(st.booleans()) else st.just(4),
        st.booleans(),
        st.sampled_from([False] * 6 + [True]),
    )
    batch = st.lists(entry, min_size=1, max_size=customers, unique_by=lambda e: e[0])
    return rules, customers, draw(st.lists(batch, min_size=1, max_size=40))


def twin_rules(rules: PolicyRules) -> TwinRules:
    return TwinRules(
        rules.fire_bp, rules.release_bp, rules.breaches, rules.breach_spacing_s, rules.cool_down_s, rules.min_purchases
    )


@given(histories())
@settings(max_examples=200, deadline=None)
def test_columns_decide_what_the_scalar_twin_decides(history):
    rules, customers, batches = history
    records, now_ms = np.zeros(customers, POLICY_STATE), [START_MS] * customers
    twins, slow_rules = [TwinState()] * customers, twin_rules(rules)
    for batch in batches:
        who = np.array([entry[0] for entry in batch])
        for customer, step_ms, *_ in batch:
            now_ms[customer] += step_ms
        as_of_ms = [now_ms[customer] for customer in who]
        got = decide(
            records[who],
            np.array([entry[2] for entry in batch], np.uint16),
            np.array(as_of_ms, np.int64),
            np.array([entry[3] for entry in batch]),
            np.array([entry[4] for entry in batch]),
            rules,
            np.array([entry[5] for entry in batch]),
        )
        for row, (customer, _, risk_bp, purchases, by_purchase, ended) in enumerate(batch):
            want = decide_one(twins[customer], risk_bp, as_of_ms[row], purchases, by_purchase, slow_rules, ended)
            assert ReasonCode(got.reason[row]).name == want.reason
            assert got.state[row].item() == astuple(want.state)
            assert got.wants_look_ms[row] == want.wants_look_ms
            assert got.previous_tier[row] == twins[customer].tier
            twins[customer] = want.state
        records[who] = got.state


@st.composite
def states(draw: st.DrawFn) -> TwinState:
    """Any state that some rules could have left, with times near 0, so that every difference of them matters."""
    tier = draw(st.integers(0, 3))
    seconds = st.integers(0, 400)
    streak = (0, 0, 0)
    if tier < 3 and draw(st.booleans()):
        streak = draw(st.tuples(st.integers(tier + 1, 3), st.integers(1, 6), seconds))
    candidate, breaches, breach_s = streak
    number, episode_s = draw(st.integers(0, 9)), draw(seconds)
    return TwinState(tier, candidate, breaches, number, breach_s, episode_s, draw(st.just(0) | seconds))


@given(st.data(), policy_rules(), st.lists(states(), min_size=1, max_size=8))
@settings(max_examples=600, deadline=None)
def test_from_any_state_even_of_other_rules_columns_decide_as_the_twin(data, rules, twins):
    n = len(twins)
    column = {
        "risk_bp": data.draw(st.lists(interesting_risks(rules), min_size=n, max_size=n)),
        "as_of_ms": data.draw(st.lists(st.integers(1_000, 400_000), min_size=n, max_size=n)),
        "purchases": data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)),
        "by_purchase": data.draw(st.lists(st.booleans(), min_size=n, max_size=n)),
    }
    ended = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    records = np.array([astuple(twin) for twin in twins], POLICY_STATE)
    kinds = {"risk_bp": np.uint16, "as_of_ms": np.int64, "purchases": np.uint32, "by_purchase": np.bool_}
    got = decide(records, *(np.array(column[name], kind) for name, kind in kinds.items()), rules, np.array(ended))
    for row, twin in enumerate(twins):
        want = decide_one(twin, *(values[row] for values in column.values()), twin_rules(rules), ended[row])
        assert ReasonCode(got.reason[row]).name == want.reason
        assert got.state[row].item() == astuple(want.state)
        assert got.wants_look_ms[row] == want.wants_look_ms


@given(histories())
@settings(max_examples=100, deadline=None)
def test_messages_of_an_episode_are_numbered_without_a_gap_and_only_transitions_send(history):
    rules, customers, batches = history
    records = np.zeros(customers, POLICY_STATE)
    now_ms = np.full(customers, START_MS)
    for batch in batches:
        who = np.array([entry[0] for entry in batch])
        now_ms[who] += np.array([entry[1] for entry in batch])
        columns = [np.array([entry[k] for entry in batch]) for k in (2, 3, 4, 5)]
        before = records[who]
        got = decide(before, columns[0].astype("u2"), now_ms[who], columns[1], columns[2], rules, columns[3])
        for row, old in enumerate(before):
            code, new = ReasonCode(got.reason[row]), got.state[row]
            if code not in TRANSITIONS:
                assert new["tier"] == old["tier"]
                assert new["transition"] == old["transition"]
            elif code is ReasonCode.FIRED:
                assert (old["tier"], new["transition"]) == (0, 1)
            else:
                assert new["tier"] != old["tier"]
                assert new["transition"] == old["transition"] + 1
                assert new["episode_s"] == old["episode_s"]
        records[who] = got.state


@given(histories())
@settings(max_examples=100, deadline=None)
def test_who_is_looked_at_when_the_policy_wished_is_never_too_early(history):
    rules, customers, batches = history
    records, now_ms = np.zeros(customers, POLICY_STATE), np.full(customers, START_MS)
    for batch in batches:
        who = np.array([entry[0] for entry in batch])
        now_ms[who] += np.array([entry[1] for entry in batch])
        risk_bp, purchases, by_purchase, ended = (np.array([entry[k] for entry in batch]) for k in (2, 3, 4, 5))
        got = decide(records[who], risk_bp.astype("u2"), now_ms[who], purchases, by_purchase, rules, ended)
        records[who] = got.state
        waits = np.flatnonzero(np.isin(got.reason, WAITING))
        assert ((got.wants_look_ms != 0) == np.isin(got.reason, WAITING)).all()
        wish_ms = got.wants_look_ms[waits]
        assert (wish_ms >= now_ms[who][waits]).all()
        look = decide(got.state[waits], risk_bp[waits].astype("u2"), wish_ms, purchases[waits], by_purchase[waits], rules)
        assert not set(look.reason) & {ReasonCode.BREACH_TOO_SOON}
        assert not (look.reason[got.reason[waits] == ReasonCode.COOLING_DOWN] != ReasonCode.FIRED).any()


def test_fifty_thousand_rows_at_once_decide_as_one_by_one():
    """Every seventh row is followed by the twin."""
    rng = np.random.default_rng(7)
    n = 50_000
    rules = PolicyRules((5000, 7000, 8500), (4200, 6200, 7700), 2, 21_600, 604_800, 2)
    state, slow_rules = np.zeros(n, POLICY_STATE), twin_rules(rules)
    twins = [TwinState()] * len(range(0, n, 7))
    as_of_ms = START_MS + rng.integers(0, 10**9, n)
    seen = set()
    for _ in range(6):
        risk_bp = rng.integers(3000, 10_001, n).astype(np.uint16)
        purchases, by_purchase, ended = rng.integers(1, 30, n), rng.random(n) < 0.3, rng.random(n) < 0.1
        as_of_ms = as_of_ms + rng.integers(0, 5 * 86_400_000, n)
        got = decide(state, risk_bp, as_of_ms, purchases, by_purchase, rules, ended)
        columns = (column[::7].tolist() for column in (risk_bp, as_of_ms, purchases, by_purchase))
        rows = zip(twins, *columns, ended[::7].tolist(), strict=True)
        wants = [decide_one(*row, slow_rules, over) for *row, over in rows]
        twins, state = [want.state for want in wants], got.state
        assert [ReasonCode(code).name for code in got.reason[::7]] == [want.reason for want in wants]
        assert state[::7].tolist() == [astuple(twin) for twin in twins]
        assert got.wants_look_ms[::7].tolist() == [want.wants_look_ms for want in wants]
        seen |= {want.reason for want in wants}
    assert seen == {code.name for code in ReasonCode}
