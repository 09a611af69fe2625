"""The engine alone: `advance` and `table.apply` on columns, no Kafka, no Redis, no decoding."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from statistics import median

from benchmarks.stream import columns, make_stream
from detectors.parameters import SHIPPED
from detectors.served import ServedModel
from streams.columns import Columns
from streams.engine import advance
from streams.runtime.rules import engine_rules, event_rules
from streams.runtime.settings import Settings, load_settings
from streams.table import CustomerTable

BATCHES = (1_000, 10_000, 100_000)


@dataclass(frozen=True, slots=True)
class EngineResult:
    """One batch size on one stream; wall clock and CPU are each the median of the repetitions.

    batch_rows            rows a call, of one partition; partitions take turns
    span_days             of the stream
    events_per_s          by this process's wall clock
    cpu_us_per_event      of this process
    looks_per_event, alerts_per_event   work that the events brought with them
    """

    batch_rows: int
    span_days: int
    events: int
    events_per_s: float
    cpu_us_per_event: float
    looks_per_event: float
    alerts_per_event: float


def measure_engine(events: int, span_days: int, batches: tuple[int, ...], repeats: int) -> list[EngineResult]:
    """Fold a whole stream for each batch size, `repeats` times each from empty tables. Run it in a process of its own."""
    settings = load_settings(None, {"CHURNWATCH_TIME__CLOCK": "history"})
    merged = columns(make_stream(events, span_days), event_rules(settings).of_history())  # the messages themselves are gone then
    gc.freeze()  # as the worker does
    return [_measure(events, span_days, merged, settings, rows, repeats) for rows in batches]


def _measure(
    events: int, span_days: int, merged: dict[int, Columns], settings: Settings, rows: int, repeats: int
) -> EngineResult:
    wall_s, cpu_s, looks, alerts = [], [], 0, 0
    for _ in range(repeats):
        began_wall_s, began_cpu_s = time.perf_counter(), time.process_time()
        looks, alerts = _fold(events, merged, settings, rows)
        wall_s.append(time.perf_counter() - began_wall_s)
        cpu_s.append(time.process_time() - began_cpu_s)
    return EngineResult(
        batch_rows=rows,
        span_days=span_days,
        events=events,
        events_per_s=events / median(wall_s),
        cpu_us_per_event=median(cpu_s) / events * 1e6,
        looks_per_event=looks / events,
        alerts_per_event=alerts / events,
    )


def _fold(events: int, merged: dict[int, Columns], settings: Settings, rows: int) -> tuple[int, int]:
    """Looks fired and alerts sent. Raises RuntimeError unless every event was folded."""
    rules = engine_rules(settings)
    model = ServedModel(SHIPPED, rules.horizon_days)
    tables = {partition: CustomerTable() for partition in merged}
    folded = looks = alerts = 0
    for start in range(0, max(map(len, merged.values())), rows):
        for partition, whole in merged.items():
            batch = whole.take(slice(start, start + rows))
            if not len(batch):
                continue
            step = advance(tables[partition], batch, 0, rules, model)
            tables[partition].apply(step)
            folded += sum(step.stats.events)
            looks += step.stats.looks
            alerts += len(step.alerts)
    if folded != events:
        raise RuntimeError(f"{folded} of {events} events were folded")
    return looks, alerts
