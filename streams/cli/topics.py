"""`churnwatch topics create | check | lag`."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli.report import ConfigOption, JsonOption, one_line_errors, settings_from, show_findings, show_json
from streams.runtime import admin
from streams.runtime.findings import has_error

topics_app = typer.Typer(no_args_is_help=True, help="Make, check and watch the topics.")


@topics_app.command()
def create(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make the topics that are missing, then check all of them. Existing ones are not changed."""
    with one_line_errors():
        settings = settings_from(config)
        created = admin.create_topics(settings)
        findings = admin.check_topics(settings)
    if as_json:
        show_json({"created": created, "findings": [finding._asdict() for finding in findings]})
    else:
        typer.echo("created " + ", ".join(created) if created else "all topics were there already")
        if findings:
            show_findings(findings, as_json=False)
    raise typer.Exit(int(has_error(findings)))


@topics_app.command()
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check topics, partition counts and the settings that correctness needs. Exit code 1 if anything is wrong."""
    with one_line_errors():
        findings = admin.check_topics(settings_from(config))
    if findings or as_json:
        show_findings(findings, as_json=as_json)
    else:
        typer.echo("all topics are as they should be")
    raise typer.Exit(int(has_error(findings)))


@topics_app.command()
def lag(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """How many records the worker's group has not committed yet, by topic and partition."""
    with one_line_errors():
        rows = admin.lag(settings_from(config))
    if as_json:
        show_json([asdict(row) for row in rows])
        return
    caption = None if all(row.exact for row in rows) else "~ may be higher"
    table = Table("topic", "partition", "committed", "end", "lag", caption=caption)
    for row in rows:
        end, behind = (str(n) if row.exact else f"~{n}" for n in (row.end, row.lag))
        table.add_row(Text(row.topic), str(row.partition), "never" if row.committed is None else str(row.committed), end, behind)
    Console().print(table)
    typer.echo(f"total {sum(row.lag for row in rows)}")
