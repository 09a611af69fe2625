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
) -> None:
    """Learn from what customers did, and tell the workers what to score by. One learns; a second one stands by."""
    settings = load_settings_file(config)
    configure_logs(settings.log.level, settings.log.format, secrets=settings.secret_values())
    hide_secrets(settings.secret_values())
    from streams.runtime.learner_app import LearnerProcess  # faust takes a second to import: `--help` need not wait for it

    async def work() -> None:
        await run_service(LearnerProcess(settings))

    asyncio.run(work())
