"""`churnwatch channels test`: does a message reach the receivers?"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from streams.cli.report import ConfigOption, JsonOption, one_line_errors, settings_from, show_findings
from streams.runtime.channels import try_channels
from streams.runtime.findings import has_error

channels_app = typer.Typer(no_args_is_help=True, help="Ways to people beyond Kafka.")


@channels_app.callback()
def _group() -> None:
    """A group, although it has one command only."""


@channels_app.command("test")
def try_them(
    names: Annotated[list[str] | None, typer.Argument(help="Channels to try; all of them when none is named.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send one test message, which says that it is one, to each channel. Exit code 1 if one of them does not take it."""
    with one_line_errors():
        settings = settings_from(config)
    findings = asyncio.run(try_channels(settings, names or settings.channels.names()))
    show_findings(findings, as_json=as_json)
    raise typer.Exit(int(has_error(findings)))
