"""`churnwatch playbook check FILE`: what a playbook of retention triggers says, before a worker reads it."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.playbook import Play
from streams.cli.report import JsonOption, one_line_errors, show_json
from streams.runtime.playbook_file import read_playbook

playbook_app = typer.Typer(no_args_is_help=True, help="Check a playbook of retention triggers.")


@playbook_app.callback()
def _group() -> None:
    """Without this, Typer would take the only command for the group itself."""


@playbook_app.command()
def check(file: Annotated[str, typer.Argument(help="The playbook, YAML.")], as_json: JsonOption = False) -> None:
    """Print the plays in the order in which they are tried, or every problem (exit code 2)."""
    with one_line_errors():
        book = read_playbook(file)
    if as_json:
        show_json({"hash": book.hash, "plays": msgspec.to_builtins(book.plays)})
        return
    table = Table("play", "for", "does", "at most every", caption=f"playbook {book.hash}; the first play that matches is the one")
    for play in book.plays:
        table.add_row(Text(play.name), Text(_who(play)), Text(f"{play.action} {play.message}"), f"{play.every_days} days")
    Console().print(table)


def _who(play: Play) -> str:
    said = [f"{play.tier} or above" if play.tier != "critical" else play.tier]
    said += [f"{play.least_value:,} or more at stake"] if play.least_value else []
    said += [f"segment {' or '.join(play.segments)}"] if play.segments else []
    said += [f"cause {' or '.join(play.causes)}"] if play.causes else []
    return ", ".join(said)
