"""The gauges that nothing else keeps, and what health asks of the partitions at work."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from streams.columns import TOPIC_RANKS
from streams.runtime.health import Waiting, WorkerState
from streams.runtime.metrics import Metrics
from streams.runtime.owner import PartitionOwner
from streams.runtime.topics import EVENTS
from streams.runtime.waits import SERVERS, Server, Waits

GAUGES_S = 1.0


class Gauges:
    """Looks at an owner's partitions.

    heartbeat_commit_s   a quiet partition commits so often, s
    """

    def __init__(self, owner: PartitionOwner, metrics: Metrics, waits: Waits, heartbeat_commit_s: float) -> None:
        self._owner, self._metrics, self._waits, self._heartbeat_commit_s = owner, metrics, waits, heartbeat_commit_s
        self._progress: dict[int, tuple[int, float]] = {}
        for server, gauge in metrics.waiting.items():
            gauge.set_function(partial(waits.age_s, server))

    async def run(self) -> None:
        """Keep them until cancelled."""
        while True:
            self._look()
            await asyncio.sleep(GAUGES_S)

    def _look(self) -> None:
        buffered = 0
        for partition, task in self._owner.tasks.items():
            buffered += task.merge.buffered_bytes
            ends, passed = self._owner.ends(partition), task.passed(task.committer.done)
            for topic in EVENTS:
                rank = TOPIC_RANKS[topic]
                end = ends.get(rank)
                if end is not None:
                    self._metrics.lag.labels(topic, str(partition)).set(max(0, end - passed.get(rank, 0)))
            self._metrics.outbox_depth.labels(str(partition)).set(task.committer.publisher.depth or 0)
            self._metrics.commit_age.labels(str(partition)).set(time.monotonic() - task.committer.committed_s)
        self._metrics.intake_buffered_bytes.set(buffered)

    def state(self) -> WorkerState:
        """The worker now."""
        return WorkerState(
            joined=self._owner.joined,
            assigned=self._owner.assigned,
            owned=frozenset(self._owner.tasks),
            dead=dict(self._owner.dead),
            aside=dict(self._owner.aside),
            unpublished_s=self._unpublished_s(),
            uncommitted_s=self._uncommitted_s(),
            waiting={server: waiting for server in SERVERS if (waiting := self._waiting(server)) is not None},
        )

    def _waiting(self, server: Server) -> Waiting | None:
        oldest = self._waits.oldest(server)
        return None if oldest is None else Waiting(self._waits.age_s(server), oldest.operation, oldest.why)

    def _uncommitted_s(self) -> dict[int, float]:
        now_s = time.monotonic()
        overdue = {p: now_s - task.committer.committed_s - self._heartbeat_commit_s for p, task in self._owner.tasks.items()}
        return {partition: age_s for partition, age_s in overdue.items() if age_s > 0}

    def _unpublished_s(self) -> dict[int, float]:
        """Since when nothing of a partition's waiting messages has been acknowledged."""
        now_s, waiting = time.monotonic(), {}
        for partition, task in self._owner.tasks.items():
            depth = task.committer.publisher.depth or 0
            acked = task.committer.outbox_no - depth
            if depth == 0 or self._progress.get(partition, (None,))[0] != acked:
                self._progress[partition] = (acked, now_s)
            if depth:
                waiting[partition] = now_s - self._progress[partition][1]
        return waiting
