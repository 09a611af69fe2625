"""Where the topics of a partition end and how far fetching came, by rank, as tasks want to know it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from faust.types import TP

from streams.columns import TOPIC_RANKS
from streams.runtime.arrivals import Arrivals
from streams.runtime.fetch_state import end_offset
from streams.runtime.live_clock import Probe
from streams.runtime.partition import PartitionTask


class Offsets:
    """Of one worker.

    app     () -> the Faust app
    short   name of each topic read -> its name without prefix
    names   topic rank -> name
    """

    def __init__(self, app: Callable[[], Any], short: Mapping[str, str], arrivals: Arrivals) -> None:
        self._app, self._arrivals = app, arrivals
        self.names = {TOPIC_RANKS[without]: name for name, without in short.items()}

    def ends(self, partition: int) -> dict[int, int | None]:
        """Topic rank -> end of what is committed, as the last fetch told."""
        return {rank: end_offset(self._app(), TP(name, partition)) for rank, name in self.names.items()}

    def positions(self, partition: int) -> dict[int, int | None]:
        """Topic rank -> the consumer's position at the end of a fetch, None while chunks are on their way to the task."""
        return {rank: self._arrivals.position(TP(name, partition)) for rank, name in self.names.items()}

    def passed(self, tasks: Mapping[int, PartitionTask]) -> dict[TP, int]:
        """Offset before which all is committed or is no data. Of a topic that nothing was committed of, 0."""
        found: dict[TP, int] = {}
        for partition, task in tasks.items():
            passed, done = task.passed(task.committer.done), task.committer.done
            found |= {TP(name, partition): passed.get(rank, 0) if rank in done else 0 for rank, name in self.names.items()}
        return found

    def probed(self, asked_ms: int, ends: Mapping[TP, int], tasks: Mapping[int, PartitionTask]) -> None:
        """The broker has told these ends. A partition of which it was not asked in full learns nothing."""
        for partition, task in tasks.items():
            told = {rank: ends.get(TP(name, partition)) for rank, name in self.names.items()}
            seen = self.ends(partition)  # the embedded broker names some ends too low, but not in fetches
            known = {rank: max(end, seen[rank] or 0) for rank, end in told.items() if end is not None}
            if task.clock is not None and len(known) == len(told):
                task.probe = Probe(asked_ms, known)
                task.wake.set()
