"""Alerts that were sent against those of the backtest: the same, or where not."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.backtest.against import Difference, compared
from streams.backtest.event_ids import EventIds
from streams.backtest.sent import SentMessages
from tests.support.examples import examples

IDS = np.array([f"c{k}" for k in range(4)], object)
MESSAGES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), max_size=12)


def sent(path: Path, messages: list[tuple[int, int]], cut: int) -> SentMessages:
    found = SentMessages(path)
    for part in (messages[:cut], messages[cut:]):
        customers = np.array([customer for customer, _ in part], np.uint32)
        found.add(customers, [msgspec.json.encode({"customer": c, "text": f"m{m}"}) for c, m in part])
    return found


def sequences(messages: list[tuple[int, int]]) -> dict[int, list[int]]:
    """Each customer's messages, each once."""
    found = defaultdict(list)
    for customer, message in dict.fromkeys(messages):
        found[customer].append(message)
    return dict(found)


@given(MESSAGES, MESSAGES, st.integers(0, 12), st.booleans(), st.integers(0, 3))
@examples(300)
def test_it_finds_the_customers_whose_messages_differ_and_the_first_of_each(ours, theirs, cut, alike, most):
    if alike:  # the same messages; each customer's in the same order, some sent again
        theirs = sorted(ours, key=lambda one: one[0]) + ours[:3]
    with tempfile.TemporaryDirectory() as folder:
        got = compared(sent(Path(folder) / "a", ours, cut), sent(Path(folder) / "b", theirs, 0), IDS, most)
    expected, found = sequences(ours), sequences(theirs)
    whose = sorted(expected.keys() | found.keys())
    differ = [c for c in whose if expected.get(c, []) != found.get(c, [])]
    assert not (alike and differ)
    assert (got.expected, got.found) == (sum(map(len, expected.values())), sum(map(len, found.values())))
    assert (got.customers, got.differ) == (len(whose), len(differ))
    assert [one.customer for one in got.first] == [f"c{c}" for c in differ[:most]]
    for one, customer in zip(got.first, differ, strict=False):
        by, there = expected.get(customer, []), found.get(customer, [])
        place = next(k for k in range(max(len(by), len(there))) if by[k : k + 1] != there[k : k + 1])
        assert one.number == place + 1
        for message, sequence in ((one.expected, by), (one.found, there)):
            assert message == (
                msgspec.json.encode({"customer": customer, "text": f"m{sequence[place]}"}) if place < len(sequence) else None
            )


def test_a_difference_names_the_fields():
    one, two = (msgspec.json.encode({"as_of": "t", "risk": risk, "tier": "high", "decision": "fired"}) for risk in (0.61, 0.62))
    assert str(Difference("c1", 2, one, two)) == "customer c1, message 2: risk is 0.62 on the topic, 0.61 by the backtest"
    head = 'as_of "t", decision "fired", tier "high", risk 0.61'
    assert str(Difference("c1", 2, one, None)) == f"customer c1, message 2: only by the backtest: {head}"
    assert str(Difference("c1", 2, None, one)) == f"customer c1, message 2: only on the topic: {head}"
    assert str(Difference("c1", 2, one, b" " + one)) == "customer c1, message 2: the same content in other bytes"


@given(
    st.lists(st.tuples(st.integers(1, 4), st.text(min_size=1, max_size=5)), min_size=1, max_size=20),
    st.integers(0, 20),
    st.data(),
)
@examples(150)
def test_event_ids_come_back_by_their_places(gaps_and_ids, cut, data):
    """Places ascend with gaps, as where bad rows were left out."""
    places = np.cumsum([gap for gap, _ in gaps_and_ids]) - 1
    ids = [one for _, one in gaps_and_ids]
    with tempfile.TemporaryDirectory() as folder:
        kept = EventIds(Path(folder))
        for part in (slice(0, cut), slice(cut, None)):
            if len(places[part]):
                kept.add(places[part], ids[part])
        asked = data.draw(st.lists(st.integers(0, len(ids) - 1), max_size=8))
        assert kept.of(places[asked]) == [ids[k] for k in asked]
