"""`churnwatch dead-letters list | show ID`."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli.report import ConfigOption, JsonOption, one_line_errors, settings_from, show_json
from streams.dead_letters import DeadLetter, DeadReason
from streams.runtime import admin

dead_letters_app = typer.Typer(no_args_is_help=True, help="Look at records that were refused, and why.")
_END_MS = 253_402_300_800_000  # the year 10000, where datetime ends


@dead_letters_app.command("list")
def list_letters(
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, newest first.")] = 50,
    reason: Annotated[DeadReason | None, typer.Option(help="Only those with this reason code.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The newest refused records with their reasons."""
    with one_line_errors():
        page = admin.read_dead_letters(settings_from(config), limit, reason)
    if as_json:
        show_json([msgspec.to_builtins(letter) for letter in page.letters])
    elif page.letters:
        _show_table(page.letters)
    else:
        typer.echo("no dead letters")
    if page.unreadable:
        typer.echo(f"{page.unreadable} messages on the topic are not ours and were left out", err=True)


@dead_letters_app.command("show")
def show_letter(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="topic-partition-offset, as `list` prints it.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """One refused record: why, where it stands, and its bytes."""
    with one_line_errors():
        letter = admin.find_dead_letter(settings_from(config), letter_id)
        if letter is None:
            raise admin.AdminError(f"there is no dead letter {letter_id}", "see `churnwatch dead-letters list`")
    if as_json:
        show_json(msgspec.to_builtins(letter))
    else:
        _show_one(letter)


def _show_table(letters: list[DeadLetter]) -> None:
    table = Table("id", "record time", "reason", "message")
    for letter in letters:
        # Text, not str: what a producer sent must not be read as markup
        table.add_row(Text(letter.id), _when(letter.record_time_ms), letter.reason.value, Text(_printable(letter.message)))
    Console().print(table)


def _show_one(letter: DeadLetter) -> None:
    key = None if letter.key is None else base64.b64decode(letter.key)
    original = base64.b64decode(letter.original)
    for name, value in (
        ("id", letter.id),
        ("reason", letter.reason.value),
        ("message", _printable(letter.message)),
        ("position", f"topic {letter.topic}, partition {letter.partition}, offset {letter.offset}"),
        ("record time", _when(letter.record_time_ms)),
        ("key", "none" if key is None else _text(key) + (" (cut)" if letter.key_cut else "")),
        ("original", f"{letter.original_bytes} bytes" + (f", the first {len(original)} follow" if letter.cut else "")),
    ):
        typer.echo(f"{name:<12} {value}")
    typer.echo(_text(original))


def _text(data: bytes) -> str:
    return _printable(data.decode("utf-8", errors="backslashreplace"))


def _printable(text: str) -> str:
    """Control characters made visible: a record must not be able to steer the terminal of who reads it.

    >>> _printable("a\\x1b[31m b")
    'a\\\\x1b[31m b'
    """
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def _when(time_ms: int) -> str:
    if not 0 <= time_ms < _END_MS:
        return "unknown"
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")
