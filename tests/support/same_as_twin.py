"""Whether records and state of the engine say what the twin says, field by field."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from alerts.rules import TIER_NAMES
from streams.customer import CUSTOMER, RECORD_BYTES, VERSION, Records
from streams.segments import SEGMENTS, unpack
from streams.state import PartitionState
from tests.oracle.engine_twin import EngineTwin, Watched
from tests.oracle.quintiles_twin import BINS
from tests.oracle.rfm_twin import CustomerTwin
from tests.oracle.windows_twin import HALF_DAY_S

REL = ABS = 1e-4
"""float32 sums; the absolute part is for what cancels or has decayed to nothing."""

FROM_EVALUATION = {"seen_ms", "due_s", "risk_bp", "policy", "rfm", "frequency_bin", "monetary_bin"}
CONSTANT = {"version"}


def assert_same_life(record: np.void, life: CustomerTwin) -> None:
    """The fields that the fold alone decides."""
    exact, floats = life.exact_fields(), life.float_fields()
    assert set(CUSTOMER.names or ()) == set(exact) | set(floats) | FROM_EVALUATION | CONSTANT | {"complaint_ring"}
    wrong = {name: (record[name].tolist(), want) for name, want in exact.items() if record[name].tolist() != want}
    assert not wrong, f"(record, twin): {wrong}"
    for name, want in floats.items():
        assert np.ravel(record[name]).tolist() == pytest.approx(want, rel=REL, abs=ABS), name
    assert record["complaint_ring"].tolist() == complaint_ring(life)
    assert record["version"] == VERSION


def complaint_ring(life: CustomerTwin) -> list[int]:
    """Half day modulo 8192 and severity, newest arrival first; 0 for what no window reaches from the newest complaint."""
    newest = life.last_complaint_s // HALF_DAY_S
    kept = [half_day % 8192 * 8 + severity if newest - half_day < 730 else 0 for half_day, severity in life.remembered.kept]
    return kept + [0] * (16 - len(kept))


def assert_same_record(record: np.void, one: Watched) -> None:
    """Every field."""
    assert len(record.tobytes()) == RECORD_BYTES
    assert_same_life(record, one.life)
    assert record["policy"].item() == astuple(one.policy)
    got = {name: int(record[name]) for name in ("seen_ms", "due_s", "risk_bp", "frequency_bin", "monetary_bin")}
    _, frequency, monetary = one.bins or (0, 0, 0)
    want = {"seen_ms": one.seen_ms, "due_s": one.due_s, "risk_bp": one.risk_bp}
    assert got == want | {"frequency_bin": frequency, "monetary_bin": monetary}
    assert unpack(int(record["rfm"])) == one.rfm


def assert_same_records(ids: list[str], records: Records, twin: EngineTwin) -> None:
    for customer, record in zip(ids, records, strict=True):
        assert_same_record(record, twin.customers[customer])


def assert_same_state(state: PartitionState, twin: EngineTwin) -> None:
    assert state.watermark_ms == twin.watermark_ms
    board = twin.board()
    assert state.customers.tolist() == [[board[tier, name] for name in SEGMENTS] for tier in TIER_NAMES]
    quintiles, sketch = state.quintiles, twin.sketch
    assert quintiles.day == sketch.day
    counted = (quintiles.recency, quintiles.frequency, quintiles.monetary)
    for got, want, size in zip(counted, sketch.counts(), BINS, strict=True):
        assert got.tolist() == [want[b] for b in range(size)]
    tables = (quintiles.recency_scores, quintiles.frequency_scores, quintiles.monetary_scores)
    for k, (table, size) in enumerate(zip(tables, BINS, strict=True)):
        assert table.tolist() == [sketch.scores(b, b, b)[k] for b in range(size)]
