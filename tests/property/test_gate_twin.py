"""The gate, label by label with sums that are kept up, equals its rule applied to all labels anew."""

from __future__ import annotations

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors.champion import Accounts, Gate, GateRules, Standing, judge
from detectors.evidence import Evidence
from tests.oracle.gate_twin import GateTwin
from tests.support.examples import examples

LOSS = st.sampled_from([100_000_000, 400_000_000, 401_000_000, 402_000_000, 700_000_000, 2_000_000_000])
LOSSES = st.tuples(LOSS, LOSS, LOSS)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("label"), st.integers(0, 2), st.integers(0, 1), LOSSES, st.none() | LOSSES),
        st.tuples(st.just("quiet"), st.integers(1, 40)),
        st.tuples(st.just("restart")),
    ),
    max_size=120,
)
RULES = st.builds(
    GateRules,
    min_each=st.integers(1, 4),
    min_days=st.sampled_from([0, 1, 3]),
    settle_labels=st.sampled_from([0, 3, 10]),
    tolerance=st.sampled_from([0.0, 0.001]),
)


@given(EVENTS, st.integers(1, 20), RULES)
@examples(300)
def test_the_gate_stands_where_its_rule_says(events, window_days, rules):
    gate, accounts, day = Gate(), Accounts(Evidence(window_days), Evidence(window_days)), 20_000
    twin = GateTwin(window_days, rules.min_each, rules.min_days, rules.settle_labels, round(rules.tolerance * 1e9))
    for kind, *what in events:
        if kind == "restart":
            for evidence in accounts:
                evidence.restart()
            twin.restart()
            continue
        day += what[0]
        for evidence in accounts:
            evidence.age(day)
        if kind == "label":
            _, left, fresh, record = what
            accounts.fresh.add(day, left, *fresh)
            if record:
                accounts.record.add(day, left, *record)
            gate = msgspec.structs.replace(gate, labels=gate.labels + 1)
            twin.label((day, left, *fresh), (day, left, *record) if record else None)
        twin.look(day)
        gate = judge(gate, accounts, day, rules)
        assert (gate.standing.value, gate.changed_at) == (twin.standing, twin.changed_at)
        accounts = msgspec.msgpack.decode(msgspec.msgpack.encode(accounts), type=Accounts)
    assert (gate.standing is Standing.WAITING) == (twin.changes == 0)


@given(st.lists(st.tuples(st.integers(0, 1), LOSS, LOSS, LOSS), max_size=300), st.integers(1, 50))
@examples(100)
def test_between_two_changes_lie_the_labels_to_settle(labels, settle_labels):
    rules = GateRules(min_each=1, min_days=0, settle_labels=settle_labels)
    gate, accounts, changes = Gate(), Accounts(Evidence(90), Evidence(90)), []
    for label in labels:
        accounts.fresh.add(1, *label)
        gate = msgspec.structs.replace(gate, labels=gate.labels + 1)
        after = judge(gate, accounts, 1, rules)
        if after.standing is not gate.standing:
            changes.append(after.changed_at)
        gate = after
    assert all(later - earlier >= settle_labels for earlier, later in pairwise(changes))
