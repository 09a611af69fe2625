"""`python -m benchmarks.learning`: compare, and tell."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.jobs import REPO, peers_installed
from benchmarks.learning.bases import BASES, BaseMissing, opened
from benchmarks.learning.batch import lightgbm_risks
from benchmarks.learning.frozen import freeze, protocol, settings_that_learn
from benchmarks.learning.measured import MEASURES, Compared, compared
from benchmarks.learning.report import show

DATA = REPO.parent / "shared" / "data"


def main(args: list[str] | None = None) -> int:
    """Compare on the bases that the arguments name; the exit code."""
    given = _parser().parse_args(args)
    aside = Console(stderr=True)
    asked = peers_installed() and not given.no_peers
    if not asked and not given.no_peers:
        aside.print("[bold red]LightGBM is LEFT OUT[/]: no .venv-peers here; `make bench-learning` makes it", highlight=False)
    bases: dict[str, Compared] = {}
    with _bars(aside) as bars:
        for name in given.only:
            try:
                bases[name] = _compared(name, given.data, asked, bars)
            except BaseMissing as why:
                aside.print(f"[bold red]{name} is LEFT OUT[/]: {why}", highlight=False)
    figures = json.dumps(summary(bases), indent=2)
    if given.json:
        sys.stdout.write(figures + "\n")
    else:
        show(bases, Console())
    if given.out is not None:
        _write(given.out, figures, bases, aside)
    return 0 if bases else 1


def summary(bases: Mapping[str, Compared]) -> dict[str, Any]:
    """learning.json: {base: {risk | btyd | idle | frequency | lightgbm: {auc, log_loss, brier, ece}}}; null: not defined."""
    return {
        name: {score: {measure: means[measure] for measure in MEASURES} for score, means in base.means.items()}
        for name, base in bases.items()
    }


def _compared(name: str, data: Path, asked: bool, bars: Progress) -> Compared:
    settings, bar = settings_that_learn(), _Bar(bars, name)
    with opened(name, settings, data, bar.reading) as loaded:
        events = loaded.log.events
        frozen = freeze(loaded, protocol(settings), lambda folded, _at_ms: bar.moving("backtest", folded, events))
    risks = lightgbm_risks(frozen, lambda done, of: bar.moving("LightGBM", done, of)) if asked else None
    bar.moving("done", 1, 1)
    return compared(frozen, risks)


class _Bar:
    """How far a base is."""

    def __init__(self, bars: Progress, name: str) -> None:
        self._bars, self._name, self._task = bars, name, bars.add_task(name, total=None)

    def reading(self, rows: int) -> None:
        self._bars.update(self._task, description=f"{self._name}: {rows:,} rows read")

    def moving(self, what: str, done: int, of: int) -> None:
        self._bars.update(self._task, description=f"{self._name}: {what}", completed=done, total=of)


@contextmanager
def _bars(console: Console) -> Iterator[Progress]:
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as bars:
        yield bars


def _write(folder: Path, figures: str, bases: Mapping[str, Compared], aside: Console) -> None:
    """learning.json; beside it learning_tries.json, which holds all of LightGBM's tries and what each base is."""
    folder.mkdir(parents=True, exist_ok=True)
    details = json.dumps({name: asdict(base) for name, base in bases.items()}, indent=2)
    for name, text in (("learning.json", figures), ("learning_tries.json", details)):
        (folder / name).write_text(text + "\n", "utf-8")
        aside.print(f"written: {folder / name}", highlight=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description="What learning brings, beside LightGBM.")
    add = parser.add_argument
    add("--only", nargs="+", choices=BASES, default=BASES, help="bases (default: all)")
    add("--data", type=Path, default=DATA, help="folder of the files that the repository does not hold")
    add("--no-peers", action="store_true", help="leave out LightGBM")
    add("--json", action="store_true", help="tell it to a machine")
    add("--out", type=Path, default=None, help="folder for learning.json and learning_tries.json (default: none is written)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
