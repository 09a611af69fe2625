"""When a backtest fits the closed form anew, and that a fit says what it lacks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.backtest.refits import refit_times
from streams.columns import DAY_MS
from streams.customer import new_records
from streams.refits import histories, refit


@given(st.integers(0, 20_000), st.lists(st.integers(1, 45), min_size=1, max_size=40), st.integers(1, 60))
def test_due_are_the_first_ticks_after_each_so_many_days(first_day: int, gaps: list[int], every_days: int) -> None:
    ticks = (first_day + np.cumsum([0, *gaps])).tolist()
    ends = range(first_day - 1 + every_days, ticks[-1] + 1, every_days)
    expected = sorted({next(tick for tick in ticks if tick >= end) for end in ends})
    assert [at_ms // DAY_MS for at_ms in refit_times(np.array(ticks) * DAY_MS, every_days)] == expected


def test_too_few_customers_are_told() -> None:
    rows = new_records(40)
    rows["purchases"][:20] = 1
    with pytest.raises(ValueError, match="20 customers"):
        refit(histories(rows, 20_000 * DAY_MS), 20_000 * DAY_MS)
