"""Jobs on the same topics, turn by turn: decode-only consumption, our worker, Quix Streams, and the conventional way.

Each runs alone in a process of its own from an empty state, so its CPU is its own; the broker's is nobody's. A store
outside the process has its CPU told apart: Redis, for ours and the conventional one. Quix keeps its state in RocksDB
inside its process, so that is counted within. The conventional one is slow, so it is given the whole lives of every
nth customer, in topics of their own; rates are per event. Of these customers everything is compared that the jobs have
kept, and a difference fails the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import equality
from benchmarks.apart import apart
from benchmarks.decode import measure_decode
from benchmarks.equality import Equality
from benchmarks.jobs import Figures, Turn, figures, peers_installed, run_conventional, run_quix
from benchmarks.parts import Parts, produce
from benchmarks.stream import SPAN_DAYS, Stream, every, make_stream
from benchmarks.worker import WorkerResult, measure_worker

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class StreamResult:
    """What was measured on one stream; conventional, quix and equality are None where they were not run.

    worker_to_ceiling   CPU an event of the worker over that of decode-only consumption
    alerts_per_event    of the worker
    """

    stream: str
    span_days: int
    events: int
    customers: int
    ceiling: Figures
    worker: Figures
    worker_to_ceiling: float
    alerts_per_event: float
    conventional: Figures | None = None
    quix: Figures | None = None
    equality: Equality | None = None


def measure_stream(name: str, events: int, parts: Parts, folder: Path, repeats: int, nth: int | None, say: Say) -> StreamResult:
    """Write the stream and run the jobs on it, `repeats` times each.

    nth   the conventional one gets every nth customer; None: decoding and the worker alone
    """
    stream = make_stream(events, SPAN_DAYS[name])
    say(f"{name} stream: writing {stream.events:,} events of {stream.customers:,} customers over {stream.span_days} days")
    bench = _Bench(name, stream, parts, folder, nth)
    bench.write()
    for turn in range(repeats):
        for job in bench.jobs():
            say(f"{name} stream: {job} ({turn + 1} of {repeats})")
            bench.run(job, turn)
    if nth is not None:
        say(f"{name} stream: comparing what they have kept")
    return bench.result(repeats - 1)


class _Bench:
    """One stream and the turns on it so far."""

    def __init__(self, name: str, stream: Stream, parts: Parts, folder: Path, nth: int | None) -> None:
        self.name, self.stream, self.parts, self.folder = name, stream, parts, folder
        self.few = None if nth is None else every(nth, stream)
        self.turns: dict[str, list[Turn]] = {job: [] for job in self.jobs()}
        self.workers: list[WorkerResult] = []

    def jobs(self) -> list[str]:
        if self.few is None:
            return ["ceiling", "worker"]
        return ["ceiling", "worker", *(["quix"] if peers_installed() else []), "conventional"]

    def write(self) -> None:
        produce(self.stream, self._all().settings)
        if self.few is not None:
            produce(self.few, self._few().settings)

    def run(self, job: str, turn: int) -> None:
        group = f"{self.name}-{job}-{turn}"
        if job == "ceiling":
            found = apart(measure_decode, self._all().settings, self.stream.events)
            done = Turn(found.events, found.events_per_s, found.cpu_us_per_event, 0.0)
        elif job == "worker":
            self._empty_redis()
            work = measure_worker(self.stream, self._all(group), self.folder)
            self.workers.append(work)
            done = Turn(work.events, work.events_per_s, work.cpu_us_per_event, work.store_cpu_us_per_event)
        elif job == "quix":
            done = run_quix(self._all(), group, self.stream.events, self.folder)
        else:
            assert self.few is not None
            done = run_conventional(self._few(), group, self.few.events, self.folder)
        self.turns[job].append(done)

    def _empty_redis(self) -> None:
        """Drop what earlier turns have left: a server that rewrites its file would rewrite that too, at this one's cost."""
        with self.parts.server.client() as client:
            client.flushall()

    def result(self, turn: int) -> StreamResult:
        """Everything, with what the jobs have left after this turn compared."""
        told = {job: figures(turns) for job, turns in self.turns.items()}
        return StreamResult(
            stream=self.name,
            span_days=self.stream.span_days,
            events=self.stream.events,
            customers=self.stream.customers,
            ceiling=told["ceiling"],
            worker=told["worker"],
            worker_to_ceiling=told["worker"].cpu_us_per_event / told["ceiling"].cpu_us_per_event,
            alerts_per_event=self.workers[-1].alerts_per_event,
            conventional=told.get("conventional"),
            quix=told.get("quix"),
            equality=None if self.few is None else self._compared(self.few, turn),
        )

    def _compared(self, few: Stream, turn: int) -> Equality:
        customers = sorted({record.key.decode() for there in few.records.values() for record in there})
        kept = {"worker": equality.of_worker(self._all(f"{self.name}-worker-{turn}"), customers)}
        kept["conventional"] = equality.of_conventional(self.parts, f"{self.name}-conventional-{turn}", customers)
        if "quix" in self.turns:
            kept["quix"] = equality.of_quix(self.parts, f"{self.name}-quix-{turn}", customers)
        return equality.compare(kept)

    def _all(self, run: str = "run") -> Parts:
        return self.parts.reading(f"{self.name}.", run)

    def _few(self) -> Parts:
        return self.parts.reading(f"{self.name}-few.")
