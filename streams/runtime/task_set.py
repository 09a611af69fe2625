"""The tasks of the owned partitions while they run, and their end: none outlives `stop_all`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from streams.runtime.metrics import Metrics
from streams.runtime.partition import PartitionTask

STOP_PATIENCE_S = 20.0


class TaskSet:
    """One task a partition, or the work of taking it again.

    tasks   partition -> its task, those that run
    failed  told of a task that ended by an error, while it is still in `tasks`
    """

    def __init__(self, metrics: Metrics, failed: Callable[[PartitionTask, BaseException], None]) -> None:
        self._metrics, self._failed = metrics, failed
        self.tasks: dict[int, PartitionTask] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._retaking: dict[int, asyncio.Task[None]] = {}

    def start(self, task: PartitionTask) -> None:
        """Run the partition's task."""
        partition = task.partition
        self.tasks[partition] = task
        self._metrics.own(partition)
        running = asyncio.create_task(task.run(), name=f"partition-{partition}")
        self._running[partition] = running
        running.add_done_callback(lambda ended: self._ended(task, ended))

    def retake(self, partition: int, work: Coroutine[Any, Any, None]) -> None:
        """Do what may start the partition's next task."""
        self._retaking[partition] = asyncio.get_running_loop().create_task(work, name=f"retake-{partition}")

    async def stop_all(self) -> None:
        """Let every task finish its commit and end, then forget them. What is being retaken is given up."""
        # a task that ends by LostCommits meanwhile starts a retake, and a retake starts a task: until neither is left
        while under_way := [*self._retaking.values(), *self._running.values()]:
            for retaking in self._retaking.values():
                retaking.cancel()
            for task in self.tasks.values():
                task.stop()
            _, late = await asyncio.wait(under_way, timeout=STOP_PATIENCE_S)
            for running in late:
                running.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            self._retaking = {partition: work for partition, work in self._retaking.items() if not work.done()}
            self._running = {partition: work for partition, work in self._running.items() if not work.done()}
        for partition in [*self.tasks]:
            self.forget(partition)

    def forget(self, partition: int) -> None:
        """The partition is not ours any more."""
        self.tasks.pop(partition, None)
        self._running.pop(partition, None)
        self._metrics.lose(partition)

    def _ended(self, task: PartitionTask, ended: asyncio.Task[None]) -> None:
        problem = None if ended.cancelled() else ended.exception()
        if problem is not None and self.tasks.get(task.partition) is task:
            self._failed(task, problem)
