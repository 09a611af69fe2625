"""Trying again after an outage: capped exponential pauses, within the caller's patience."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from streams.runtime.waits import Server, Wait, Waits, in_words

T = TypeVar("T")


class Retrying(NamedTuple):
    """What is reported before each pause. attempt counts from 1; error carries no secret; pause_s is what comes next."""

    operation: str
    error: str
    attempt: int
    pause_s: float


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to pause, and whether to go on.

    first_s      pause after the first failure; doubles each time
    cap_s        longest pause
    patience_s   give up when the next attempt would begin later than this after the first; None: never
    on_retry     told before each pause, e.g. to log and to count
    waits, server   where to show that a call is under way, and to whom; None: nowhere
    monotonic, sleep   time, in s; given by tests
    """

    first_s: float = 0.02
    cap_s: float = 2.0
    patience_s: float | None = None
    on_retry: Callable[[Retrying], None] = lambda _: None
    waits: Waits | None = None
    server: Server = "broker"
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def pause_s(self, attempt: int) -> float:
        """Pause after the attempt-th failure in a row.

        >>> [Backoff(first_s=0.5, cap_s=3).pause_s(n) for n in (1, 2, 3, 4, 5000)]
        [0.5, 1.0, 2.0, 3, 3]
        """
        return min(self.cap_s, self.first_s * 2.0 ** min(attempt - 1, 64))

    async def run(
        self, operation: str, call: Callable[[], Awaitable[T]], worth_retrying: Callable[[BaseException], str | None]
    ) -> T:
        """Await call() until it succeeds, fails with an error that is not worth it, or patience ends.

        worth_retrying   what to report of an error that waiting may cure, else None
        Raises that error, or TimeoutError from the last one when patience ended.
        """
        if self.waits is None:
            return await self._run(operation, call, worth_retrying, None)
        with self.waits.on(self.server, operation) as wait:
            return await self._run(operation, call, worth_retrying, wait)

    async def _run(
        self,
        operation: str,
        call: Callable[[], Awaitable[T]],
        worth_retrying: Callable[[BaseException], str | None],
        wait: Wait | None,
    ) -> T:
        began_s, attempt = self.monotonic(), 0
        while True:
            try:
                return await call()
            except Exception as error:
                report = worth_retrying(error)
                if report is None:
                    raise
                attempt += 1
                if wait is not None:
                    wait.why = in_words(report)
                pause_s = self.pause_s(attempt)
                if self.patience_s is not None and self.monotonic() + pause_s - began_s > self.patience_s:
                    raise TimeoutError(f"{operation}: gave up after {attempt} attempts: {report}") from error
                self.on_retry(Retrying(operation, report, attempt, pause_s))
            await self.sleep(pause_s)
