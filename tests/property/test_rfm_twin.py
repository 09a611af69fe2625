"""The columnar fold, windows and bins against their twins, without the engine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import rfm, windows
from streams.customer import new_records
from streams.features import gap_spread_days
from streams.quintiles import Quintiles, frequency_bin, monetary_bin
from streams.segments import pack, segment_name
from tests.oracle import quintiles_twin
from tests.oracle.quintiles_twin import SketchTwin
from tests.oracle.rfm_twin import DAY_MS, CustomerTwin, EventTwin
from tests.support.examples import examples
from tests.support.same_as_twin import assert_same_life
from tests.support.streams_of_rows import as_columns, rows

LATER_S = st.sampled_from([0, 1, 43_199, 43_200, 86_400, 75_600, 324_000, 972_000, 3_942_000, 31_536_000, 353_894_400])


def fold_one(record, event: EventTwin) -> bool:
    columns = as_columns([event])
    if rfm.is_repeat(record, columns.id_hash)[0]:
        return False
    rfm.fold(record, columns.kind, columns.time_ms, columns.amount_minor, columns.severity, columns.cause, columns.id_hash)
    return True


@given(rows(max_rows=80, customers=1, ticks=False), LATER_S)
@examples(150)
def test_a_record_is_what_the_twin_remembers(events, later_s):
    record, life = new_records(1), CustomerTwin()
    for event in events:
        repeat = life.is_repeat(event)
        assert fold_one(record, event) is not repeat
        if not repeat:
            life.fold(event)
    assert_same_life(record[0], life)
    assert_same_sums(record, life, life.newest_s + later_s)
    gaps = life.recent_gaps
    off = sorted(abs(gap - life.usual_gap_half_days / 2) for gap in gaps)
    spread = gap_spread_days(record)[0]
    assert np.isnan(spread) if len(gaps) < 2 else spread == (off[(len(off) - 1) // 2] + off[len(off) // 2]) / 2


def assert_same_sums(record, life: CustomerTwin, as_of_s: int) -> None:
    at = np.array([as_of_s])
    got = {name: int(windows.window_sum(record, name, days, at)[0]) for days, names in windows.RINGS.items() for name in names}
    for days in windows.WINDOW_DAYS:
        count, severity = windows.complaint_sums(record, days, at)
        got |= {f"complaints_{days}d": int(count[0]), f"severity_{days}d": int(severity[0])}
    assert got == life.sums(as_of_s)


@given(st.lists(rows(max_rows=12, customers=1, ticks=False), min_size=2, max_size=5))
@examples(60)
def test_rows_of_one_call_do_not_touch_each_other(lives):
    """Many customers folded at once, each as if alone."""
    records, alone = new_records(len(lives)), new_records(len(lives))
    for k in range(max(map(len, lives))):
        at = [n for n, life in enumerate(lives) if k < len(life)]
        together = as_columns([lives[n][k] for n in at])
        picked = records[at]
        fresh = ~rfm.is_repeat(picked, together.id_hash)
        chosen = picked[fresh]
        columns = together.take(fresh)
        rfm.fold(chosen, columns.kind, columns.time_ms, columns.amount_minor, columns.severity, columns.cause, columns.id_hash)
        records[np.array(at)[fresh]] = chosen
        for n in at:
            one = alone[n : n + 1]
            fold_one(one, lives[n][k])
    assert records.tobytes() == alone.tobytes()


@given(st.one_of(st.integers(0, 2**19), st.sampled_from([2**k + d for k in range(1, 36) for d in (-1, 0, 1)])))
@examples(150)
def test_bins_are_exact(value):
    assert frequency_bin(np.array([value]))[0] == quintiles_twin.frequency_bin(value)
    assert monetary_bin(np.array([value]))[0] == quintiles_twin.monetary_bin(value)


@pytest.mark.parametrize("k", range(8, 4 * 35))
def test_bins_change_at_the_first_value_past_a_quarter_octave(k):
    edge = next(v for v in range(int(2 ** (k / 4)) - 1, int(2 ** (k / 4)) + 3) if v**4 >= 2**k)
    for value in (edge - 1, edge):
        assert monetary_bin(np.array([value]))[0] == quintiles_twin.monetary_bin(value)
        assert frequency_bin(np.array([value]))[0] == quintiles_twin.frequency_bin(value)
    assert monetary_bin(np.array([edge]))[0] == 2 + k


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 600), st.integers(-700, 8), st.integers(1, 63), st.integers(1, 255)),
        max_size=60,
    )
)
@examples(80)
def test_a_sketch_scores_as_a_recount_from_scratch(steps):
    """Each step: customer, days since the last step, last purchase day against today, bins of F and M."""
    sketch, twin, day = Quintiles(), SketchTwin(), 20_000
    known: dict[int, list[np.ndarray]] = {}
    for customer, days, back, f, m in steps:
        day += days if days < 40 or days > 500 else 0
        last_day = max(day + back, int(known[customer][0][0]) if customer in known else 0)
        now = [np.array([last_day]), np.array([f], np.uint8), np.array([m], np.uint8)]
        sketch.enter_day(day)
        packed = sketch.score(*now)
        if customer in known:
            sketch.count(*known[customer], -1)
        sketch.count(*now, 1)
        known[customer] = now
        scores = twin.evaluate(str(customer), day * DAY_MS, (last_day, f, m))
        assert packed.tolist() == pack(*(np.array([s]) for s in scores)).tolist()
        assert segment_name(int(packed[0])) == quintiles_twin.segment(scores)
    assert [sketch.recency.sum(), sketch.frequency.sum(), sketch.monetary.sum()] == [len(known)] * 3
    assert Quintiles.from_bytes(sketch.to_bytes()).to_bytes() == sketch.to_bytes()
