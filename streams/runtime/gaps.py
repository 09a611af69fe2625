"""What a fetch asked for and the broker does not have, found out while partitions are at work.

aiokafka would begin again at the earliest record and say nothing. Here the topic is looked at as at a claim: deleted unread,
the gap is counted and passed; made anew or cut, the worker refuses to go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from aiokafka.errors import IllegalStateError  # type: ignore[import-untyped] # aiokafka ships no types
from faust.types import TP

from streams.runtime import losses
from streams.runtime.admission import Admission
from streams.runtime.arrivals import Arrivals
from streams.runtime.losses import Gap
from streams.runtime.partition import PartitionTask

log = structlog.get_logger()

ARRIVAL_S = 0.02


class Gaps:
    """The gaps that are being looked at; at most one a topic and partition.

    app     () -> the Faust app, for seeks
    tasks   partition -> its task
    fail    told what makes going on impossible
    """

    def __init__(
        self,
        admission: Admission,
        arrivals: Arrivals,
        app: Callable[[], Any],
        tasks: Mapping[int, PartitionTask],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._admission, self._arrivals, self._app, self._tasks, self._fail = admission, arrivals, app, tasks, fail
        self._open: dict[TP, asyncio.Task[None]] = {}

    @property
    def held(self) -> frozenset[TP]:
        """What must not be fetched meanwhile."""
        return frozenset(self._open)

    def out_of_range(self, offsets: Mapping[TP, int]) -> None:
        """The broker has no such offset of these. Begins to find out, and does not wait."""
        for tp, offset in offsets.items():
            task = self._tasks.get(tp.partition)
            if tp not in self._open and task is not None:
                log.warning("offset is out of range; looking at the topic", topic=tp.topic, partition=tp.partition, offset=offset)
                looking = asyncio.create_task(self._pass(tp, offset, task), name=f"gap-{tp.topic}-{tp.partition}")
                self._open[tp] = looking
                looking.add_done_callback(lambda ended, tp=tp: self._ended(tp, ended))  # type: ignore[misc] # a lambda's default

    async def stop(self) -> None:
        """Look no further."""
        open_ = list(self._open.values())
        for looking in open_:
            looking.cancel()
        await asyncio.gather(*open_, return_exceptions=True)
        self._open.clear()

    async def _pass(self, tp: TP, offset: int, task: PartitionTask) -> None:
        found = await self._admission.look_again(tp, offset, task.topic_ids)
        while not self._arrivals.none_of(tp):  # what is on its way stands before the gap
            await asyncio.sleep(ARRIVAL_S)
        async with self._app().consumer.fetching:
            if self._tasks.get(tp.partition) is not task:
                return
            await self._app().consumer.seek(tp, max(offset, found.begin))
            if found.begin > offset:
                gap = Gap(tp.topic, self._admission.short[tp.topic], tp.partition, offset, found.begin)
                losses.found(gap)
                task.skip(gap)

    def _ended(self, tp: TP, ended: asyncio.Task[None]) -> None:
        if self._open.get(tp) is ended:
            del self._open[tp]
        problem = None if ended.cancelled() else ended.exception()
        if isinstance(problem, IllegalStateError):  # a rebalance has taken it away, and the next claim looks for itself
            log.warning("partition is not ours any more", topic=tp.topic, partition=tp.partition, error=str(problem))
        elif problem is not None:
            self._fail(problem)
