"""The gate, label by label with sums that are kept up, equals its rule applied to all labels anew."""

from __future__ import annotations

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors.champion import Gate, GateRules, Standing, judge
from detectors.evidence import Evidence
from tests.oracle.gate_twin import GateTwin
from tests.support.examples import examples

LOSS = st.sampled_from([100_000_000, 400_000_000, 401_000_000, 402_000_000, 700_000_000, 2_000_000_000])
MARGIN = st.sampled_from([0.0, 0.001])
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("label"), st.integers(0, 2), st.integers(0, 1), LOSS, LOSS, LOSS),
        st.tuples(st.just("quiet"), st.integers(1, 40)),
        st.tuples(st.just("restart")),
    ),
    max_size=120,
)


@given(EVENTS, st.integers(1, 20), st.integers(1, 4), st.sampled_from([0, 3, 10]), st.tuples(MARGIN, MARGIN))
@examples(300)
def test_the_gate_stands_where_its_rule_says(events, window_days, min_each, settle_labels, margins):
    rules = GateRules(min_each, settle_labels, *margins)
    gate, evidence, day = Gate(), Evidence(window_days), 20_000
    twin = GateTwin(window_days, min_each, settle_labels, *(round(margin * 1e9) for margin in margins))
    for kind, *numbers in events:
        if kind == "restart":
            evidence.restart()
            twin.restart()
            continue
        day += numbers[0]
        if kind == "label":
            evidence.add(day, *numbers[1:])
            gate = msgspec.structs.replace(gate, judged=gate.judged + 1)
            twin.label(day, *numbers[1:])
        else:
            evidence.age(day)
            twin.look(day)
        gate = judge(gate, evidence, day, rules)
        assert gate.standing.value == twin.standing
        assert gate.changed_at == twin.changed_at
        evidence = msgspec.msgpack.decode(msgspec.msgpack.encode(evidence), type=Evidence)
    assert (gate.standing is Standing.WAITING) == (not twin.changes)


@given(st.lists(st.tuples(st.integers(0, 1), LOSS, LOSS, LOSS), max_size=300), st.integers(1, 50))
@examples(100)
def test_between_two_changes_lie_the_labels_to_settle(labels, settle_labels):
    rules = GateRules(min_each=1, settle_labels=settle_labels)
    gate, evidence, changes = Gate(), Evidence(90), []
    for label in labels:
        evidence.add(1, *label)
        gate = msgspec.structs.replace(gate, judged=gate.judged + 1)
        after = judge(gate, evidence, 1, rules)
        if after.standing is not gate.standing:
            changes.append(after.changed_at)
        gate = after
    assert all(later - earlier >= settle_labels for earlier, later in pairwise(changes))
