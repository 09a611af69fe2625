"""What all partitions of a worker share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from alerts.playbook import Playbook
from detectors.served import ServedModel
from streams.contract import EventRules
from streams.engine import EngineRules
from streams.runtime.backoff import Backoff
from streams.runtime.metrics import Metrics
from streams.runtime.sender import Sender
from streams.runtime.settings import Settings
from streams.runtime.store import PartitionStore
from streams.voids import Voids


async def no_voids(_partitions: Sequence[int]) -> dict[int, Voids]:
    """Of a system without dead letters."""
    return {}


@dataclass(frozen=True, slots=True)
class Shop:
    """Rules, connections and offsets.

    model      what scores: given the last tick of history that a partition passed, 0 = none, or None where it is live
    now_ms     the worker's clock, ms; in history mode asked by the switch, and by commands, which decide nothing of the history
    knows_time   whether a broker has told this worker anything about the time
    ahead_s    how far the host's clock is ahead of the broker's, where that is too far, s; 0 where they agree
    ends       (partition) -> topic rank -> end offset as the last fetch told, None when unknown
    room       most that a partition may hold of fetched messages now, bytes
    fetched    (partition) -> topic rank -> position of the consumer where nothing is on its way to the task, else None
    playbook   what retention does about alerts; None: nothing
    awaits_model   whether the learner has not come as far as this tick of history, ms: then nothing behind it may be folded yet
    read_voids (partitions) -> what redriven and dropped letters take out of each. Raises KafkaError; asking again may help
    """

    settings: Settings
    rules: EngineRules
    events: EventRules
    store: PartitionStore
    sender: Sender
    metrics: Metrics
    model: Callable[[int | None], ServedModel]
    now_ms: Callable[[], int]
    room: Callable[[], int]
    ends: Callable[[int], dict[int, int | None]]
    fetched: Callable[[int], dict[int, int | None]]
    backoff: Backoff
    playbook: Playbook | None = None
    ahead_s: Callable[[], float] = lambda: 0.0
    knows_time: Callable[[], bool] = lambda: True
    awaits_model: Callable[[int], bool] = lambda _: False
    read_voids: Callable[[Sequence[int]], Awaitable[dict[int, Voids]]] = no_voids
