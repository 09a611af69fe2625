"""`churnwatch erase ID…`: have customers erased by the workers that own them, and give a receipt."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from streams.cli.errors import CommandError
from streams.cli.report import ConfigOption, JsonOption, one_line_errors, settings_from, show_json
from streams.commands import EraseCommand
from streams.contract import MAX_ID_CHARS
from streams.erasure import ErasureNotice
from streams.runtime.erase_requests import erase_all
from streams.runtime.settings import Settings

SHOWN = 20
"""So many customers are told one by one; beyond, --json has them all."""


def erase(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID…", help="Customers' ids, as in the events.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="File with one id a line.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: there is no way back.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase customers: all that is kept of them, and all that is told of them up to now, also when it is read again.

    Workers do it while events go on. What comes after is a new customer's. Stopped while it waits, it is done all the same.
    """
    wanted = _wanted(ids or (), file)
    with one_line_errors():
        settings = settings_from(config)
    _check(settings, wanted, yes=yes)
    try:
        with one_line_errors(), _shown(len(wanted)) as on_progress:
            notices = erase_all(settings, _commands(wanted), on_progress)
    except KeyboardInterrupt:
        typer.echo("erase: stopped waiting; what is asked for is carried out all the same", err=True)
        raise typer.Exit(130) from None
    if as_json:
        show_json(msgspec.to_builtins(notices))
    else:
        _print(notices)


def _wanted(ids: Iterable[str], file: Path | None) -> list[str]:
    """The ids, each once. Raises CommandError for none, for one that can be nobody's, and for a file that is not readable."""
    found = list(ids)
    if file is not None:
        try:
            found += [line for line in file.read_text("utf-8").splitlines() if line]
        except (OSError, UnicodeDecodeError) as problem:
            why = problem.strerror if isinstance(problem, OSError) else "not UTF-8"
            raise CommandError(f"{file}: {why}", "give --file a text file with one id a line") from None
    if not found:
        raise CommandError("nobody is named", "give ids, or --file with one id a line")
    for number, customer in enumerate(found, 1):
        if not 1 <= len(customer) <= MAX_ID_CHARS:
            raise CommandError(f"id {number} has {len(customer)} characters", f"ids have 1 to {MAX_ID_CHARS}; nobody was erased")
    return list(dict.fromkeys(found))


def _check(settings: Settings, wanted: Sequence[str], *, yes: bool) -> None:
    if settings.erasure.key is None:
        fix = "set it to a secret of 16 characters or more (CHURNWATCH_ERASURE__KEY) here and on every worker"
        raise CommandError("erasure.key is not set", fix)
    if not yes:
        who = f"{len(wanted)} customers" if len(wanted) > 1 else f"customer {wanted[0]!r}"
        raise CommandError(f"this erases {who}, and there is no way back", "add --yes to do it")


def _commands(wanted: Iterable[str]) -> list[EraseCommand]:
    at_ms = time.time_ns() // 1_000_000
    return [EraseCommand(secrets.token_hex(8), customer, at_ms) for customer in wanted]


def _print(notices: Sequence[ErasureNotice]) -> None:
    console = Console()
    table = Table("customer", "erased up to", "record", "triggers", "messages")
    for one in notices[:SHOWN]:
        removed = one.removed
        kept = "removed" if removed.record else "none was kept"
        table.add_row(Text(one.customer_id), one.asked_at, kept, str(removed.triggers), str(removed.messages))
    if len(notices) > SHOWN:
        table.caption = f"and {len(notices) - SHOWN} more; --json has them all"
    console.print(table)
    records = sum(one.removed.record for one in notices)
    typer.echo(f"{len(notices)} erased, {records} of whom something was kept. What remains of them elsewhere:")
    remains = Table("where", "what", "until")
    for rest in notices[0].remains:
        remains.add_row(Text(rest.where), rest.what, rest.until)
    console.print(remains)


@contextmanager
def _shown(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, where that is a terminal."""
    columns = (TextColumn("erased"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task("erased", total=total)
        yield lambda done: progress.update(task, completed=done)
