"""`churnwatch dead-letters redrive`, from the question to the last verdict."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli.dead_letter_parts.asking import bar, confirm, find, tell_done
from streams.cli.dead_letter_parts.words import printable
from streams.cli.report import show_json
from streams.letter_filter import LetterFilter
from streams.letter_marks import LetterState
from streams.runtime.letter_plan import Plan
from streams.runtime.redriving import Outcome, RedriveOptions, Verdict, redrive, try_redrive
from streams.runtime.settings import Settings

SHOWN = 50
FIXED = frozenset((Outcome.REDRIVEN, Outcome.DONE_MEANWHILE, Outcome.REPEATED_EVENT))
"""Outcomes after which nothing is left to do."""


def send_again(
    settings: Settings,
    wanted: LetterFilter,
    limit: int | None,
    options: RedriveOptions,
    *,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Do it, and say what became of each letter. Raises AdminError, CommandError, and Exit(1) where some are left."""
    found = find(settings, wanted, limit, options.states | {LetterState.OPEN})
    tell_done(found)
    verdicts: list[Verdict] = []
    if found.letters:
        if not dry_run:
            confirm(found, "send again", yes=yes)
        with bar("judging" if dry_run else "sending again") as progress:
            verdicts = (try_redrive if dry_run else redrive)(settings, found, options, progress)
    if as_json:
        show_json(_json(found, verdicts, dry_run=dry_run))
    else:
        _show(verdicts, dry_run=dry_run)
    if any(verdict.outcome not in FIXED for verdict in verdicts):
        raise typer.Exit(1)


def _json(found: Plan, verdicts: Sequence[Verdict], *, dry_run: bool) -> dict[str, Any]:
    counts = Counter(verdict.outcome.value for verdict in verdicts)
    return {
        "dry_run": dry_run,
        "outcomes": dict(sorted(counts.items())),
        "left_out": dict(sorted(found.done.items())),
        "letters": [dataclasses.asdict(verdict) for verdict in verdicts],
    }


def _show(verdicts: Sequence[Verdict], *, dry_run: bool) -> None:
    counts = Counter(verdict.outcome.value for verdict in verdicts)
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()) or "no dead letters to send again"
    typer.echo(f"dry run, nothing was sent: {said}" if dry_run and verdicts else said)
    others = [verdict for verdict in verdicts if verdict.outcome is not Outcome.REDRIVEN]
    if not others:
        return
    table = Table("id", "outcome", "reason", "message")
    for verdict in others[:SHOWN]:
        cells = (verdict.id, verdict.outcome.value, verdict.reason.value if verdict.reason else "", printable(verdict.message))
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)
    if len(others) > SHOWN:
        typer.echo(f"… and {len(others) - SHOWN} more; --json has them all")
