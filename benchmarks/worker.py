"""The worker as an operator starts it, from a backlog: Kafka to Redis to `churn.alerts`.

It runs in history mode with a tick a day, so the work does not depend on when it is done: the same looks and the same
alerts as the engine alone on the same stream. Time is taken from the first commit seen to the last; CPU from the moment
at which it owns its partitions and has fetched nothing, until everything is committed and all alerts are acknowledged.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

from benchmarks.parts import Parts, redis_cpu_s
from benchmarks.stream import PARTITIONS, TOPICS, Stream
from streams.runtime import child

REPO = Path(__file__).resolve().parents[1]
POLL_S = 0.02
PATIENCE_S = 120.0
"""Longest time without progress."""


@dataclass(frozen=True, slots=True)
class WorkerResult:
    """One worker that owns all partitions.

    events_per_s             from the first commit seen to the last
    cpu_us_per_event         of the worker's process, all threads
    store_cpu_us_per_event   of Redis, its children included
    commits, alerts          of the whole run; alerts per event tell how much came with the events
    """

    events: int
    events_per_s: float
    cpu_us_per_event: float
    store_cpu_us_per_event: float
    commits: int
    alerts_per_event: float


@dataclass(frozen=True, slots=True)
class Progress:
    """What Redis tells of all partitions together."""

    owned: int
    events: int
    ticked: int
    commits: int
    sent: int
    waiting: int


def measure_worker(stream: Stream, parts: Parts, folder: Path) -> WorkerResult:
    """Run a worker until it has done the whole stream, and end it."""
    with running_worker(parts, folder / "worker.log") as worker:
        watch = Watch(worker, parts, folder / "worker.log")
        watch.until(lambda now: now.owned == PARTITIONS, "owns its partitions")
        settings = parts.settings
        cpu_s, store_cpu_s = _cpu_s(worker.pid), redis_cpu_s(settings)
        first = watch.until(lambda now: now.events > 0, "commits")
        first_s = time.perf_counter()
        ticks = len(stream.ticks_ms) * PARTITIONS
        last = watch.until(lambda now: now.events == stream.events and now.ticked == ticks, "has committed all")
        last_s = time.perf_counter()
        watch.until(lambda now: now.waiting == 0, "has published all")
        cpu_s, store_cpu_s = _cpu_s(worker.pid) - cpu_s, redis_cpu_s(settings) - store_cpu_s
    return WorkerResult(
        events=stream.events,
        events_per_s=(stream.events - first.events) / (last_s - first_s),
        cpu_us_per_event=cpu_s / stream.events * 1e6,
        store_cpu_us_per_event=store_cpu_s / stream.events * 1e6,
        commits=last.commits,
        alerts_per_event=(last.sent - last.commits) / stream.events,  # each commit sends one journal entry beside its alerts
    )


@contextmanager
def running_worker(parts: Parts, log: Path) -> Iterator[Popen[bytes]]:
    """`churnwatch worker` for the length of the block."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("CHURNWATCH_")}
    env |= {"PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} | parts.environment
    process = child.spawn([sys.executable, "-m", "streams.cli.main", "worker"], log, cwd=REPO, env=env)
    try:
        yield process
    finally:
        child.end(process, grace_s=20.0)


def _cpu_s(pid: int) -> float:
    """CPU of a process, all its threads, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watch:
    """Watches a worker through what it has committed to Redis."""

    def __init__(self, worker: Popen[bytes], parts: Parts, log: Path) -> None:
        self._worker, self._log = worker, log
        self._client: Any = parts.server.client()
        prefix = parts.settings.redis.prefix
        self._keys = [f"{prefix}:{{{partition}}}:" for partition in range(PARTITIONS)]

    def now(self) -> Progress:
        """A look at every partition."""
        names = ["epoch", "seq", "outbox_no", "offset:clock", *(f"offset:{topic}" for topic in TOPICS)]
        with self._client.pipeline(transaction=False) as pipe:
            for key in self._keys:
                pipe.hmget(key + "meta", names)
                pipe.xlen(key + "outbox")
            answers = pipe.execute()
        metas, waiting = answers[::2], answers[1::2]
        return Progress(
            owned=sum(meta[0] is not None for meta in metas),
            commits=sum(int(meta[1] or 0) for meta in metas),
            sent=sum(int(meta[2] or 0) for meta in metas),
            ticked=sum(int(meta[3] or -1) + 1 for meta in metas),
            events=sum(int(offset or -1) + 1 for meta in metas for offset in meta[4:]),
            waiting=sum(waiting),
        )

    def until(self, condition: Callable[[Progress], bool], what: str) -> Progress:
        """Look until the condition holds. Raises RuntimeError when the worker ends or nothing moves for a long time."""
        seen, moved_s = None, time.monotonic()
        while not condition(now := self.now()):
            if now != seen:
                seen, moved_s = now, time.monotonic()
            if self._worker.poll() is not None or time.monotonic() - moved_s > PATIENCE_S:
                raise RuntimeError(f"the worker neither {what} nor goes on: {now}\n{self._log.read_text()[-3000:]}")
            time.sleep(POLL_S)
        return now
