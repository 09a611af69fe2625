"""How commands load settings, show findings and fail: one line for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.runtime.findings import Finding
from streams.runtime.kafka_client import AdminError
from streams.runtime.last_words import hide_secrets
from streams.runtime.settings import Settings, SettingsError, load_settings_file

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="YAML file with settings; CHURNWATCH_… variables win over it.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout instead of a table.")]
_STYLES = {"ok": "green", "unknown": "cyan", "warning": "yellow", "error": "bold red"}


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what an operator can mend into a line on stderr: exit code 2 for settings, 1 for the rest."""
    try:
        yield
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    except AdminError as error:
        typer.echo(f"error: {error.what}", err=True)
        typer.echo(f"  fix: {error.fix}", err=True)
        raise typer.Exit(1) from None


def settings_from(config: Path | None) -> Settings:
    """The settings, whose secrets are from now on in nothing that is written. Call it inside `one_line_errors`."""
    settings = load_settings_file(config)
    hide_secrets(settings.secret_values())
    return settings


def show_findings(findings: Sequence[Finding], *, as_json: bool) -> None:
    """A table with what to do, or a JSON list of objects with the fields of Finding."""
    if as_json:
        show_json([finding._asdict() for finding in findings])
        return
    table = Table("check", "status", "found", "what to do")
    for finding in findings:
        table.add_row(Text(finding.subject), Text(finding.status, _STYLES[finding.status]), Text(finding.what), Text(finding.fix))
    Console().print(table)


def show_json(value: object) -> None:
    """One JSON document, indented."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
