"""What `churnwatch fit` sees of a history: purchase days a customer, counted by hand and by a plain loop."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.backtest.history import History, read_history
from streams.cli.errors import CommandError
from streams.cli.fit import observed
from streams.columns import DAY_MS, PURCHASE, REFUND

START_DAY = 10_000


def history(told: list[tuple[str, int, int]]) -> History:
    """(customer, day, kind) in any order."""
    told = sorted(told, key=lambda event: event[1])
    n = len(told)
    text = np.full(n, "", object)
    return History(
        customer=np.array([customer for customer, _, _ in told] or [""], object)[:n],
        kind=np.array([kind for _, _, kind in told], np.uint8),
        time_ms=np.array([(START_DAY + day) * DAY_MS + 5 for _, day, _ in told], np.int64),
        amount=np.ones(n),
        currency=text,
        severity=np.zeros(n, np.uint8),
        category=text,
        text=text,
        event_id=text,
        row=np.arange(n),
    )


def test_repeat_days_the_last_of_them_and_the_time_observed() -> None:
    x, t_x, big_t, end_ms = observed(
        history([("a", 0, PURCHASE), ("a", 0, PURCHASE), ("a", 7, PURCHASE), ("b", 3, PURCHASE), ("b", 9, REFUND)]), None
    )
    assert (x.tolist(), t_x.tolist(), big_t.tolist()) == ([1, 0], [7, 0], [7, 4])
    assert end_ms == (START_DAY + 8) * DAY_MS


def test_until_leaves_out_what_came_later_and_ends_the_observation_the_day_before() -> None:
    until_ms = (START_DAY + 7) * DAY_MS
    x, t_x, big_t, _ = observed(history([("a", 0, PURCHASE), ("a", 7, PURCHASE), ("b", 3, PURCHASE)]), until_ms)
    assert (x.tolist(), t_x.tolist(), big_t.tolist()) == ([0, 0], [0, 0], [6, 3])


def test_nothing_to_fit_to_is_said() -> None:
    with pytest.raises(CommandError, match="no purchase"):
        observed(history([("a", 0, REFUND)]), None)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30), st.sampled_from([PURCHASE, REFUND])), min_size=1))
def test_it_equals_a_plain_loop(told: list[tuple[str, int, int]]) -> None:
    days: dict[str, set[int]] = defaultdict(set)
    for customer, day, kind in told:
        if kind == PURCHASE:
            days[customer].add(day)
    if not days:
        return
    end = max(max(each) for each in days.values())
    expected = [(len(days[c]) - 1, max(days[c]) - min(days[c]), end - min(days[c])) for c in sorted(days)]
    x, t_x, big_t, _ = observed(history(told), None)
    assert list(zip(x.tolist(), t_x.tolist(), big_t.tolist(), strict=True)) == expected


def test_a_file_is_read_as_a_history(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_text(
        "type,customer_id,occurred_at,amount,currency\n"
        "purchase,a,2024-01-01T00:00:00Z,5,USD\npurchase,a,2024-01-03T00:00:00Z,5,USD\n"
    )
    x, t_x, big_t, _ = observed(read_history(path), None)
    assert (x.tolist(), t_x.tolist(), big_t.tolist()) == ([1], [2], [2])
