"""Looks at the silent: what one costs in the engine alone, and with its cold row read from Redis and committed.

Every customer of the base is looked at once in ten days (`LOOKS`), and a sweep over the ten days after the last event
meets each of them once, as after a weekend's outage. A sweep that meets nobody must cost the same whatever the base.
"""

from __future__ import annotations

import asyncio
import gc
import time
from copy import deepcopy
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.owners import TimedStore, owning
from benchmarks.parts import redis_cpu_s
from benchmarks.stream import columns, make_base
from detectors.parameters import SHIPPED
from streams.columns import DAY_MS, empty_columns
from streams.customer import NEVER_S, new_records
from streams.engine import EngineRules, Step, advance
from streams.runtime.committer import Work
from streams.runtime.rules import engine_rules, event_rules
from streams.runtime.settings import Settings, load_settings
from streams.table import CustomerTable

LOOK_DAYS = 10
LOOKS = {"CHURNWATCH_LOOKS__MIN_S": str(LOOK_DAYS * 86_400), "CHURNWATCH_LOOKS__MAX_S": str(LOOK_DAYS * 86_400)}
"""Settings under which everyone who has bought is looked at ten days after the last event or look."""

NONE_DUE_BASES = (10_000, 1_000_000)
_NONE_DUE_CALLS = 200
_PUT_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class SweepResult:
    """A sweep over a whole base; medians of the repetitions.

    due                    customers who were due, each once
    looks_per_due          1, and a little more where the policy asked for another look
    alerts_per_due         messages that the looks sent
    wall_us_per_due        from the call to its end; with the store until all is committed and acknowledged
    cpu_us_per_due         of the process
    store_cpu_us_per_due   of Redis; 0 for the engine alone
    """

    due: int
    looks_per_due: float
    alerts_per_due: float
    wall_us_per_due: float
    cpu_us_per_due: float
    store_cpu_us_per_due: float


@dataclass(frozen=True, slots=True)
class _Turn:
    due: int
    looks: int
    alerts: int
    wall_s: float
    cpu_s: float
    store_cpu_s: float = 0.0


def measure_sweep(customers: int, repeats: int) -> SweepResult:
    """The engine alone, all partitions' tables in memory. Run it in a process of its own."""
    settings = load_settings(None, {"CHURNWATCH_TIME__CLOCK": "history", **LOOKS})
    rules = engine_rules(settings)
    tables = _folded(customers, settings, rules)
    gc.freeze()
    return _result([_sweep_tables([deepcopy(table) for table in tables], rules) for _ in range(repeats)])


def _folded(customers: int, settings: Settings, rules: EngineRules) -> list[CustomerTable]:
    tables = []
    for whole in columns(make_base(customers), event_rules(settings)).values():
        table = CustomerTable()
        table.apply(advance(table, whole, 0, rules, SHIPPED))
        tables.append(table)
    return tables


def _sweep_tables(tables: list[CustomerTable], rules: EngineRules) -> _Turn:
    dues = [_due_s(table) for table in tables]
    steps: list[Step] = []
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    for table, due_s in zip(tables, dues, strict=True):
        step = advance(table, empty_columns(0), int(due_s.max(initial=0)) * 1000, rules, SHIPPED)
        table.apply(step)
        steps.append(step)
    wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    due = sum(map(len, dues))
    _must_be_swept(due, sum(len(step.ids) for step in steps))
    return _Turn(due, sum(step.stats.looks for step in steps), sum(len(step.alerts) for step in steps), wall_s, cpu_s)


def _due_s(table: CustomerTable) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    due_s = table.records["due_s"][: len(table.ids)]
    found: np.ndarray[tuple[int], np.dtype[np.uint32]] = due_s[due_s != NEVER_S]
    return found


def measure_cold_sweep(settings: Settings, repeats: int) -> SweepResult:
    """Sweeps of a base that a worker has left in Redis, one after another, each by an owner who holds no row yet.

    settings   of that worker, with `LOOKS` among them
    Run it in a process of its own.
    """
    gc.freeze()
    return _result([asyncio.run(_sweep_redis(settings)) for _ in range(repeats)])


async def _sweep_redis(settings: Settings) -> _Turn:
    async with owning(settings) as owned:
        dues = [await _due(owned.store, partition) for partition in range(len(owned.committers))]
        sent = owned.sent()
        began_s, began_cpu_s, began_store_s = time.perf_counter(), time.process_time(), redis_cpu_s(settings)
        for committer, (_, until_ms) in zip(owned.committers, dues, strict=True):
            await committer.advance(Work(empty_columns(0), until_ms, committer.done, True))
        for committer in owned.committers:
            await committer.publisher.drained()
        wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
        store_cpu_s = redis_cpu_s(settings) - began_store_s
        due = sum(customers for customers, _ in dues)
        _must_be_swept(due, sum(len(committer.table) for committer in owned.committers))
        alerts = owned.sent() - sent - len(owned.store.commits_ms)  # a journal entry each
        return _Turn(due, owned.evaluations(), alerts, wall_s, cpu_s, store_cpu_s)


async def _due(store: TimedStore, partition: int) -> tuple[int, int]:
    """How many are due at any time, and when the last of them is, ms."""
    everyone = await store.due(partition, NEVER_S, -1)
    last = await store.read_customer(partition, everyone[-1])
    if last is None or last.due_s is None:
        raise RuntimeError(f"partition {partition}: nobody is due")
    return len(everyone), last.due_s * 1000


def _must_be_swept(due: int, touched: int) -> None:
    if due != touched or not due:
        raise RuntimeError(f"{due} customers were due and {touched} were looked at")


def _result(turns: list[_Turn]) -> SweepResult:
    return SweepResult(
        due=turns[0].due,
        looks_per_due=median(turn.looks / turn.due for turn in turns),
        alerts_per_due=median(turn.alerts / turn.due for turn in turns),
        wall_us_per_due=median(turn.wall_s / turn.due for turn in turns) * 1e6,
        cpu_us_per_due=median(turn.cpu_s / turn.due for turn in turns) * 1e6,
        store_cpu_us_per_due=median(turn.store_cpu_s / turn.due for turn in turns) * 1e6,
    )


def measure_none_due(bases: tuple[int, ...] = NONE_DUE_BASES) -> dict[int, float]:
    """Customers in the table -> µs of a sweep that meets none of them, the median of many. Run it in a process of its own."""
    rules = engine_rules(load_settings(None, {"CHURNWATCH_TIME__CLOCK": "history"}))
    return {customers: _none_due_us(customers, rules) for customers in bases}


def _none_due_us(customers: int, rules: EngineRules) -> float:
    table, now_ms, took_s = CustomerTable(), 1_000 * DAY_MS, []
    for start in range(0, customers, _PUT_ROWS):
        rows = new_records(min(_PUT_ROWS, customers - start))
        rows["due_s"] = (now_ms + DAY_MS) // 1000
        table.put([f"c{number:07d}" for number in range(start, start + len(rows))], rows)
    for call in range(_NONE_DUE_CALLS):
        began_s = time.perf_counter()
        step = advance(table, empty_columns(0), now_ms + call, rules, SHIPPED)
        took_s.append(time.perf_counter() - began_s)
        if step.stats.looks:
            raise RuntimeError(f"{step.stats.looks} looks fired where none was due")
    return median(took_s) * 1e6
