"""A history through the engine, straight from its columns: no Kafka, no Redis, the same `advance`.

What comes out is what workers store and send when the same history is replayed to them: the tests hold the two together
byte by byte, and a backtest reports from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from alerts.alert import encode
from detectors.parameters import BtydParameters
from detectors.served import ServedModel
from streams.columns import TICK, Columns
from streams.customer import row_bytes
from streams.engine import EngineRules, advance
from streams.table import CustomerTable

MAX_ROWS = 20_000


@dataclass(slots=True)
class RunResult:
    """What a run stores and sends.

    alerts    messages as bytes (`alerts.alert.encode`), partition after partition, within one by the order of leaving
    records   customer -> stored row (`streams.customer`)
    states    partition -> the partition's state (`PartitionState.to_bytes`)
    events    applied, repeats not counted
    """

    alerts: list[bytes] = field(default_factory=list)
    records: dict[str, bytes] = field(default_factory=dict)
    states: dict[int, bytes] = field(default_factory=dict)
    events: int = 0


def run_history(
    columns_by_partition: Mapping[int, Columns], rules: EngineRules, parameters: BtydParameters, *, max_rows: int = MAX_ROWS
) -> RunResult:
    """Fold every partition from its first row to its last.

    columns_by_partition   events and ticks in merge order, as `payloads.to_columns` gives them
    max_rows               rows folded at a time, >= 1; the result does not depend on it
    Raises ValueError for max_rows below 1.

    As in a worker, nothing after the last tick is folded. Memory grows with the number of customers: none is forgotten.
    """
    if max_rows < 1:
        raise ValueError(f"max_rows: {max_rows} folds nothing; give 1 or more")
    result, model = RunResult(), ServedModel(parameters, rules.horizon_days)
    for partition, columns in sorted(columns_by_partition.items()):
        _run_partition(partition, columns, rules, model, max_rows, result)
    return result


def _run_partition(
    partition: int, columns: Columns, rules: EngineRules, model: ServedModel, max_rows: int, result: RunResult
) -> None:
    table, end = CustomerTable(), _end(columns)
    for start in range(0, end, max_rows):
        step = advance(table, columns.take(slice(start, min(start + max_rows, end))), 0, rules, model)
        table.apply(step)
        result.alerts += map(encode, step.alerts)
        result.events += sum(step.stats.events)
    stored = row_bytes(table.records)
    result.records |= {customer: stored[row] for customer, row in table.row_of.items()}
    result.states[partition] = table.state.to_bytes()


def _end(columns: Columns) -> int:
    """Rows up to and with the last tick."""
    ticks = np.flatnonzero(columns.kind == TICK)
    return int(ticks[-1]) + 1 if len(ticks) else 0
