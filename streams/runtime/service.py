"""What every process of ours is: it serves metrics and health, works until it is stopped or cannot go on, and ends in time."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, disable_created_metrics

from streams.runtime.health_server import HealthServer
from streams.runtime.kafka_refused import in_words, refusals_in_words
from streams.runtime.redis_link import RedisLink
from streams.runtime.settings import Settings

log = structlog.get_logger()

END_PATIENCE_S = 10.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Service(ABC):
    """One process.

    `run` returns when asked to stop, or raises what made going on impossible.

    left   parts that did not end in time; their tasks and threads may keep the process alive
    """

    health: HealthServer
    _link: RedisLink | None = None

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        disable_created_metrics()  # type: ignore[no-untyped-call] # a `_created` series beside each counter, which nobody asks for
        self.registry = CollectorRegistry()
        self.left: list[str] = []
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None

    @abstractmethod
    async def _work(self, scratch: str, /) -> None:
        """Work until `_stop` is set, then end every part. scratch: an empty folder that lasts as long."""

    async def run(self) -> None:
        """Work until `stop`, SIGTERM or SIGINT. Raises what made going on impossible."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._signalled)
        http = self.settings.http
        with tempfile.TemporaryDirectory(prefix="churnwatch-") as scratch:
            try:
                await self.health.start(http.host, http.port)
                log.info("serving metrics and health", address=f"http://{http.host}:{self.health.port}")
                with refusals_in_words(self.settings.kafka):
                    await self._work(scratch)
            finally:
                await self.health.stop()
                if self._link is not None:
                    await self._link.close()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Finish what is under way and return from `run`."""
        self._stop.set()

    def _signalled(self) -> None:
        self.stop()
        for number in SIGNALS:  # should stopping hang, another signal ends the process
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    async def _end(self, part: str, ending: Coroutine[Any, Any, None], patience_s: float = END_PATIENCE_S) -> None:
        """Let a part end, but not for ever: what is committed is safe, and the rest is read again by whoever comes next."""
        task = asyncio.create_task(ending)
        await asyncio.wait((task,), timeout=patience_s)
        if not task.done():
            task.cancel()
            self.left.append(part)
            log.warning("left without waiting longer", part=part, waited_s=patience_s)
        elif (problem := task.exception()) is not None:
            log.warning("did not end as it should", part=part, error=repr(problem))

    async def _unless_stopped(self, work: Any) -> bool:
        """Do `work` unless a stop is asked for first; False when it was. Raises what `work` raises."""
        doing, stopping = asyncio.ensure_future(work), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if doing.done():
            doing.result()
            return True
        doing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await doing
        return False

    def _beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do `work` beside what else is done. What it raises makes going on impossible, since nobody else would notice."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (problem := task.exception()) is not None:
                self._on_failure(problem)

        task = asyncio.create_task(work)
        task.add_done_callback(ended)
        return task

    def _on_failure(self, problem: BaseException) -> None:
        if self._failure is None:
            self._failure = in_words(problem, self.settings.kafka)
        self._stop.set()
