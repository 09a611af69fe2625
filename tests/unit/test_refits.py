"""When the closed form is fitted anew, told tick by tick and told for a whole history; and that a fit says what it lacks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.backtest.refits import refit_times
from streams.columns import DAY_MS
from streams.customer import new_records
from streams.refits import histories, refit, refit_due


@given(st.integers(0, 20_000), st.lists(st.integers(1, 45), min_size=1, max_size=40), st.integers(1, 60))
def test_tick_by_tick_it_is_due_when_the_whole_history_says(first_day: int, gaps: list[int], every_days: int) -> None:
    ticks_ms = (first_day + np.cumsum([0, *gaps])) * DAY_MS
    found, done_ms = [], int(ticks_ms[0]) - DAY_MS
    for at_ms in ticks_ms.tolist():
        if refit_due(int(ticks_ms[0]), done_ms, at_ms, every_days):
            found.append(at_ms)
        done_ms = at_ms
    assert found == refit_times(ticks_ms, every_days)


def test_too_few_customers_are_told() -> None:
    rows = new_records(40)
    rows["purchases"][:20] = 1
    with pytest.raises(ValueError, match="20 customers"):
        refit(histories(rows, 20_000 * DAY_MS), 20_000 * DAY_MS)
