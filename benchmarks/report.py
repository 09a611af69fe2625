"""A run as tables for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.run import Report
from benchmarks.side_by_side import StreamResult
from benchmarks.summary import JOBS, summary
from benchmarks.targets import TARGETS

NAMES = {
    "worker": "churnwatch, Redis",
    "conventional": "Faust per event, Redis",
    "quix": "Quix Streams, RocksDB",
    "ceiling": "decode only",
}


def show(report: Report, console: Console) -> None:
    """The report as tables."""
    machine = report.machine
    console.print(
        f"{machine.cpu}, {machine.cores} cores, load {machine.load:.1f}; Python {machine.python}; {report.repeats} turns"
    )
    console.print(", ".join(f"{name} {version}" for name, version in machine.versions.items()), style="dim")
    if report.engine:
        console.print(_engine(report))
    for stream in report.streams:
        console.print(_stream(stream))
        if stream.equality is not None:
            same = stream.equality
            console.print(f"Equal in {len(same.fields)} fields of {same.customers:,} customers: {', '.join(same.between)}")
    rest = _table("Base, commits, latency", "what", "figure")
    for what, figure in _rest(report):
        rest.add_row(what, figure)
    if rest.row_count:
        console.print(rest)
    console.print(_targets(summary(report)))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for at, column in enumerate(columns):
        table.add_column(column, justify="right" if at else "left")
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


def _stream(one: StreamResult) -> Table:
    title = f"{one.stream} stream: {one.events:,} events of {one.customers:,} customers in {one.span_days} days"
    table = _table(title, "job", "events/s", "turns", "CPU µs", "store µs", "worker is", "events")
    for job in JOBS:
        found = getattr(one, job)
        if found is not None:
            least, most = found.spread["events_per_s"]
            table.add_row(
                NAMES[job],
                f"{found.events_per_s:,.0f}",
                f"{least / 1000:,.1f}k–{most / 1000:,.1f}k",
                f"{found.cpu_us_per_event:.1f}",
                "within" if job == "quix" else f"{found.store_cpu_us_per_event:.1f}",
                f"{one.worker.events_per_s / found.events_per_s:.2f} ×",
                f"{found.events:,}",
            )
    return table


def _rest(report: Report) -> Iterator[tuple[str, str]]:
    if (base := report.base) is not None:
        told = "µs/due: {0.wall_us_per_due:.1f} ({0.cpu_us_per_due:.1f} CPU, {0.store_cpu_us_per_due:.1f} in Redis)"
        yield f"Redis, {base.footprint.customers:,} customers", f"{base.footprint.bytes_per_customer:.0f} bytes each"
        yield f"sweeps, {base.engine.due:,} due in {base.engine.days} days, engine alone", told.format(base.engine)
        yield f"sweeps, {base.cold.due:,} due in {base.cold.days} days, cold rows and commit", told.format(base.cold)
        for customers, us in base.none_due_us.items():
            yield f"sweep, none of {customers:,} due", f"{us:.0f} µs"
    for commit in report.commits:
        yield f"commit of {commit.rows:,} events ({commit.commits})", f"p50 {commit.p50:.1f} ms, p99 {commit.p99:.1f} ms"
    if (latency := report.latency) is not None:
        sent = f"event to alert at {latency.events_per_s:,.0f} events/s ({latency.alerts:,} alerts)"
        yield sent, f"p50 {latency.p50:.0f} ms, p99 {latency.p99:.0f} ms, worst {latency.worst:.0f} ms"


def _targets(figures: dict[str, Any]) -> Table:
    table = _table("Targets", "what", "found", "wanted", "")
    for target in TARGETS:
        value = target.found(figures)
        wanted = f"{'≥' if target.at_least else '≤'} {target.limit:,.0f}"
        told = "not measured" if value is None else f"{value:,.1f}"
        table.add_row(target.what, told, wanted, "" if value is None else "holds" if target.holds(value) else "MISSED")
    return table
