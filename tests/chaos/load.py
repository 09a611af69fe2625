"""Producers for a chaos run: a plan sent day by day, each day acknowledged before the tick that ends it."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from kafka import KafkaProducer  # type: ignore[import-untyped] # kafka-python ships no types
from kafka.errors import KafkaError  # type: ignore[import-untyped] # kafka-python ships no types

from tests.chaos.plan import DAY_MS, Plan, Sent

RUN_ON_DAYS = 40
"""Days of ticks after the last event, so that silence has its say."""
ANSWER_S = 150.0


class Load:
    """A plan on its way to the topics, in a thread of its own.

    day_s         least time between two days
    run_on_days   days of ticks beyond the last event
    day           days that are ticked so far
    """

    def __init__(
        self, plan: Plan, bootstrap: str, prefix: str, partitions: int, day_s: float, *, run_on_days: int = RUN_ON_DAYS
    ) -> None:
        self._plan, self._prefix, self._partitions, self._day_s = plan, prefix, partitions, day_s
        self._bootstrap = bootstrap.split(",")
        self.day = 0
        self.days = len(plan.days) + run_on_days
        self._until, self._stopping = 0, False
        self._may_go = threading.Condition()
        self._failure: BaseException | None = None
        self._next: dict[tuple[str, int], int] = defaultdict(int)
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._may_go:
            self._stopping = True
            self._may_go.notify()
        self._thread.join(ANSWER_S)

    def go_on_until(self, day: int) -> None:
        """Send up to this day, and then wait."""
        with self._may_go:
            self._until = max(self._until, min(day, self.days))
            self._may_go.notify()

    def reached(self, day: int) -> bool:
        """Whether this day is ticked. Raises what ended the load."""
        if self._failure is not None:
            raise AssertionError("the load ended") from self._failure
        return self.day >= min(day, self.days)

    def _run(self) -> None:
        try:
            with self._producer() as producer:
                for day in range(self.days):
                    if not self._permitted(day):
                        return
                    self._send(producer, self._plan.days[day] if day < len(self._plan.days) else [])
                    self._tick(producer, day)
                    self.day = day + 1
        except Exception as problem:  # noqa: BLE001 - whatever it is, the run must hear of it
            self._failure = problem

    def _permitted(self, day: int) -> bool:
        begun_s = time.monotonic()
        with self._may_go:
            self._may_go.wait_for(lambda: self._stopping or day < self._until)
            # the pace: days pass no faster than this
            self._may_go.wait_for(lambda: self._stopping, max(0.0, begun_s + self._day_s - time.monotonic()))
            return not self._stopping

    @contextlib.contextmanager
    def _producer(self) -> Iterator[Any]:
        producer = KafkaProducer(
            bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True, allow_auto_create_topics=False,
            linger_ms=5, request_timeout_ms=10_000, delivery_timeout_ms=140_000,
        )  # fmt: skip
        try:
            yield producer
        finally:
            producer.close(timeout=1.0)

    def _send(self, producer: Any, messages: list[Sent]) -> None:
        """All of them; what the producer has given up is sent again, as a source would."""
        while messages:
            sent = [(message, self._begin(producer, message)) for message in messages]
            messages = [message for message, future in sent if not self._arrived(message, future)]

    def _begin(self, producer: Any, message: Sent) -> Any:
        try:
            return producer.send(self._prefix + message.topic, key=message.key, value=message.value, partition=message.partition)
        except KafkaError:  # nothing is known of the topic for so long
            return None

    def _arrived(self, message: Sent, future: Any) -> bool:
        try:
            offset = -1 if future is None else future.get(timeout=ANSWER_S).offset
        except KafkaError:
            return False
        if offset < 0:
            return False
        place = message.topic, message.partition
        self._next[place] = max(self._next[place], offset + 1)
        return True

    def _tick(self, producer: Any, day: int) -> None:
        """Say on every partition that the day is over, and below which offsets it stands."""
        ticks = []
        for partition in range(self._partitions):
            offsets = {topic: self._next[topic, partition] for topic in ("purchases", "complaints", "logins")}
            value = {"type": "tick", "at_ms": self._plan.first_ms + (day + 1) * DAY_MS, "offsets": offsets}
            ticks.append(Sent("churn.clock", partition, str(partition).encode(), json.dumps(value).encode()))
        self._send(producer, ticks)
