"""How long a commit takes: the stream folded and committed by the real committer to the real Redis, one call after another.

A commit is timed as its caller waits for it: packing, the way there and back, the script. Two sizes: a caught-up
partition's, and the largest, which a partition far behind makes (`engine.max_rows`).
"""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass

import numpy as np

from benchmarks.owners import owning
from benchmarks.stream import SPAN_DAYS, columns, make_stream
from streams.columns import Columns
from streams.merge import CLOCK_RANK
from streams.runtime.committer import Committer, Work
from streams.runtime.rules import event_rules
from streams.runtime.settings import Settings

CAUGHT_UP_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class CommitResult:
    """rows      events folded into one commit
    commits   how many were made
    p50, p99  ms
    """

    rows: int
    commits: int
    p50: float
    p99: float


def measure_commits(settings: Settings, events: int, rows: int) -> CommitResult:
    """Fold the lively stream into commits of `rows` rows. Keys must be new. Run it in a process of its own."""
    merged = columns(make_stream(events, SPAN_DAYS["lively"]), event_rules(settings).of_history())
    gc.freeze()
    took_ms = asyncio.run(_commit_all(settings, merged, rows, events))
    return CommitResult(rows, len(took_ms), *np.percentile(took_ms, [50, 99]).tolist())


async def _commit_all(settings: Settings, merged: dict[int, Columns], rows: int, events: int) -> list[float]:
    async with owning(settings) as owned:
        for start in range(0, max(map(len, merged.values())), rows):
            for partition, whole in merged.items():
                batch = whole.take(slice(start, start + rows))
                if len(batch):
                    await owned.committers[partition].advance(_work(owned.committers[partition], batch))
        for committer in owned.committers:
            await committer.publisher.drained()
        done = sum(offset + 1 for committer in owned.committers for rank, offset in committer.done.items() if rank != CLOCK_RANK)
        if done != events:
            raise RuntimeError(f"{done} of {events} events were committed")
        return owned.store.commits_ms


def _work(committer: Committer, batch: Columns) -> Work:
    last = {int(rank): int(batch.offset[batch.rank == rank].max()) for rank in np.unique(batch.rank)}
    return Work(batch, 0, committer.done | last, True)
