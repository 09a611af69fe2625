"""The challengers' process: it reads churn.labels from its beginning, learns and measures, and tells what it measured.

It has no state, no group and no place in the topic: whenever it starts it begins anew, and comes to the same. It reads that
topic and nothing else, and writes nowhere, so whether it runs, and how fast, is nothing to learner and workers.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from detectors.parameters import SHIPPED
from streams.challenging import Challenging
from streams.label_order import LabelOrder, NotPushed, Release
from streams.runtime.backoff import Backoff, Retrying
from streams.runtime.challengers_metrics import ChallengersMetrics
from streams.runtime.entrance import check_labels
from streams.runtime.follower import Follower
from streams.runtime.health import WorkerState
from streams.runtime.health_server import HealthServer
from streams.runtime.label_reader import Refused, read_labels
from streams.runtime.learner_app import desk_rules
from streams.runtime.models import read_parameters
from streams.runtime.service import Service
from streams.runtime.settings import Settings
from streams.runtime.topics import LABELS

log = structlog.get_logger()

AT_ONCE = 100
"""Labels learnt before anything else gets its turn: some hundredths of a second."""
SHOW_EVERY_S = 1.0


class ChallengersProcess(Service):
    """One process of challengers. Raises LearningIsOff where the settings say so."""

    ping_redis = None

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        rules, pinned = desk_rules(settings), settings.risk.parameters_file
        self.metrics = ChallengersMetrics(self.registry)
        self._refused = Refused(self.metrics.refused)
        self.order = LabelOrder(rules.partitions)
        self.challenging = Challenging(
            rules.learner,
            SHIPPED if pinned is None else read_parameters(pinned),
            champion=settings.learning.serve,
            share=settings.learning.challengers_share,
        )
        self._backoff = Backoff(on_retry=_tell)
        topic = settings.kafka.topic_prefix + LABELS
        self.follower = Follower(settings.kafka, topic, self._backoff, self._on_failure, self._take, "labels")
        self.metrics.lag.set_function(lambda: self.follower.lag)
        self.health = HealthServer(self.registry, self)

    async def _work(self, _scratch: str) -> None:
        showing: asyncio.Task[None] | None = None
        try:
            if await self._unless_stopped(check_labels(self.settings, self._backoff)):
                showing = self._beside(self._show())
                await self._unless_stopped(self.follower.start())
                self._refused.caught_up()
                log.info("read to the end", labels=self.challenging.challengers.labels)
                await self._stop.wait()
            log.info("stopping")
        finally:
            if showing is not None:
                showing.cancel()
                await asyncio.gather(showing, return_exceptions=True)
            await self._end("labels", self.follower.stop())

    async def _take(self, record: Any) -> None:
        self.metrics.messages.inc()
        message, far_ahead = read_labels(record, self._refused, self.challenging.challengers.rules), self.order.far_ahead
        try:
            released = self.order.push(record.offset, message)
        except NotPushed as problem:
            self.metrics.refused.inc()
            log.error("passed over on churn.labels", offset=record.offset, error=str(problem))
            released = self.order.push(record.offset, None)
        self.metrics.refused.inc(self.order.far_ahead - far_ahead)
        for release in released:
            await self._learn(release)

    async def _learn(self, release: Release) -> None:
        self.challenging.scored(release.scores)
        for start in range(0, len(release.labels), AT_ONCE):
            self.challenging.learn(release.labels.take(slice(start, start + AT_ONCE)))
            await asyncio.sleep(0)

    async def _show(self) -> None:
        """Measures cost some hundredths of a second, so not at each message."""
        shown = -1
        while True:
            if shown != self.challenging.challengers.labels:
                shown = self.challenging.challengers.labels
                self.metrics.show(self.challenging.challengers, self.challenging.waiting)
            await asyncio.sleep(SHOW_EVERY_S)

    # -- what health asks -------------------------------------------------------------------------------------------

    def state(self) -> WorkerState:
        """As a worker's with the one partition of churn.labels."""
        return WorkerState(joined=True, assigned=frozenset({0}), owned=frozenset({0}))

    async def ping_broker(self) -> None:
        """Return when the broker answered; raise when it will not."""
        await self.follower.ping()


def _tell(retry: Retrying) -> None:
    log.warning("trying again", operation=retry.operation, error=retry.error, attempt=retry.attempt, pause_s=retry.pause_s)
