"""`churnwatch worker`: read events, keep customers' state, raise alerts, until told to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.runtime.last_words import hide_secrets
from streams.runtime.logs import configure_logs
from streams.runtime.settings import load_settings_file

if TYPE_CHECKING:
    from streams.runtime.service import Service

LAST_WORDS_S = 3.0


def worker(
    config: Annotated[Path | None, typer.Option(help="Settings file (YAML); else CHURNWATCH_CONFIG, else defaults.")] = None,
) -> None:
    """Read events, keep customers' state, raise alerts. Start as many as there are partitions."""
    settings = load_settings_file(config)
    configure_logs(settings.log.level, settings.log.format, secrets=settings.secret_values())
    hide_secrets(settings.secret_values())
    from streams.runtime.app import Worker  # faust takes a second to import: `--help` need not wait for it

    gc.freeze()  # what is loaded now stays: a collection that walked it again and again cost a tenth of the worker's CPU

    async def work() -> None:
        await run_service(Worker(settings))

    asyncio.run(work())


async def run_service(running: Service) -> None:
    """Run it to its end, and see to it that the process ends then."""
    exit_code = 1
    try:
        await running.run()
        exit_code = 0
    finally:
        if running.left:
            _end_soon(exit_code)


def _end_soon(exit_code: int) -> None:
    """A thread of Faust's that waits for a broker would keep the process alive: leave time for an error's line, and go."""
    last = threading.Timer(LAST_WORDS_S, os._exit, (exit_code,))
    last.daemon = True
    last.start()
