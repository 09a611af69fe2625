"""/metrics, /healthz and /readyz over HTTP, from inside the worker's own event loop: when that hangs, they do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from streams.runtime.health import Answer, HealthReport, WorkerState, liveness, readiness

INDEX = "churnwatch worker\n\n/metrics  for Prometheus\n/healthz  alive?\n/readyz   ready, and if not, why\n"


class CannotListen(Exception):
    """The address for metrics and health is not to be had; says which setting and what to do."""


class Watched(Protocol):
    """What health is asked of."""

    def state(self) -> WorkerState:
        """The worker now; quick, no I/O."""

    @property
    def ping_redis(self) -> Callable[[], Awaitable[None]] | None:
        """Returns when Redis answered; raises when it will not. None: it works without Redis."""

    async def ping_broker(self) -> None:
        """Return when the broker answered; raise when it will not."""


class HealthServer:
    """Serves one registry and one worker's health.

    limit_s         longest good answer of Redis and broker, s
    stuck_after_s   time without progress from which an outbox with waiting messages counts as stuck, s
    """

    def __init__(
        self, registry: CollectorRegistry, watched: Watched, *, limit_s: float = 2.0, stuck_after_s: float = 60.0
    ) -> None:
        self._registry, self._watched = registry, watched
        self._limit_s, self._stuck_after_s = limit_s, stuck_after_s
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen. `port` 0 takes a free one; `self.port` is the one in use. Raises CannotListen."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._index),
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as problem:
            await self.stop()
            raise CannotListen(
                f"http.port: {port} on http.host {host}: {problem.strerror or problem}; set CHURNWATCH_HTTP__PORT to a free "
                "port, 0 for any, and CHURNWATCH_HTTP__HOST to an address of this machine"
            ) from None
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port. Does nothing when not started."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def ready(self) -> HealthReport:
        """Ask Redis, where it is used, and the broker at once, each for at most twice the limit, and judge."""
        pings = {"redis": self._watched.ping_redis, "broker": self._watched.ping_broker}
        asked = [_ask(server, ping, self._limit_s * 2) for server, ping in pings.items() if ping is not None]
        *redis, broker = await asyncio.gather(*asked)
        state, limits = self._watched.state(), {"limit_s": self._limit_s, "stuck_after_s": self._stuck_after_s}
        return readiness(state, redis[0] if redis else None, broker, **limits)

    async def _index(self, _: web.Request) -> web.Response:
        return web.Response(text=INDEX)

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    async def _healthz(self, _: web.Request) -> web.Response:
        return _answer(liveness(self._watched.state()))

    async def _readyz(self, _: web.Request) -> web.Response:
        return _answer(await self.ready())


def _answer(report: HealthReport) -> web.Response:
    body = msgspec.json.format(msgspec.json.encode(report.to_dict()), indent=2)
    return web.Response(body=body, content_type="application/json", status=200 if report.ok else 503)


async def _ask(name: str, ping: Callable[[], Awaitable[None]], patience_s: float) -> Answer:
    started_s = time.monotonic()
    try:
        async with asyncio.timeout(patience_s):
            await ping()
    except TimeoutError:
        return Answer(time.monotonic() - started_s, f"no answer within {patience_s:g} s")
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the answer; its text may hold an address with a password
        structlog.get_logger().warning("health: no answer", server=name, error=repr(error))
        return Answer(time.monotonic() - started_s, f"{type(error).__name__}; the log says more")
    return Answer(time.monotonic() - started_s)
