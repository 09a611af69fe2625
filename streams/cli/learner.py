"""`churnwatch learner`: learn from what customers did, and tell the workers what to score by, until told to stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.worker import run_service
from streams.runtime.last_words import hide_secrets
from streams.runtime.logs import configure_logs
from streams.runtime.settings import load_settings_file


def learner(
    config: Annotated[Path | None, typer.Option(help="Settings file (YAML); else CHURNWATCH_CONFIG, else defaults.")] = None,
    challengers: Annotated[
        bool, typer.Option("--challengers", help="Measure models of River as they come on the same outcomes, and serve nothing")
    ] = False,
) -> None:
    """Learn from what customers did, and tell the workers what to score by. One learns; a second one stands by."""
    settings = load_settings_file(config)
    configure_logs(settings.log.level, settings.log.format, secrets=settings.secret_values())
    hide_secrets(settings.secret_values())
    # faust takes a second to import: `--help` need not wait for it
    from streams.runtime.challengers_app import ChallengersProcess
    from streams.runtime.learner_app import LearnerProcess

    async def work() -> None:
        await run_service(ChallengersProcess(settings) if challengers else LearnerProcess(settings))

    asyncio.run(work())
