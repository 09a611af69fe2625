"""Slots of a Redis Cluster that move from node to node, back and forth, while a block runs.

with moving(cluster, slots) as mover:
    eventually(lambda: mover.moves > 10)
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from redis.exceptions import RedisError

from tests.support.redis_servers import NobodyOwns, RunningCluster

RETRY_S = 0.05


class SlotMover:
    """Moves the slots one after another, each to the node after its owner; goes on where it was when a node was down.

    moves         slots that arrived
    interrupted   attempts that failed on the way, the last of them by `last`
    problem       why it gave up, if it did
    """

    def __init__(self, cluster: RunningCluster, slots: Sequence[int]) -> None:
        self._cluster, self._slots = cluster, list(slots)
        self.moves = self.interrupted = 0
        self.last: BaseException | None = None
        self.problem: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slot-mover", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish the move under way, so that every slot is whole."""
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), f"the move under way does not end: {self.last!r}"
        assert self.problem is None, f"moving slots ended with {self.problem!r}"

    def _run(self) -> None:
        try:
            for slot in itertools.cycle(self._slots):
                self._move(slot)
                if self._stop.is_set():
                    return
        except BaseException as problem:  # noqa: BLE001 - whatever it is, `stop` tells it
            self.problem = problem

    def _move(self, slot: int) -> None:
        to = None
        while True:
            try:
                if to is None:
                    owner = self._cluster.owner(slot)
                    nodes = self._cluster.nodes
                    to = nodes[(nodes.index(owner) + 1) % len(nodes)]
                self._cluster.move_slot(slot, to, keys_at_a_time=5)
                self.moves += 1
                return
            except (RedisError, NobodyOwns) as problem:
                self.interrupted, self.last = self.interrupted + 1, problem
                threading.Event().wait(RETRY_S)  # a node is down, or the nodes do not agree yet


@contextmanager
def moving(cluster: RunningCluster, slots: Sequence[int]) -> Iterator[SlotMover]:
    """The slots move while the block runs; all of them are whole afterwards."""
    mover = SlotMover(cluster, slots)
    mover.start()
    try:
        yield mover
    finally:
        mover.stop()
