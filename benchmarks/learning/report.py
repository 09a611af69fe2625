"""What learning brings, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from benchmarks.learning.measured import MEASURES, TARGETS, Compared, Means

TOLD = {
    "risk": "risk, as served",
    "btyd": "MBG/NBD, refitted",
    "idle": "idle time",
    "frequency": "frequency",
    "lightgbm": "LightGBM, refitted",
}
HEADINGS = ("AUC", "log loss", "Brier", "calibration error")


def show(bases: Mapping[str, Compared], console: Console) -> None:
    """A table a base, and the targets."""
    for name, base in bases.items():
        console.print(_base(name, base))
        if base.best is not None:
            console.print(f"LightGBM is told at its best of {len(base.tries)} tries: {base.best}", style="dim")
    console.print(_targets(bases))


def _base(name: str, base: Compared) -> Table:
    title = (
        f"{name}: {base.cut_offs} cut-offs of {base.customers:,.0f} customers, {base.base_rate:.2f} leave; {base.labels:,} labels"
    )
    table = _table(title, "means over the cut-offs", *HEADINGS)
    for score, means in base.means.items():
        table.add_row(TOLD[score], *_values(means))
    return table


def _values(means: Means) -> list[str]:
    return ["–" if (value := means[name]) is None else f"{value:.4f}" for name in MEASURES]


def _targets(bases: Mapping[str, Compared]) -> Table:
    table = _table("Targets", "AUC of the risk over that of", "found", "wanted", "")
    for target in TARGETS:
        found = target.found(bases)
        told = "not measured" if found is None else f"{found:+.4f}"
        verdict = "" if found is None else "holds" if found >= target.least else "MISSED"
        table.add_row(f"{TOLD[target.other]}, {target.base}", told, f"≥ {target.least:+.3f}", verdict)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for at, column in enumerate(columns):
        table.add_column(column, justify="right" if at else "left")
    return table
