"""The learner's work under one epoch: take what has come, learn, commit, and only then let it out.

    chunks of churn.labels ──▶ desk ──▶ commit (fenced) ──▶ models to keep, alerts ──▶ what serves

Whatever happens to this process, Redis holds the learner as it was after a whole number of rounds; whoever is next reads on from
the offset of the last one, sends what that one was to send, and learns the same. What serves is sent while history is loaded as
soon as a tick is learnt, since the workers wait for it; live every learning.publish_s at most. Nothing is sent before all of the
topic is read. What was to leave waits, written down with each commit: models as they are under each key by then; alerts all, but
where the past is read anew the last one, if people do not know it. Should anybody else write what serves, it is written again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from streams.label_order import NotPushed
from streams.model_control import ControlMessage
from streams.runtime.intake import Chunk
from streams.runtime.label_reader import Refused, read_labels
from streams.runtime.learner_desk import LearnerDesk
from streams.runtime.learner_metrics import LearnerMetrics
from streams.runtime.learner_models import PublishedModels
from streams.runtime.learner_store import LearnerRecord, LearnerStore
from streams.runtime.sender import Sender
from streams.runtime.topics import MODELS
from streams.serving import SERVING_KEY

log = structlog.get_logger()

LABELS_A_ROUND = 5_000
MESSAGES_A_ROUND = 200
UNLEARNT = 1_000
"""Messages that let nothing be learnt yet are read again after a restart; so many at most."""
IDLE_S = 0.5
TOPIC_ID = "topic_id"
"""Under this name what is committed says which topic its offset is about."""
SHOW_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class LearnerShop:
    """What a learner works with.

    prefix      of topics
    publish_s   live, what serves is sent at most every so many seconds
    now_ms      wall clock, ms since 1970
    caught_up   (offset) -> whether, as far as is known, the topic ends there
    """

    store: LearnerStore
    sender: Sender
    models: PublishedModels
    metrics: LearnerMetrics
    prefix: str
    publish_s: float
    now_ms: Callable[[], int]
    caught_up: Callable[[int], bool]


class LearnerTask:
    """record     what taking the learner's key returned
    desk       as its fields have it
    lease      number of the claim; chunks fetched under another are not ours
    topic_id   Kafka's id of churn.labels, "" where that is not known

    passed     what stands before this offset of the topic is committed
    """

    def __init__(self, record: LearnerRecord, desk: LearnerDesk, lease: int, shop: LearnerShop, topic_id: str = "") -> None:
        self.desk, self.lease, self.topic_id, self._record, self._shop = desk, lease, topic_id, record, shop
        self._refused = Refused(shop.metrics.refused)
        self.seq, self.committed_s = record.seq, time.monotonic()
        self.passed, self.queued_bytes = desk.next_offset, 0
        self.unsent_s: float | None = None  # since when something waits to leave
        self._chunks: deque[Chunk] = deque()
        self._told = shop.models.serving  # what the topic says serves, but for what others write
        shop.models.settled()
        self._sent_s, self._shown_s = float("-inf"), float("-inf")
        self._urgent, self._stopping = False, False
        self._watermark_ms = self._unlearnt = 0
        self._wake = asyncio.Event()

    def receive(self, chunk: Chunk) -> None:
        """Take a fetched chunk."""
        self._chunks.append(chunk)
        self.queued_bytes += chunk.nbytes
        self._wake.set()

    def wake(self) -> None:
        """Look again at what is asked."""
        self._wake.set()

    def stop(self) -> None:
        """Let the round under way finish, and then end `run`."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop`. Raises what the store raises: the caller decides what becomes of it."""
        await self._leave()
        self._show(0.0)
        while not self._stopping:
            await self._wait()
            await self._round()

    async def _wait(self) -> None:
        if not self._chunks:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), IDLE_S)
        self._wake.clear()

    async def _round(self) -> None:
        took = await self._take()
        asked = self._obey()
        fitted = self._caught_up and bool(self._watermark_ms) and await self.desk.refit_live(self._watermark_ms)
        self._urgent |= asked or fitted
        arrived = self._arrive()
        # before anything is sent again because of another's word, the commit tells whether we are still the learner
        contradicted = self._shop.models.contradicted and bool(self.desk.papers.serving)
        if took or asked or fitted or arrived or contradicted:
            await self._commit()
        elif self.desk.leaving:  # of a commit, ours or the former learner's, after which not all was read yet; now it may be
            await self._leave()
        await self._publish()
        self._show(SHOW_EVERY_S)

    # -- in ---------------------------------------------------------------------------------------------------------

    async def _take(self) -> bool:
        """Learn from what has come, chunk by chunk, as much as one round should; returns whether to commit."""
        messages, before, learnt = 0, self.desk.labels, False
        while self._chunks and messages < MESSAGES_A_ROUND and self.desk.labels - before < LABELS_A_ROUND:
            chunk = self._chunks.popleft()
            for record in chunk.records:
                if record.offset >= self.desk.next_offset:
                    learnt |= await self._message(record)
                    messages += 1
            self.queued_bytes -= chunk.nbytes
        self._shop.metrics.labels.inc(self.desk.labels - before)
        self._unlearnt += messages
        return learnt or self._unlearnt >= UNLEARNT

    async def _message(self, record: Any) -> bool:
        metrics = self._shop.metrics
        metrics.messages.inc()
        message = read_labels(record, self._refused, self.desk.rules.learner)
        if message is not None and not message.history:
            self._watermark_ms = max(self._watermark_ms, message.reached_ms)
        before, too_old, far_ahead = self.desk.learner.events, self.desk.order.too_old, self.desk.order.far_ahead
        try:
            learnt = await self.desk.take(record.offset, message)
        except NotPushed as problem:
            metrics.refused.inc()
            log.error("passed over on churn.labels", offset=record.offset, error=str(problem))
            learnt = await self.desk.take(record.offset, None)
        if old := self.desk.order.too_old - too_old:
            metrics.too_old.inc(old)
            log.warning("labels taken for learnt before: known over 8 days before the newest", offset=record.offset, labels=old)
        if ahead := self.desk.order.far_ahead - far_ahead:
            metrics.refused.inc(ahead)
            log.error("passed over on churn.labels: rows of a history dated far ahead of its end", messages=ahead)
        for event in self.desk.told(before):
            if event.what in metrics.events:
                metrics.events[event.what].inc()
        return learnt

    def _obey(self) -> bool:
        if not self._caught_up:  # who learns the past anew would hold what it knew at its beginning, by a command of long ago
            return False
        asked = self._shop.models.asked(self.desk.papers.models_offset)
        for offset, what in asked:
            if isinstance(what, ControlMessage):
                self.desk.obey(offset, what, self._shop.models.champions)
            else:
                self.desk.fitted(offset, what)
        return bool(asked)

    # -- out --------------------------------------------------------------------------------------------------------

    async def _commit(self) -> None:
        fields = self.desk.write(self._shop.now_ms()) | ({TOPIC_ID: self.topic_id.encode()} if self.topic_id else {})
        await self._shop.store.commit(self._record, self.seq + 1, fields)
        self.passed = self.desk.next_offset
        self.seq, self.committed_s, self._unlearnt = self.seq + 1, time.monotonic(), 0
        self._shop.metrics.commits.inc()
        await self._leave()

    def _arrive(self) -> bool:
        """See `LearnerDesk.arrived`."""
        if not self._caught_up:
            return False
        self._refused.caught_up()
        return self.desk.arrived(self._shop.models.serving, self._shop.models.champions)

    async def _leave(self) -> None:
        """Send what the last commit, ours or the former learner's, was to send; not before all is read."""
        if not self._caught_up:
            return
        self.unsent_s = time.monotonic()
        for one in self.desk.leaving:
            await self._shop.sender.send(self._shop.prefix + one.topic, one.key, one.value)
        self.unsent_s = None
        if not self.desk.papers.anew:
            self.desk.sent()

    @property
    def _caught_up(self) -> bool:
        return not self._chunks and self._shop.caught_up(self.desk.next_offset)

    async def _publish(self) -> None:
        serving, models = self.desk.papers.serving, self._shop.models
        if not serving or not (models.contradicted or serving != self._told) or not self._caught_up:
            return
        soon = self.desk.order.loading or self._urgent or models.contradicted
        if not soon and time.monotonic() - self._sent_s < self._shop.publish_s:
            return
        self.unsent_s = time.monotonic()
        models.settled()
        models.sending(serving)
        await self._shop.sender.send(self._shop.prefix + MODELS, SERVING_KEY, serving)
        self._told, self._sent_s, self._urgent, self.unsent_s = serving, time.monotonic(), False, None
        self._shop.metrics.published.inc()

    def _show(self, every_s: float) -> None:
        """Measures cost some hundredths of a second, so not in each round; but also after the last commit of a day."""
        if time.monotonic() - self._shown_s < every_s:
            return
        self._shown_s = time.monotonic()
        serving = self.desk.serving
        made_ms = serving.at_ms if serving else self._shop.now_ms()
        self._shop.metrics.show(self.desk.learner.report(), self.desk.learner.tick_ms, made_ms)
        self._shop.metrics.waits_for.set(len(self.desk.order.waits_for()))
