"""`churnwatch settings`: what is in force, after file and environment, without secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
import yaml

from streams.runtime.settings import load_settings_file


def settings(
    config: Annotated[Path | None, typer.Option(help="Settings file; none: the one CHURNWATCH_CONFIG names")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of YAML")] = False,
) -> None:
    """Print the settings in force, secrets masked; fails, with every problem, where they cannot be used."""
    loaded = load_settings_file(config)
    if as_json:
        typer.echo(json.dumps(loaded.masked() | {"config_hash": loaded.config_hash}))
        return
    typer.echo(f"# config hash {loaded.config_hash}")
    typer.echo(yaml.safe_dump(loaded.masked(), sort_keys=False, allow_unicode=True), nl=False)
