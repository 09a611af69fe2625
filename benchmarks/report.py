"""A run as tables for people or as JSON for machines."""

from __future__ import annotations

import dataclasses
import json

from rich.console import Console
from rich.table import Table

from benchmarks.run import Report


def as_json(report: Report) -> str:
    """The whole report, figures unrounded."""
    return json.dumps(dataclasses.asdict(report), indent=2)


def show(report: Report, console: Console) -> None:
    """The report as tables."""
    console.print(f"Python {report.python}, {report.cpus} CPUs, load {report.load}; medians of {report.repeats}")
    if report.engine:
        console.print(_engine(report))
    if report.streams:
        console.print(f"Broker: {report.broker}; Redis: {report.redis}; one worker, four partitions, JSON events")
        console.print(_streams(report))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _engine(report: Report) -> Table:
    table = _table("Engine alone", "span", "batch", "events/s", "CPU µs/event", "looks/event", "alerts/event")
    for one in report.engine:
        table.add_row(
            f"{one.span_days} d",
            f"{one.batch_rows:,}",
            f"{one.events_per_s:,.0f}",
            f"{one.cpu_us_per_event:.2f}",
            f"{one.looks_per_event:.3f}",
            f"{one.alerts_per_event:.3f}",
        )
    return table


def _streams(report: Report) -> Table:
    table = _table("From Kafka; µs are CPU an event", "stream", "events/s", "µs", "to decoding", "Redis µs", "alerts/event")
    for one in report.streams:
        decode, worker = one.decode, one.worker
        table.add_row(
            f"{one.stream}: decode only", f"{decode.events_per_s:,.0f}", f"{decode.cpu_us_per_event:.2f}", "1.0", "", ""
        )
        table.add_row(
            f"{one.stream}: worker",
            f"{worker.events_per_s:,.0f}",
            f"{worker.cpu_us_per_event:.2f}",
            f"{one.worker_to_decode:.1f}",
            f"{worker.redis_cpu_us_per_event:.2f}",
            f"{worker.alerts_per_event:.3f}",
        )
    return table
