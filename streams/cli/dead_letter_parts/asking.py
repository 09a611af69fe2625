"""What `redrive` and `drop` have in common: looking for letters with progress, and asking before anything is done."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streams.cli.errors import CommandError
from streams.letter_filter import LetterFilter
from streams.letter_marks import LetterState
from streams.runtime.letter_plan import Plan, check_named, plan
from streams.runtime.settings import Settings

MAX_NAME_CHARS = 100


def find(settings: Settings, wanted: LetterFilter, limit: int | None, states: frozenset[LetterState]) -> Plan:
    """The letters that are meant. Raises AdminError, also for an id that is none."""
    with bar("looking for letters") as progress:
        found = plan(settings, wanted, limit, states, progress)
    check_named(wanted, found)
    return found


def tell_done(found: Plan) -> None:
    """Say which of the letters that were meant are left out because of how they stand."""
    if found.done:
        typer.echo("left out: " + ", ".join(f"{count} {state}" for state, count in sorted(found.done.items())), err=True)


def confirm(found: Plan, verb: str, *, yes: bool) -> None:
    """Ask whether to go on, unless that was said already. Raises CommandError where nobody can be asked, Exit for a no."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in found.by_reason.most_common())
    question = f"{verb} {len(found.letters)} dead letters ({reasons})?"
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(question, "add --yes to do it")
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)


def name_of(by: str | None) -> str:
    """Who does it. Raises CommandError for a name that is none."""
    if by is None:
        try:
            by = getpass.getuser()
        except (KeyError, OSError):  # no such user in a container
            by = "unknown"
    if not 1 <= len(by) <= MAX_NAME_CHARS or not by.isprintable():
        raise CommandError(f"--by: {by!r:.50} is no name", f"give 1 to {MAX_NAME_CHARS} printable characters")
    return by


@contextmanager
def bar(text: str) -> Iterator[Callable[[int, int], None]]:
    """Progress on stderr, where that is a terminal: to be told how much is done, of how much."""
    if not sys.stderr.isatty():
        yield lambda _done, _of_all: None
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(text, total=None)
        yield lambda done, of_all: progress.update(task, completed=done, total=of_all)
