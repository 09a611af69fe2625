"""A log cut into stretches: nothing lost, nothing twice, ticks where a worker would meet them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.backtest.event_rows import EVENT
from streams.backtest.stretches import columns_of, stretches
from streams.columns import TICK, Columns
from tests.support.examples import examples

TIMES = st.integers(0, 12)
IDS = np.array(["a"], object)


@given(st.lists(TIMES, max_size=15), st.sets(TIMES), st.sets(TIMES), st.lists(st.integers(0, 15), max_size=4), st.integers(1, 6))
@examples(400)
def test_stretches_put_together_are_the_events_and_ticks_in_order(times, ticks, stops, cuts, max_rows):
    rows = np.zeros(len(times), EVENT)
    rows["time_ms"], rows["id_hash"] = sorted(times), np.arange(len(times))
    blocks = [block for block in np.split(rows, sorted(min(cut, len(times)) for cut in cuts)) if len(block)]
    last = max([*times, *ticks, *stops, 0])
    all_stops = sorted(stops | {last})
    found = list(stretches(iter(blocks), np.array(sorted(ticks), np.int64), all_stops, max_rows))
    assert [one.stop_ms for one in found if one.stop_ms is not None] == all_stops
    assert all(len(one.rows) <= max_rows for one in found)
    passed = 0
    for one in found:
        passed += len(one.rows)
        if one.stop_ms is not None:
            assert passed == sum(time <= one.stop_ms for time in times)
    together = Columns.concat([columns_of(one.rows, one.ticks_ms, IDS) for one in found])
    expected = sorted([(time, 0, k) for k, time in enumerate(sorted(times))] + [(tick, TICK, 0) for tick in ticks])
    got = zip(together.time_ms.tolist(), together.kind.tolist(), together.id_hash.tolist(), strict=True)
    assert list(got) == expected
