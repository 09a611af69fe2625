"""The events between two ticks, and whether the broker has acknowledged all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kafka.errors import KafkaError  # type: ignore[import-untyped]  # kafka-python ships no types

from streams.backtest.resume import ReplayError


@dataclass(slots=True)
class Window:
    """One tick's worth of a history.

    at_ms     event time of the tick that closes it
    sent      (topic rank, partition, future of the broker's answer) of the events sent, in order
    found     (topic rank, partition, offset) of the events that an earlier run had written
    settled   how many of `sent` have been seen acknowledged
    """

    at_ms: int
    sent: list[tuple[int, int, Any]] = field(default_factory=list)
    found: list[tuple[int, int, int]] = field(default_factory=list)
    settled: int = 0

    def settle(self, wait_s: float | None = None) -> bool:
        """Whether every event is acknowledged; with `wait_s`, wait up to so many seconds for each.

        Raises ReplayError for an event that the broker did not take.
        """
        while self.settled < len(self.sent):
            future = self.sent[self.settled][2]
            if not future.is_done and wait_s is None:
                return False
            check(future, wait_s)
            self.settled += 1
        return True

    def offsets(self) -> Iterable[tuple[int, int, int]]:
        """(topic rank, partition, offset) of every event, once `settle` has said yes."""
        yield from self.found
        for rank, partition, future in self.sent:
            yield rank, partition, future.value.offset


def check(future: Any, wait_s: float | None) -> None:
    """Return when the broker has acknowledged the record; raise ReplayError if it has refused it or `wait_s` have passed."""
    try:
        future.get(timeout=wait_s)
    except KafkaError as problem:
        raise broker_error(problem) from None


def broker_error(problem: KafkaError) -> ReplayError:
    """What went wrong with the broker, in one line."""
    text = " ".join(str(problem).split())[:200]
    return ReplayError(f"the broker did not take a record: {text}; once it does, start the same replay again: it goes on")
