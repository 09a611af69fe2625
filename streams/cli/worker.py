"""`churnwatch worker`: read events, keep customers' state, raise alerts, until told to stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from streams.runtime.logs import configure_logs
from streams.runtime.settings import load_settings_file


def worker(
    config: Annotated[Path | None, typer.Option(help="Settings file (YAML); else CHURNWATCH_CONFIG, else defaults.")] = None,
) -> None:
    """Read events, keep customers' state, raise alerts. Start as many as there are partitions."""
    settings = load_settings_file(config)
    configure_logs(settings.log.level, settings.log.format, secrets=settings.secret_values())
    from streams.runtime.app import Worker  # faust takes a second to import: `--help` need not wait for it

    async def work() -> None:
        await Worker(settings).run()

    asyncio.run(work())
