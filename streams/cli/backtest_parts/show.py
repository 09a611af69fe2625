"""Progress and a summary on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from streams.backtest.against import Comparison

MEASURES = {"AUC": "auc", "log loss": "log_loss", "Brier": "brier", "calibration error": "ece", "lift of 10 %": "lift_at_10"}


class Bar:
    """Progress on a terminal, or nothing."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._task = None if progress is None else progress.add_task("reading", total=None)

    def show(self, text: str, done: int | None = None, total: int | None = None) -> None:
        """What is being done, and how much of it is."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=text, completed=done, total=total)


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """On stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield Bar(None)
        return
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Bar(progress)


def summary(report: dict[str, Any], out: Path) -> None:
    """The means of each score, the alerts, and where the reports are."""
    if report["cutoffs"]:
        table = Table("score", *MEASURES, title="Means over the cut-offs")
        for name, mean in report["mean"].items():
            table.add_row(name, *(_shown(mean[key]) for key in MEASURES.values()))
        Console().print(table)
    if "challengers" in report["learning"]:
        Console().print(_challengers(report["learning"]["challengers"]["measured_total"]["watched"]))
    for policy in report.get("policies") or [{"name": "", "alerts": report["alerts"]}]:
        name = f"{policy['name']}: " if policy["name"] else ""
        typer.echo(f"{name}{_alerts(policy['alerts'])}")
    typer.echo(
        f"{report['events']} events of {report['customers']} customers, {len(report['cutoffs'])} cut-offs, "
        f"{report['events_per_s']:.0f} events a second; {out / 'report.html'}"
    )


def no_cut_off() -> None:
    """Say why nothing was scored."""
    span = "the active window and the horizon do not fit into the history"
    typer.echo(f"backtest: no cut-off: {span}; give shorter ones (--active-window, --horizon)", err=True)


def against(topic: str, found: Comparison) -> None:
    """Whether what was sent is what the backtest says, and where it is not."""
    if not found.differ:
        typer.echo(f"{topic}: {found.found} messages about {found.customers} customers are the same, byte by byte", err=True)
        return
    for difference in found.first:
        typer.echo(f"backtest: {difference}", err=True)
    typer.echo(
        f"backtest: {topic}: {found.differ} of {found.customers} customers differ; {found.found} messages there, "
        f"{found.expected} by the backtest of the file",
        err=True,
    )


def _challengers(measured: dict[str, dict[str, float | None]]) -> Table:
    table = Table("model", *MEASURES, title="On the outcomes of watched customers, unshifted")
    for name, one in measured.items():
        table.add_row(name, *(_shown(one[key]) for key in MEASURES.values()))
    return table


def _alerts(alerts: dict[str, Any]) -> str:
    return (
        f"{alerts['fired']} alerts, {alerts['per_day']:.2g} a day, precision {_shown(alerts['precision'])}, "
        f"recall {_shown(alerts['recall'])}, lead {_shown(alerts['lead_time_days']['p50'], 0)} days (median)"
    )


def _shown(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
