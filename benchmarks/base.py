"""What depends on how many customers there are: bytes of Redis for each, and sweeps.

A real worker loads the base into a Redis of its own; what it leaves there is measured, and then swept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.apart import apart
from benchmarks.footprint import FootprintResult, measure_footprint, used_bytes
from benchmarks.parts import Kind, Parts, produce, with_own_redis
from benchmarks.stream import make_base
from benchmarks.sweep import SweepResult, measure_cold_sweep, measure_none_due, measure_sweep
from benchmarks.worker import measure_worker


@dataclass(frozen=True, slots=True)
class BaseResult:
    """engine        sweeps of the base in the engine alone
    cold          the same from Redis: rows read, looked at, and committed
    none_due_us   customers in the table -> µs of a sweep that meets nobody
    """

    footprint: FootprintResult
    engine: SweepResult
    cold: SweepResult
    none_due_us: dict[int, float]


def measure_base(parts: Parts, folder: Path, kind: Kind, customers: int, none_due: tuple[int, ...], repeats: int) -> BaseResult:
    """A base of `customers` customers; `none_due` are the sizes of the tables in which nobody is due."""
    engine = apart(measure_sweep, customers, repeats)
    with with_own_redis(parts, folder / "redis-base", kind) as alone:
        loaded = alone.reading("base.")
        base = make_base(customers)
        produce(base, loaded.settings)
        before_bytes = used_bytes(alone.server)
        measure_worker(base, loaded, folder)
        footprint = measure_footprint(loaded, before_bytes, customers)
        cold = apart(measure_cold_sweep, loaded.settings, customers, repeats)
    return BaseResult(footprint, engine, cold, apart(measure_none_due, none_due))
