"""Asks the broker for the end offsets of what is assigned, so that idle and stalled can be told apart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog
from faust.types import TP

from streams.runtime.owner import PartitionOwner

log = structlog.get_logger()

PROBE_S = 1.0
PATIENCE_S = 5.0


class Prober:
    """Asks about once a second while live partitions are owned.

    One question is under way at a time: in an outage a second one would take the consumer thread's last hand from fetching.
    An answer counts for the moment of its question, however late it comes.

    app              () -> the Faust app
    trusted_ms       () -> the time, ms since 1970; None where it is not known: then no answer could move anything
    stalled_after_s  the clock's patience: several questions fit into it
    """

    def __init__(
        self,
        app: Callable[[], Any],
        owner: PartitionOwner,
        stalled_after_s: float,
        trusted_ms: Callable[[], int | None],
    ) -> None:
        self._app, self._owner, self._trusted_ms = app, owner, trusted_ms
        self._pause_s = min(PROBE_S, stalled_after_s / 4)

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(self._pause_s)
            try:
                await self._ask()
            except Exception as problem:  # noqa: BLE001 - no answer is the answer: the clock rule holds when it lasts
                log.warning("broker does not tell its end offsets", error=f"{type(problem).__name__}: {problem}")

    async def _ask(self) -> None:
        tps = [TP(tp.topic, tp.partition) for tp in self._app().consumer.assignment()]
        if not tps or all(task.clock is None for task in self._owner.tasks.values()):
            return  # while history is loaded nobody asks how late it is
        asked_ms, asked_s = self._trusted_ms(), time.monotonic()
        if asked_ms is None:
            return
        asking = asyncio.ensure_future(self._app().consumer.highwaters(*tps))
        try:
            while not (await asyncio.wait((asking,), timeout=PATIENCE_S))[0]:
                log.warning("broker does not tell its end offsets", waited_s=round(time.monotonic() - asked_s, 1))
            ends = asking.result()
        finally:
            asking.cancel()
        self._owner.probed(asked_ms, {TP(tp.topic, tp.partition): end for tp, end in ends.items()})
