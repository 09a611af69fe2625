"""The worker: everything put together, started and stopped. The one place where the parts meet."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import structlog
from faust.types import TP

from streams.customer import VERSION
from streams.runtime.backoff import Backoff, Retrying
from streams.runtime.broker_clock import BrokerClock
from streams.runtime.channels import Channels
from streams.runtime.connect import link_to
from streams.runtime.entrance import check_broker, check_redis
from streams.runtime.faust_options import SESSION_S, faust_options
from streams.runtime.gauges import Gauges
from streams.runtime.health import WorkerState
from streams.runtime.health_server import HealthServer
from streams.runtime.intake import build_app
from streams.runtime.log_range import log_ranges
from streams.runtime.mark_reader import read_voids
from streams.runtime.metrics import CLOCK_STATES, Metrics
from streams.runtime.models import ModelFeed
from streams.runtime.owner import PartitionOwner
from streams.runtime.playbook_file import playbook_of
from streams.runtime.prober import Prober
from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.redis_watch import RedisWatch
from streams.runtime.rules import engine_rules, event_rules
from streams.runtime.sender import Sender
from streams.runtime.service import Service
from streams.runtime.settings import Settings
from streams.runtime.shop import Shop
from streams.runtime.task_set import STOP_PATIENCE_S
from streams.runtime.topic_watch import TopicWatch
from streams.runtime.waits import Waits

log = structlog.get_logger()


class Worker(Service):
    """One worker process."""

    _link: RedisLink

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.metrics = Metrics(self.registry, clock_states=CLOCK_STATES, channels=settings.channels.names())
        backoff, waits = Backoff(on_retry=self._on_retry), Waits()
        broker = replace(backoff, waits=waits, server="broker")
        link = link_to(settings.redis)
        self._link, self._backoff = link, backoff
        self.store = RedisPartitionStore(
            link,
            prefix=settings.redis.prefix,
            record_version=settings.engine.record_version,
            newest_record=VERSION,
            wait_replicas=settings.redis.wait_replicas,
            wait_ms=settings.redis.wait_ms,
            backoff=replace(backoff, waits=waits, server="redis"),
        )
        self.clock = BrokerClock(settings.time.clocks_apart_s * 1000)
        self.sender = Sender(settings.kafka, broker, self.clock)
        self.models = ModelFeed(settings, self.metrics, backoff, self._on_failure)
        self.channels = Channels(settings, self.metrics, backoff, self.clock.now_ms)
        self.owner = PartitionOwner(
            self._shop(broker),
            lambda: self.app,
            self._committed,
            lambda expected: log_ranges(settings.kafka, expected),
            self._on_failure,
            SESSION_S,
        )
        metas = [self.store.key(partition, "meta") for partition in range(settings.kafka.partitions)]
        self._redis_watch = RedisWatch(link, metas if settings.redis.cluster else metas[:1], self._on_failure)
        self._gauges = Gauges(self.owner, self.metrics, waits, settings.engine.heartbeat_commit_s)
        self.health = HealthServer(self.registry, self)
        self.app: Any = None

    def _shop(self, backoff: Backoff) -> Shop:
        return Shop(
            settings=self.settings,
            rules=engine_rules(self.settings),
            events=event_rules(self.settings),
            store=self.store,
            sender=self.sender,
            metrics=self.metrics,
            model=self.models.model,
            now_ms=self.clock.now_ms,
            room=lambda: self.owner.room,
            ends=lambda partition: self.owner.ends(partition),
            fetched=lambda partition: self.owner.positions(partition),
            backoff=backoff,
            playbook=playbook_of(self.settings),
            ahead_s=self.clock.ahead_s,
            knows_time=self.clock.known,
            awaits_model=self.models.awaits,
            read_voids=lambda partitions: read_voids(self.settings.kafka, partitions),
        )

    async def _work(self, scratch: str) -> None:
        side: list[asyncio.Task[None]] = []
        try:
            # a broker that is away at the start is waited for; a signal ends the waiting
            side.append(self._beside(check_redis(self.settings, self._link, self._backoff, self._on_failure)))
            admitted = partial(check_broker, self.settings, self.sender)
            for beginning in (self._redis_watch.look, self.sender.start, admitted, self.models.start, self.channels.start):
                if not await self._unless_stopped(beginning()):
                    return
            self.app = build_app(
                self.settings.kafka.group,
                self._topics(),
                self.owner,
                self.owner.receive,
                faust_options(self.settings.kafka, scratch),
            )
            self.app.on_partitions_revoked.connect(self._rebalancing)
            await self._unless_stopped(self.app.start())
            side.append(self._beside(self._gauges.run()))
            side.append(self._beside(self._watch_faust()))
            prober = Prober(lambda: self.app, self.owner, self.settings.time.stalled_after_s, self.clock.trusted_ms)
            side.append(self._beside(prober.run()))
            watch = TopicWatch(self.sender, self._topics(), self.owner.check_topics, self._on_failure)
            side.append(self._beside(watch.run()))
            side.append(self._beside(self._redis_watch.run()))
            await self._stop.wait()
            log.info("stopping")
        finally:
            for task in side:
                task.cancel()
            await asyncio.gather(*side, return_exceptions=True)
            await self._end("partitions", self.owner.release(), STOP_PATIENCE_S + 5)
            reading = [] if self.app is None else [self._end("faust", self.app.stop())]
            others = (("models", self.models.stop()), ("channels", self.channels.stop()), ("sender", self.sender.stop()))
            await asyncio.gather(*reading, *(self._end(part, ending) for part, ending in others))

    async def _watch_faust(self) -> None:
        """Faust lives on as a shell when a part of it has crashed; without its fetcher nothing would ever be read again."""
        await self.app._crashed.wait()
        self._on_failure(self.app.crash_reason or RuntimeError("faust crashed"))

    def _topics(self) -> list[str]:
        return [self.settings.kafka.topic_prefix + name for name in self.settings.kafka.read]

    async def _rebalancing(self, _app: Any, _revoked: set[TP], /, **_: Any) -> None:
        self.owner.rebalancing()

    async def _committed(self, tp: TP) -> int | None:
        thread = self.app.consumer._thread
        return await thread.call_thread(thread._ensure_consumer().committed, tp)  # type: ignore[no-any-return] # untyped in faust

    # -- what health asks -------------------------------------------------------------------------------------------

    def state(self) -> WorkerState:
        """The worker now."""
        return self._gauges.state()

    async def ping_redis(self) -> None:
        """Return when Redis answered; raise when it will not."""
        key = self.store.key(0, "meta")  # one of ours: a user of our own may look at no other
        await self._link.send(key, "EXISTS", key)

    async def ping_broker(self) -> None:
        """Return when the broker answered; raise when it will not."""
        await self.sender.ping()

    def _on_retry(self, retry: Retrying) -> None:
        if "commit" in retry.operation:
            self.metrics.commit_retries.inc()
        log.warning("trying again", operation=retry.operation, error=retry.error, attempt=retry.attempt, pause_s=retry.pause_s)
