"""One run: engine alone, jobs side by side on each stream, the base, commits, and latency, on one broker."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.apart import apart
from benchmarks.base import BaseResult, measure_base
from benchmarks.commits import CAUGHT_UP_ROWS, CommitResult, measure_commits
from benchmarks.engine import EngineResult, measure_engine
from benchmarks.latency import LatencyResult, measure_latency
from benchmarks.machine import Machine, this_machine
from benchmarks.parts import Kind, Parts, running
from benchmarks.side_by_side import Say, StreamResult, measure_stream
from benchmarks.stream import SPAN_DAYS

SECTIONS = ("engine", "streams", "base", "commits", "latency")


@dataclass(frozen=True, slots=True)
class Options:
    """events        of each stream
    repeats          of each measurement; medians are told
    streams          names in `stream.SPAN_DAYS`; peers run on the lively one
    batches          rows a call of the engine
    kind             of the parts
    sections         of SECTIONS
    peers            whether the others run beside the worker
    nth              the conventional one gets the events of every nth customer
    base_customers   for bytes of Redis and sweeps
    none_due         sizes of the tables in which a sweep meets nobody
    latency_s, latency_events_per_s, latency_regulars   how long, how fast, and among how many regular customers
    """

    events: int = 600_000
    repeats: int = 3
    streams: Sequence[str] = tuple(SPAN_DAYS)
    batches: tuple[int, ...] = (1_000, 10_000, 100_000)
    kind: Kind = "auto"
    sections: Sequence[str] = SECTIONS
    peers: bool = True
    nth: int = 20
    base_customers: int = 100_000
    none_due: tuple[int, ...] = (10_000, 1_000_000)
    latency_s: int = 20
    latency_events_per_s: int = 5_000
    latency_regulars: int = 20_000


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run; what was not asked for is empty or None.

    commits         by rows of a commit, the caught-up size first
    broker, redis   names of the parts, None where none was needed
    """

    machine: Machine
    repeats: int
    broker: str | None
    redis: str | None
    engine: list[EngineResult]
    streams: list[StreamResult]
    base: BaseResult | None
    commits: list[CommitResult]
    latency: LatencyResult | None


def run(options: Options, say: Say) -> Report:
    """Measure what the options ask for. `say` is told what is being done."""
    engine: list[EngineResult] = []
    for name in options.streams if "engine" in options.sections else ():
        say(f"engine alone, {name} stream")
        engine += apart(measure_engine, options.events, SPAN_DAYS[name], options.batches, options.repeats)
    if set(options.sections) == {"engine"}:
        return Report(this_machine(None), options.repeats, None, None, engine, [], None, [], None)
    with tempfile.TemporaryDirectory(prefix="churnwatch-bench-") as folder, running(Path(folder), options.kind) as parts:
        say(f"broker: {parts.broker}, Redis: {parts.redis}")
        return _on_parts(options, parts, Path(folder), engine, say)


def _on_parts(options: Options, parts: Parts, folder: Path, engine: list[EngineResult], say: Say) -> Report:
    streams: list[StreamResult] = []
    base, commits, latency = None, [], None
    for name in options.streams if "streams" in options.sections else ():
        nth = options.nth if options.peers and name == "lively" else None
        streams.append(measure_stream(name, options.events, parts, folder, options.repeats, nth, say))
    if "base" in options.sections:
        say(f"base of {options.base_customers:,} customers: bytes of Redis, sweeps")
        base = measure_base(parts, folder, options.kind, options.base_customers, options.none_due, options.repeats)
    for rows in (CAUGHT_UP_ROWS, parts.settings.engine.max_rows) if "commits" in options.sections else ():
        say(f"commits of {rows:,} rows")
        commits.append(apart(measure_commits, parts.reading("commits.", f"{rows}").settings, options.events, rows))
    if "latency" in options.sections:
        say(f"event to alert: {options.latency_s} s at {options.latency_events_per_s:,} events/s")
        latency = measure_latency(parts, folder, options.latency_events_per_s, options.latency_s, options.latency_regulars)
    machine = this_machine(parts)
    return Report(machine, options.repeats, parts.broker, parts.redis, engine, streams, base, commits, latency)
