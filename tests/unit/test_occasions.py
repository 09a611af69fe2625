"""Who bought how often, in which window, and who then fell silent: counted by columns and by plain loops."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.backtest.cut_offs import CutOffRules, cut_offs
from streams.backtest.occasions import NEVER_MS, Occasions
from streams.backtest.silences import OPEN_MS, LongSilences
from streams.backtest.window_counts import WindowCounts
from streams.columns import DAY_MS
from tests.support.examples import examples

CUSTOMERS = 4


@st.composite
def purchases(draw: st.DrawFn) -> tuple[list[tuple[int, int]], list[int]]:
    """(time, customer) ascending by time from a start on, and positions at which they are cut."""
    times = st.one_of(st.integers(0, 60), st.sampled_from([0, 5, 10, 15, 20, 30]))
    bought = sorted(
        draw(st.lists(st.tuples(times, st.integers(0, CUSTOMERS - 1)), min_size=1, max_size=40)), key=lambda one: one[0]
    )
    cuts = draw(st.lists(st.integers(0, len(bought)), max_size=4))
    return bought, sorted(cuts)


def parts(bought, cuts):
    for start, end in zip([0, *cuts], [*cuts, len(bought)], strict=True):
        part = bought[start:end]
        yield np.array([who for _, who in part], np.uint32), np.array([when for when, _ in part], np.int64)


def occasions_of(bought) -> dict[int, list[int]]:
    found = defaultdict(set)
    for when, who in bought:
        found[who].add(when)
    return {who: sorted(times) for who, times in found.items()}


@given(purchases())
@examples(150)
def test_purchases_at_one_instant_are_one_occasion_however_they_are_cut(drawn):
    bought, cuts = drawn
    occasions, got = Occasions(CUSTOMERS), defaultdict(list)
    for customer, time_ms in parts(bought, cuts):
        new = occasions.add(customer, time_ms)
        assert sorted(zip(new.customer.tolist(), new.time_ms.tolist(), strict=True)) == list(
            zip(new.customer.tolist(), new.time_ms.tolist(), strict=True)
        )
        for who, *told in zip(
            *(column.tolist() for column in (new.customer, new.time_ms, new.before_ms, new.number)), strict=True
        ):
            got[who].append(tuple(told))
    expected = {
        who: [(when, times[k - 1] if k else NEVER_MS, k + 1) for k, when in enumerate(times)]
        for who, times in occasions_of(bought).items()
    }
    assert got == expected
    assert occasions.last_ms.tolist() == [max(occasions_of(bought).get(who, [NEVER_MS])) for who in range(CUSTOMERS)]


@given(purchases(), st.integers(1, 30), st.integers(1, 30))
@examples(150)
def test_windows_hold_what_a_plain_count_finds(drawn, window_ms, every_ms):
    bought, _ = drawn
    start_ms = bought[0][0]
    ends = list(range(start_ms + window_ms, 75, every_ms))
    occasions, counts, at = Occasions(CUSTOMERS), WindowCounts(CUSTOMERS, start_ms, window_ms, every_ms), 0
    for end_ms in ends:
        part = [one for one in bought[at:] if one[0] <= end_ms]
        at += len(part)
        for customer, time_ms in parts(part, [len(part) // 2]):
            counts.add(occasions.add(customer, time_ms))
        expected = [
            sum(end_ms - window_ms < when <= end_ms for when in occasions_of(bought).get(who, [])) for who in range(CUSTOMERS)
        ]
        assert counts.until(end_ms).tolist() == expected


@given(purchases(), st.integers(1, 20), st.integers(0, 15))
@examples(150)
def test_a_silence_is_a_purchase_after_which_none_came_for_a_horizon(drawn, horizon_ms, more_ms):
    bought, cuts = drawn
    end_ms = bought[-1][0] + more_ms
    occasions, silences = Occasions(CUSTOMERS), LongSilences(horizon_ms)
    for customer, time_ms in parts(bought, cuts):
        silences.add(occasions.add(customer, time_ms))
    found = silences.all(occasions, end_ms)
    expected = []
    for who, times in sorted(occasions_of(bought).items()):
        for k, when in enumerate(times):
            following = times[k + 1] if k + 1 < len(times) else OPEN_MS
            if when + horizon_ms <= end_ms and following > when + horizon_ms:
                expected.append((who, when, following, k + 1))
    columns = (found.customer, found.since_ms, found.until_ms, found.number)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == expected


@given(st.integers(0, 10**12), st.integers(0, 2000), st.integers(1, 100), st.integers(1, 200), st.integers(1, 60))
def test_cut_offs_are_those_at_which_window_and_horizon_fit(first_ms, span_days, horizon, window, every):
    last_ms = first_ms + span_days * DAY_MS
    found = cut_offs(first_ms, last_ms, CutOffRules(horizon, window, every, 1))
    candidates = [first_ms + (window + k * every) * DAY_MS for k in range(2001)]
    assert found == [at_ms for at_ms in candidates if at_ms + horizon * DAY_MS <= last_ms]


@pytest.mark.parametrize("name", ["horizon_days", "window_days", "every_days", "min_events"])
def test_rules_of_nothing_are_refused(name):
    with pytest.raises(ValueError, match=name):
        CutOffRules(**({"horizon_days": 1, "window_days": 1, "every_days": 1, "min_events": 1} | {name: 0}))
