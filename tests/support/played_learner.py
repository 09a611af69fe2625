"""The learner at work on a store in memory; Kafka's side is played: the topics are lists, and time is a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from faust.types import TP
from prometheus_client import CollectorRegistry

from detectors.parameters import SHIPPED, BtydParameters
from streams.labels import LabelMessage, encode_labels
from streams.runtime.backoff import Backoff
from streams.runtime.intake import Chunk
from streams.runtime.learner_desk import DeskRules, LearnerDesk, NotNow
from streams.runtime.learner_metrics import LearnerMetrics
from streams.runtime.learner_models import PublishedModels
from streams.runtime.learner_task import LearnerShop, LearnerTask
from streams.runtime.settings import Settings
from streams.runtime.store import System
from streams.runtime.topics import ALERTS, LABELS, MODELS
from streams.serving import SERVING_KEY, Serving, decode_serving
from tests.support.learners import RULES
from tests.support.memory_learner import MemoryLearnerStore
from tests.support.records import FakeRecord

DESK = DeskRules(partitions=1, learner=RULES, refit_days=None, keep_models=3)


class Killed(Exception):
    """The process is no more."""


class NoFit:
    """Parameters are what a test says they are."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, bool]] = []
        self.answer: BtydParameters | Exception = NotNow("a test has not said")

    async def fit(self, at_ms: int, *, exact: bool) -> BtydParameters:
        self.asked.append((at_ms, exact))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class PlayedLearner:
    """labels      the topic churn.labels
    written     (topic, key, value) of all that was sent, in order
    caught_up   whether the topic ends, for all that is known, where fetching came; its end is not known before
    may_go_on   asked before and after everything that a process does in the world; False kills it there
    """

    def __init__(self, rules: DeskRules = DESK, publish_s: float = 0.0) -> None:
        self.rules, self.publish_s, self.now_ms = rules, publish_s, 5_000
        self.store, self.fitter = MemoryLearnerStore(), NoFit()
        self.labels: list[FakeRecord] = []
        self.written: list[tuple[str, bytes, bytes | None]] = []
        self.may_go_on: Callable[[], bool] = lambda: True
        self.generation = 0
        self.models: PublishedModels
        self.task: LearnerTask
        self.registry: CollectorRegistry
        self.caught_up = True

    # -- what the process finds -------------------------------------------------------------------------------------

    def _point(self) -> None:
        if not self.may_go_on():
            raise Killed

    async def commit(self, *args: Any) -> None:
        """Of the store: a process may die just before or just after it."""
        self._point()
        await self.store.commit(*args)
        self._point()

    async def send(self, topic: str, key: bytes, value: bytes | None) -> None:
        """Of the sender; what is on churn.models comes back to the process."""
        self._point()
        self.write(topic, key, value)
        self._point()

    def write(self, topic: str, key: bytes, value: bytes | None) -> None:
        """Put a record on a topic, by whose hand ever."""
        self.written.append((topic, key, value))
        if topic == MODELS:
            offset = len([one for one in self.written if one[0] == MODELS]) - 1
            self.models._take(FakeRecord(MODELS, 0, offset, 0, 1, key, value))

    def tell(self, *messages: LabelMessage | bytes) -> None:
        """Put messages on churn.labels."""
        for one in messages:
            value = one if isinstance(one, bytes) else encode_labels(one)
            self.labels.append(FakeRecord(LABELS, 0, len(self.labels), 0, 1, b"0", value))

    # -- the process ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """A new process takes over."""
        self.models = PublishedModels(Settings().kafka, Backoff(), lambda _: None, lambda: None)
        told = [(key, value) for topic, key, value in self.written if topic == MODELS]
        for offset, (key, value) in enumerate(told):
            self.models._take(FakeRecord(MODELS, 0, offset, 0, 1, key, value))
        self.generation += 1
        self.registry = CollectorRegistry()
        record = await self.store.take(self.generation, f"n{self.generation}", System("g", ""))
        try:
            desk = LearnerDesk(self.rules, SHIPPED, record.fields, self.fitter)
        except ValueError:
            desk = LearnerDesk(self.rules, SHIPPED, {}, self.fitter)
            desk.instead_of(record.fields)
        shop = LearnerShop(
            store=self,  # type: ignore[arg-type] # commits by shape
            sender=self,  # type: ignore[arg-type] # as above
            models=self.models,
            metrics=LearnerMetrics(self.registry),
            prefix="",
            publish_s=self.publish_s,
            now_ms=lambda: self.now_ms,
            caught_up=lambda offset: self.caught_up and offset >= self._fetched,
        )
        self._fetched = desk.next_offset
        self.task = LearnerTask(record, desk, 1, shop)
        await self.task._leave()

    async def round(self, records: int = 1_000_000) -> None:
        """One round, with so many records fetched before it at most."""
        fetched = self.labels[self._fetched : self._fetched + records]
        if fetched:
            self._fetched += len(fetched)
            self.task.receive(Chunk(TP(LABELS, 0), fetched, 1, 1, 1))
        await self.task._round()

    @property
    def done(self) -> bool:
        """Whether everything told was fetched."""
        return self._fetched == len(self.labels)

    # -- what came of it --------------------------------------------------------------------------------------------

    @property
    def servings(self) -> list[Serving]:
        """What was said to serve, in order."""
        return [decode_serving(value) for topic, key, value in self.written if (topic, key) == (MODELS, SERVING_KEY) and value]

    def sent(self, topic: str) -> list[tuple[bytes, bytes | None]]:
        """What was sent on a topic but what serves."""
        return [(key, value) for name, key, value in self.written if name == topic and key != SERVING_KEY]

    @property
    def alerts(self) -> list[bytes]:
        return [value for _, value in self.sent(ALERTS) if value is not None]
