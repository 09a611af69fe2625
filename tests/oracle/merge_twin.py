"""The slow, obvious merge: look at every topic's head, take the smallest, stop when a topic that is waited for is empty."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class Row:
    """One row of one topic; offsets are unique within a topic."""

    time_ms: int
    rank: int
    offset: int


@dataclass
class MergeTwin:
    """Topics as plain queues. `caught_up(rank)` says whether an empty topic may be passed over."""

    queues: dict[int, deque[Row]] = field(default_factory=dict)

    def push(self, row: Row) -> None:
        self.queues[row.rank].append(row)

    def take(self, max_rows: int, caught_up: Callable[[int], bool]) -> list[Row]:
        """Up to `max_rows` rows, smallest head first."""
        if any(not queue and not caught_up(rank) for rank, queue in self.queues.items()):
            return []
        heads = [queue[0] for queue in self.queues.values() if queue]
        heapq.heapify(heads)
        taken: list[Row] = []
        while heads and len(taken) < max_rows:
            row = heapq.heappop(heads)
            queue = self.queues[row.rank]
            taken.append(queue.popleft())
            if queue:
                heapq.heappush(heads, queue[0])
            elif not caught_up(row.rank):
                break
        return taken
