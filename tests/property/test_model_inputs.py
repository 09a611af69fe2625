"""What a model may know, read from records, against a plain recount of each customer's life."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from detectors.customer_features import FEATURES
from detectors.design import COLUMNS, design
from detectors.model_inputs import INPUTS
from detectors.parameters import SHIPPED
from streams import rfm
from streams.columns import DAY_MS
from streams.customer import Records, new_records
from streams.model_inputs import model_inputs
from tests.oracle import design_twin
from tests.oracle.model_inputs_twin import inputs
from tests.oracle.rfm_twin import CustomerTwin, EventTwin
from tests.support.examples import examples
from tests.support.streams_of_rows import as_columns, rows

LATER_MS = st.one_of(
    st.integers(0, 400 * DAY_MS),
    st.sampled_from([0, 1, DAY_MS - 1, DAY_MS, 30 * DAY_MS, 90 * DAY_MS, 180 * DAY_MS, 365 * DAY_MS]),
)
ONE = rows(max_rows=80, customers=1, ticks=False)
HAS_ROUNDING = {"gap_sq_sum", "log_gap_sum", "log_gap_sq_sum"}
"""Sums in float32 from which a gap that was split is taken off again."""


def lived(events: list[EventTwin]) -> tuple[Records, CustomerTwin]:
    """The record and the twin after these events, repeats left out."""
    record, life = new_records(1), CustomerTwin()
    for event in events:
        columns = as_columns([event])
        if not rfm.is_repeat(record, columns.id_hash)[0]:
            rfm.fold(
                record, columns.kind, columns.time_ms, columns.amount_minor, columns.severity, columns.cause, columns.id_hash
            )
            life.fold(event)
    return record, life


@given(ONE, LATER_MS)
@examples(100)
def test_inputs_are_a_recount_of_the_life(events: list[EventTwin], later_ms: int) -> None:
    record, life = lived(events)
    assume(life.bought)
    as_of_ms = max(event.time_ms for event in events) + later_ms
    wanted = inputs(life, as_of_ms)
    found = dict(zip(INPUTS, model_inputs(record, np.array([as_of_ms]))[0].tolist(), strict=True))
    assert set(wanted) == set(INPUTS)
    longest = max(life.gaps, default=1)
    for name, value in wanted.items():
        slack = 1e-6 * max(longest, 1) ** 2 * len(life.days) if name in HAS_ROUNDING else 0.0
        assert found[name] == pytest.approx(value, rel=2e-5, abs=max(slack, 1e-30)), name
    assert all(np.isfinite(value) and value >= 0 for value in found.values())


@given(ONE, LATER_MS)
@examples(100)
def test_the_design_is_what_one_customer_gives_by_hand(events: list[EventTwin], later_ms: int) -> None:
    record, life = lived(events)
    assume(life.bought)
    found = model_inputs(record, np.array([max(event.time_ms for event in events) + later_ms]))
    known = dict(zip(INPUTS, found[0].astype(float).tolist(), strict=True))
    wanted = design_twin.columns(known, SHIPPED, 90.0)
    assert set(wanted) == set(COLUMNS)
    assert dict(zip(COLUMNS, design(found, SHIPPED, 90.0)[0].tolist(), strict=True)) == pytest.approx(wanted, rel=1e-7, abs=1e-7)


@given(st.lists(rows(max_rows=12, customers=1, ticks=False), min_size=1, max_size=6), st.lists(LATER_MS, min_size=6, max_size=6))
@examples(40)
def test_rows_do_not_touch_each_other(lives: list[list[EventTwin]], later_ms: list[int]) -> None:
    """In a batch and alone a customer gives the same bytes, inputs and design."""
    records = np.concatenate([lived(events)[0] for events in lives])
    as_of_ms = np.array([max(e.time_ms for e in events) + later for events, later in zip(lives, later_ms, strict=False)])
    bought = np.flatnonzero(records["purchases"])
    assume(len(bought))
    records, as_of_ms = records[bought], as_of_ms[bought]
    together = model_inputs(records, as_of_ms)
    alone = [model_inputs(records[k : k + 1], as_of_ms[k : k + 1]) for k in range(len(bought))]
    assert together.tobytes() == b"".join(one.tobytes() for one in alone)
    columns = b"".join(design(one, SHIPPED, 90.0).tobytes() for one in alone)
    assert design(together, SHIPPED, 90.0).tobytes() == columns


def test_who_has_no_refunds_complaints_or_logins_has_no_such_columns() -> None:
    """So a business without them is served as if they had never been thought of."""
    known = np.zeros((3, len(INPUTS)), np.float32)
    known[:, :6] = [[0, 0, 40, 40, 1, 0], [3, 90, 100, 10, 4, 1], [9, 700, 701, 1, 30, 2]]
    signals = [place for place, f in enumerate(FEATURES) if f.name.startswith(("refund", "complaint", "severity", "log"))]
    signals.remove([f.name for f in FEATURES].index("log_z"))
    assert len(signals) == 16
    assert not design(known, SHIPPED, 90.0)[:, signals].any()
