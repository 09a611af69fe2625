"""The learner process: everything put together, started and stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import structlog
from faust.types import TP

from detectors.parameters import SHIPPED
from streams.runtime.backoff import Backoff, Retrying
from streams.runtime.connect import link_to
from streams.runtime.entrance import check_broker, check_learner_redis
from streams.runtime.faust_options import SESSION_S, faust_options
from streams.runtime.health import Waiting, WorkerState
from streams.runtime.health_server import HealthServer
from streams.runtime.intake import build_app
from streams.runtime.learner_desk import DeskRules, LearnerDesk
from streams.runtime.learner_fitter import SystemFitter
from streams.runtime.learner_metrics import LearnerMetrics
from streams.runtime.learner_models import PublishedModels
from streams.runtime.learner_owner import LearnerOwner
from streams.runtime.learner_store import LearnerRecord, RedisLearnerStore
from streams.runtime.learner_task import LearnerShop, LearnerTask
from streams.runtime.log_range import LogRange, log_ranges
from streams.runtime.models import read_parameters
from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.rules import learner_rules
from streams.runtime.sender import Sender
from streams.runtime.service import Service
from streams.runtime.settings import Settings
from streams.runtime.store import System
from streams.runtime.topic_watch import EVERY_S
from streams.runtime.topics import LABELS
from streams.runtime.waits import SERVERS, Waits

log = structlog.get_logger()

GAUGES_S = 1.0


class LearningIsOff(Exception):
    """There is nothing to learn from, since workers take nothing down. Says what to do."""


class LearnerProcess(Service):
    """One learner process. Raises LearningIsOff where the settings say so."""

    _link: RedisLink

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.rules = desk_rules(settings)
        self.metrics = LearnerMetrics(self.registry)
        backoff, self._waits = Backoff(on_retry=self._on_retry), Waits()
        broker, redis = (replace(backoff, waits=self._waits, server=server) for server in ("broker", "redis"))
        self._link, self._backoff = link_to(settings.redis), backoff
        self.sender = Sender(settings.kafka, broker)
        self.models = PublishedModels(settings.kafka, backoff, self._on_failure, self._changed)
        self.store = RedisLearnerStore(self._link, prefix=settings.redis.prefix, backoff=redis)
        customers = RedisPartitionStore(self._link, prefix=settings.redis.prefix, backoff=redis)
        kafka, system = settings.kafka, System(settings.kafka.group, settings.kafka.topic_prefix)
        self._fitter = SystemFitter(customers, kafka.partitions, self.models.fits)
        self.owner = LearnerOwner(
            kafka.topic_prefix + LABELS,
            self.store,
            system,
            self._task,
            lambda: self.app,
            self._ranges,
            self._topic_id,
            self._on_failure,
            SESSION_S,
        )
        self.health = HealthServer(self.registry, self)
        self.app: Any = None
        for server, gauge in self.metrics.waiting.items():
            gauge.set_function(partial(self._waits.age_s, server))

    async def _work(self, scratch: str) -> None:
        side: list[asyncio.Task[None]] = []
        try:
            side.append(self._beside(check_learner_redis(self.settings, self._link, self._backoff, self._on_failure)))
            admitted = partial(check_broker, self.settings, self.sender, "learner")
            for beginning in (self.sender.start, admitted, self.models.start):
                if not await self._unless_stopped(beginning()):
                    return
            group, topic = f"{self.settings.kafka.group}-learner", self.settings.kafka.topic_prefix + LABELS
            options = faust_options(self.settings.kafka, scratch)
            self.app = build_app(group, [topic], self.owner, self.owner.receive, options)
            self.app.on_partitions_revoked.connect(self._rebalancing)
            await self._unless_stopped(self.app.start())
            side += [self._beside(one) for one in (self._gauges(), self._watch_faust(), self._watch_topic())]
            await self._stop.wait()
            log.info("stopping")
        finally:
            for task in side:
                task.cancel()
            await asyncio.gather(*side, return_exceptions=True)
            await self._end("learner", self.owner.release(), 20.0)
            reading = [] if self.app is None else [self._end("faust", self.app.stop())]
            others = (("models", self.models.stop()), ("sender", self.sender.stop()))
            await asyncio.gather(*reading, *(self._end(part, ending) for part, ending in others))

    def _task(self, record: LearnerRecord, lease: int, topic_id: str) -> LearnerTask:
        """The work that goes on from what the last commit wrote; from nothing, where another release wrote it."""
        shop = LearnerShop(
            self.store,
            self.sender,
            self.models,
            self.metrics,
            self.settings.kafka.topic_prefix,
            self.settings.learning.publish_s,
            lambda: time.time_ns() // 1_000_000,
            self.owner.caught_up,
        )
        return LearnerTask(record, self._desk(record.fields), lease, shop, topic_id)

    def _desk(self, fields: Mapping[str, bytes]) -> LearnerDesk:
        pinned = self.settings.risk.parameters_file
        closed_form = self.models.closed_form or SHIPPED if pinned is None else read_parameters(pinned)
        try:
            return LearnerDesk(self.rules, closed_form, fields, self._fitter)
        except ValueError as problem:
            log.warning("everything is learnt anew from churn.labels", why=str(problem))
            desk = LearnerDesk(self.rules, closed_form, {}, self._fitter)
            desk.instead_of(fields)
            return desk

    async def _ranges(self, expected: Mapping[TP, int]) -> dict[TP, LogRange]:
        return await log_ranges(self.settings.kafka, expected)

    async def _topic_id(self) -> str:
        name = self.settings.kafka.topic_prefix + LABELS
        return (await self.sender.topic_ids([name])).get(name, "")

    async def _watch_topic(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self.owner.seen(await self._topic_id())

    async def _gauges(self) -> None:
        while True:
            self.metrics.lag.set(self.owner.lag())
            self.metrics.owned.set(self.owner.task is not None)
            await asyncio.sleep(GAUGES_S)

    async def _watch_faust(self) -> None:
        """Faust lives on as a shell when a part of it has crashed; without its fetcher nothing would ever be read again."""
        await self.app._crashed.wait()
        self._on_failure(self.app.crash_reason or RuntimeError("faust crashed"))

    async def _rebalancing(self, _app: Any, _revoked: set[TP], /, **_: Any) -> None:
        self.owner.rebalancing()

    def _changed(self) -> None:
        if self.owner.task is not None:
            self.owner.task.wake()

    # -- what health asks -------------------------------------------------------------------------------------------

    def state(self) -> WorkerState:
        """As a worker's with the one partition of churn.labels."""
        task = self.owner.task
        unsent_s = task.unsent_s if task else None
        return WorkerState(
            joined=self.owner.joined,
            assigned=frozenset({0} if self.owner.assigned else ()),
            owned=frozenset({0} if task else ()),
            unpublished_s={} if unsent_s is None else {0: time.monotonic() - unsent_s},
            waiting={server: waiting for server in SERVERS if (waiting := self._waiting(server)) is not None},
        )

    def _waiting(self, server: Any) -> Waiting | None:
        oldest = self._waits.oldest(server)
        return None if oldest is None else Waiting(self._waits.age_s(server), oldest.operation, oldest.why)

    async def ping_redis(self) -> None:
        """Return when Redis answered; raise when it will not."""
        await self._link.send(self.store.key, "EXISTS", self.store.key)

    async def ping_broker(self) -> None:
        """Return when the broker answered; raise when it will not."""
        await self.sender.ping()

    def _on_retry(self, retry: Retrying) -> None:
        log.warning("trying again", operation=retry.operation, error=retry.error, attempt=retry.attempt, pause_s=retry.pause_s)


def desk_rules(settings: Settings) -> DeskRules:
    """How the learner works, by the settings. Raises LearningIsOff."""
    rules = learner_rules(settings)
    if rules is None:
        raise LearningIsOff("learning.enabled is false, so workers take nothing down to learn from; set it for them and for us")
    pinned = settings.risk.parameters_file is not None
    refit_days = None if pinned else settings.learning.refit_days
    return DeskRules(settings.kafka.partitions, rules, refit_days, settings.learning.keep_models)
