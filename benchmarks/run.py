"""One run: engine alone, then for each stream decode-only consumption and the worker in turns on one broker."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.decode import DecodeResult, measure_decode
from benchmarks.engine import EngineResult, measure_engine
from benchmarks.parts import Kind, Parts, produce, running
from benchmarks.stream import SPAN_DAYS, make_stream
from benchmarks.worker import WorkerResult, measure_worker

T = TypeVar("T")
M = TypeVar("M", DecodeResult, WorkerResult)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """events    of each stream
    repeats      of each measurement; the one with the median CPU is told
    streams      names in `stream.SPAN_DAYS`
    batches      rows a call of the engine
    kind         of the parts
    """

    events: int
    repeats: int
    streams: Sequence[str]
    batches: tuple[int, ...]
    kind: Kind
    engine: bool
    worker: bool


@dataclass(frozen=True, slots=True)
class StreamResult:
    """What was measured on one stream.

    worker_to_decode   CPU an event of the worker over that of decode-only consumption
    """

    stream: str
    span_days: int
    events: int
    customers: int
    decode: DecodeResult
    worker: WorkerResult
    worker_to_decode: float


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run. broker and redis are None where they were not needed."""

    python: str
    cpus: int
    load: float
    repeats: int
    broker: str | None
    redis: str | None
    engine: list[EngineResult]
    streams: list[StreamResult]


def run(options: Options, say: Say) -> Report:
    """Measure what the options ask for. `say` is told what is being done."""
    engine: list[EngineResult] = []
    for name in options.streams if options.engine else ():
        say(f"engine alone, {name} stream")
        engine += _apart(measure_engine, options.events, SPAN_DAYS[name], options.batches, options.repeats)
    broker = redis = None
    streams: list[StreamResult] = []
    if options.worker:
        with tempfile.TemporaryDirectory(prefix="churnwatch-bench-") as folder, running(Path(folder), options.kind) as parts:
            broker, redis = parts.broker, parts.redis
            say(f"broker: {broker}, Redis: {redis}")
            streams = [_measure_stream(name, options, parts, Path(folder), say) for name in options.streams]
    cpus, load = os.cpu_count() or 1, os.getloadavg()[0]
    return Report(platform.python_version(), cpus, round(load, 2), options.repeats, broker, redis, engine, streams)


def _apart(work: Callable[..., T], *args: Any) -> T:
    """The work's result, from a fresh process: neither our memory nor our threads are part of its CPU."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


def _measure_stream(name: str, options: Options, parts: Parts, folder: Path, say: Say) -> StreamResult:
    stream = make_stream(options.events, SPAN_DAYS[name])
    say(f"{name} stream: writing {stream.events:,} events of {stream.customers:,} customers over {stream.span_days} days")
    loaded = parts.reading(f"{name}.")
    produce(stream, loaded.settings)
    decodes, workers = [], []
    for turn in range(options.repeats):
        say(f"{name} stream: decoding, then the worker ({turn + 1} of {options.repeats})")
        decodes.append(_apart(measure_decode, loaded.settings, stream.events))
        workers.append(measure_worker(stream, parts.reading(f"{name}.", f"run{turn}"), folder))
    decode, worker = _median(decodes), _median(workers)
    return StreamResult(
        stream=name,
        span_days=stream.span_days,
        events=stream.events,
        customers=stream.customers,
        decode=decode,
        worker=worker,
        worker_to_decode=worker.cpu_us_per_event / decode.cpu_us_per_event,
    )


def _median(results: list[M]) -> M:
    """The repetition whose CPU is the median (of an even number the higher one of the middle two)."""
    return sorted(results, key=lambda result: result.cpu_us_per_event)[len(results) // 2]
