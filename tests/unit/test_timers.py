"""When the next look is, and who is due."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.columns import DAY_MS
from streams.customer import NEVER_S, new_records
from streams.timers import BLOCK, DueIndex, LookRules, is_last_look, next_look_s
from tests.support.examples import examples

RULES = LookRules(min_ms=DAY_MS, max_ms=30 * DAY_MS, gap_permille=250, until_ms=730 * DAY_MS, default_gap_ms=30 * DAY_MS)
NOW_MS = 20_000 * DAY_MS
NOW_S = NOW_MS // 1000


def look_days(*, idle_days: float, gap_days: float = 0, wish_days: float | None = None, purchases: int = 3) -> float | None:
    """Days from now to the next look."""
    rows = new_records(1)
    rows["purchases"], rows["usual_gap_half_days"] = purchases, int(2 * gap_days)
    rows["last_purchase_ms"] = NOW_MS - int(idle_days * DAY_MS)
    wish_ms = 0 if wish_days is None else NOW_MS + int(wish_days * DAY_MS)
    due_s = int(next_look_s(rows, np.array([NOW_MS]), np.array([wish_ms]), RULES)[0])
    return None if due_s == NEVER_S else (due_s - NOW_S) / 86_400


@pytest.mark.parametrize(
    ("case", "days"),
    [
        ({"idle_days": 0, "gap_days": 20}, 5),  # a quarter of the usual gap
        ({"idle_days": 0, "gap_days": 2.5}, 1),  # not below the shortest
        ({"idle_days": 0}, 7.5),  # a quarter of the default gap
        ({"idle_days": 60, "gap_days": 20}, 15),  # silence longer than the gap sets the rhythm
        ({"idle_days": 400, "gap_days": 20}, 30),  # not above the longest
        ({"idle_days": 730, "gap_days": 20}, 30),
        ({"idle_days": 730.001, "gap_days": 20}, None),  # silence has lasted too long
        ({"idle_days": 0, "purchases": 0}, None),  # nothing bought yet
        ({"idle_days": 0, "gap_days": 20, "wish_days": 0.25}, 0.25),
        ({"idle_days": 0, "gap_days": 20, "wish_days": 9}, 5),  # a later wish changes nothing
        ({"idle_days": 0, "gap_days": 20, "wish_days": 0}, 5),  # nor one that has passed
        ({"idle_days": 0, "gap_days": 20, "wish_days": -1}, 5),
        ({"idle_days": 800, "gap_days": 20, "wish_days": 6}, 6),  # a wish is granted after the end
        ({"idle_days": 0, "purchases": 0, "wish_days": 6}, 6),
    ],
)
def test_the_next_look_follows_the_rhythm(case, days):
    assert look_days(**case) == days


@pytest.mark.parametrize(
    ("as_of_ms", "min_ms", "due_s"), [(10_000, 1, 11), (10_999, 1, 11), (10_500, 500, 11), (10_500, 501, 12)]
)
def test_a_look_is_rounded_up_to_the_second_and_lies_in_the_future(as_of_ms, min_ms, due_s):
    rows = new_records(1)
    rows["purchases"], rows["last_purchase_ms"] = 1, as_of_ms
    rules = LookRules(min_ms=min_ms, max_ms=min_ms, gap_permille=250, until_ms=DAY_MS, default_gap_ms=1)
    assert next_look_s(rows, np.array([as_of_ms]), np.array([0]), rules).tolist() == [due_s]


@pytest.mark.parametrize("wish_s", [NEVER_S, NEVER_S + 1, 2 * NEVER_S])
def test_a_look_beyond_what_the_record_can_hold_is_never_and_not_in_the_past(wish_s):
    due_s = next_look_s(new_records(1), np.array([NOW_MS]), np.array([wish_s * 1000]), RULES)
    assert due_s.tolist() == [NEVER_S]


ROWS = 3 * BLOCK
changes = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([0, BLOCK - 1, BLOCK, ROWS - 1]), st.integers(0, ROWS - 1)),
        st.one_of(st.integers(0, 20), st.just(NEVER_S)),
        st.one_of(st.none(), st.integers(-1, 21)),
    ),
    max_size=40,
)


@given(changes)
@examples(100)
def test_exactly_those_are_due_whose_time_has_come(steps):
    index, known = DueIndex(BLOCK), dict[int, int]()
    index.grow(ROWS)
    for row, due_s, ask_s in steps:
        index.put(np.array([row]), np.array([due_s], np.uint32))
        known[row] = due_s
        if ask_s is not None:
            assert index.due(ask_s).tolist() == sorted(r for r, due in known.items() if due <= ask_s)


def test_growing_keeps_what_is_due():
    index = DueIndex(1)
    index.put(np.array([3, 5]), np.array([7, NEVER_S], np.uint32))
    index.grow(10 * BLOCK)
    index.put(np.array([9 * BLOCK]), np.array([7], np.uint32))
    assert index.due(7).tolist() == [3, 9 * BLOCK]
    assert index.due(6).tolist() == []


@pytest.mark.parametrize(
    ("silent_days", "idle_days", "days"),
    [
        (0, 0, 5),  # the usual look comes first
        (898, 0, 2),  # forgotten after 900 days without any event
        (100, 800, 800),  # looks have ended, and this one is made all the same
        (900, 800, 1 / 86_400),  # an event came that is older than that: at the next second
        (2_000, 0, 1 / 86_400),
    ],
)
def test_the_last_look_is_when_a_customer_is_to_be_forgotten(silent_days, idle_days, days):
    rows, rules = new_records(1), replace(RULES, forget_s=900 * 86_400)
    rows["purchases"], rows["usual_gap_half_days"] = 3, 40
    rows["last_purchase_ms"], rows["ring_s"] = NOW_MS - idle_days * DAY_MS, NOW_S - silent_days * 86_400
    due_s = next_look_s(rows, np.array([NOW_MS]), np.array([0]), rules).astype(np.int64)
    assert int(due_s[0]) - NOW_S == round(days * 86_400)
    assert is_last_look(rows, due_s * 1000, rules).tolist() == [silent_days > 0]
    assert is_last_look(rows, due_s * 1000, RULES).tolist() == [False]
