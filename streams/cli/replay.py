"""`churnwatch replay`: history files into the topics."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streams.backtest.history import History, HistoryError, read_histories
from streams.backtest.mapping import SHORTHANDS, Source, find_source, shipped_mappings
from streams.backtest.replaying import Progress as OnProgress
from streams.backtest.replaying import ReplayOptions, ReplaySummary, replay_history
from streams.cli.report import settings_from
from streams.columns import DAY_MS

NO_MAPPING = "none"


def replay(
    files: Annotated[list[str], typer.Argument(help="History files: .csv, .jsonl (also .gz), .parquet, or `cdnow:`")],
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help=f"Mapping of the columns: {', '.join(shipped_mappings())}, a YAML file, or none; once, or per file"
        ),
    ] = None,
    prefix_ids: Annotated[
        list[str] | None, typer.Option("--prefix-ids", help="Put before every customer id, to keep files apart; once per file")
    ] = None,
    speed: Annotated[float, typer.Option(min=0, help="Event days per second; 0: as fast as it goes")] = 0.0,
    tick_days: Annotated[int, typer.Option(min=1, help="Days between ticks of the clock")] = 1,
    run_on_days: Annotated[int, typer.Option(min=0, help="Days of ticks beyond the last event")] = 0,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out instead of refusing the file")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object")] = False,
    config: Annotated[Path | None, typer.Option(help="Settings file; none: the one CHURNWATCH_CONFIG names")] = None,
) -> None:
    """Write history files into the topics, with the clock's ticks. Start it again after a stop: it goes on where it was."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what it would say, we say in one line
    settings = settings_from(config)
    history = read_histories(find_sources(files, maps or [], prefix_ids or []), skip_bad=skip_bad)
    if history.skipped:
        typer.echo(f"replay: bad rows left out: {len(history.skipped)}, the first: {history.skipped[0]}", err=True)
    try:
        with _progress_bar(history) as on_progress:
            summary = replay_history(history, settings, ReplayOptions(speed, tick_days, run_on_days), on_progress)
    except KeyboardInterrupt:
        typer.echo("replay: stopped; start the same replay again to go on", err=True)
        raise typer.Exit(130) from None
    typer.echo(msgspec.json.encode(summary).decode() if as_json else _told(summary))


def find_sources(files: Sequence[str], maps: Sequence[str], prefixes: Sequence[str]) -> list[Source]:
    """The files with their mappings and id prefixes. Raises HistoryError.

    maps       one for all, or one a file ("none" for no mapping); none at all leaves each file its own
    prefixes   none, or one a file
    """
    if len(maps) not in (0, 1, len(files)):
        raise HistoryError(f"--map: {len(maps)} given for {len(files)} files; give it once, or once per file")
    if len(prefixes) not in (0, len(files)):
        raise HistoryError(f"--prefix-ids: {len(prefixes)} given for {len(files)} files; give it once per file")
    if len(maps) == len(files):
        chosen = [None if name == NO_MAPPING else name for name in maps]
    else:  # one for all that have none of their own
        chosen = [None if file in SHORTHANDS or not maps or maps[0] == NO_MAPPING else maps[0] for file in files]
    prefixes = prefixes or [""] * len(files)
    return [find_source(file, name, prefix) for file, name, prefix in zip(files, chosen, prefixes, strict=True)]


@contextmanager
def _progress_bar(history: History) -> Iterator[OnProgress]:
    """Progress on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _events, _at_ms: None
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("replay", total=len(history))
        yield lambda events, at_ms: bar.update(task, completed=events, description=day(at_ms))


def day(time_ms: int) -> str:
    """The UTC date of an event time, for people.

    >>> day(0)
    '1970-01-01'
    """
    return str(np.datetime64(time_ms // DAY_MS, "D"))


def _told(summary: ReplaySummary) -> str:
    begin = "" if summary.resumed_from_ms is None else f"; went on from {day(summary.resumed_from_ms)}"
    return (
        f"{summary.written} events written, {summary.already_written} already in place, {summary.ticks} ticks over "
        f"{summary.days} days, {summary.events_per_s:.0f} events/s{begin}"
    )
