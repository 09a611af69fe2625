"""Looks at the silent: what one costs in the engine alone, and with its cold row read from Redis and committed.

After the base's last event time goes on a day at a time, as when a stream is idle, by the default settings; each day is one
sweep of each partition. It is measured until as many customers were due as the base has, with the alerts that their
looks send: they are the greater part of the cost. A sweep that meets nobody must cost the same whatever the base.
"""

from __future__ import annotations

import asyncio
import gc
import time
from copy import deepcopy
from dataclasses import dataclass
from statistics import median

from benchmarks.owners import owning
from benchmarks.parts import redis_cpu_s
from benchmarks.stream import columns, make_base
from detectors.parameters import SHIPPED
from detectors.served import ServedModel
from streams.columns import DAY_MS, empty_columns
from streams.customer import new_records
from streams.engine import EngineRules, advance
from streams.runtime.committer import Work
from streams.runtime.rules import engine_rules, event_rules
from streams.runtime.settings import Settings, load_settings
from streams.table import CustomerTable

NONE_DUE_BASES = (10_000, 1_000_000)
_NONE_DUE_CALLS = 200
_PUT_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Daily sweeps until a base's number of customers were due; medians of the repetitions.

    due                    customers who were due, counted again each day
    days                   sweeps of each partition
    looks_per_due          1, and a little more where the policy asked for another look that day
    alerts_per_due         messages that the looks sent
    wall_us_per_due        from the call to its end; with the store until all is committed and acknowledged
    cpu_us_per_due         of the process
    store_cpu_us_per_due   of Redis; 0 for the engine alone
    """

    due: int
    days: int
    looks_per_due: float
    alerts_per_due: float
    wall_us_per_due: float
    cpu_us_per_due: float
    store_cpu_us_per_due: float


@dataclass(slots=True)
class _Turn:
    """Sums over the days of one repetition."""

    due: int = 0
    days: int = 0
    looks: int = 0
    alerts: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    store_cpu_s: float = 0.0


def measure_sweep(customers: int, repeats: int) -> SweepResult:
    """The engine alone, all partitions' tables in memory. Run it in a process of its own."""
    settings = load_settings(None, {"CHURNWATCH_TIME__CLOCK": "history"})
    rules = engine_rules(settings)
    tables = _folded(customers, settings, rules)
    gc.freeze()
    return _result([_sweep_tables(deepcopy(tables), rules, customers) for _ in range(repeats)])


def _folded(customers: int, settings: Settings, rules: EngineRules) -> list[CustomerTable]:
    tables = []
    for whole in columns(make_base(customers), event_rules(settings).of_history()).values():
        table = CustomerTable()
        table.apply(advance(table, whole, 0, rules, ServedModel(SHIPPED, rules.horizon_days)))
        tables.append(table)
    return tables


def _sweep_tables(tables: list[CustomerTable], rules: EngineRules, customers: int) -> _Turn:
    turn, now_ms = _Turn(), max(table.state.watermark_ms for table in tables)
    while turn.due < customers:
        turn.days, now_ms = turn.days + 1, now_ms + DAY_MS
        due = sum(int((table.records["due_s"] <= now_ms // 1000).sum()) for table in tables)
        began_s, began_cpu_s, steps = time.perf_counter(), time.process_time(), []
        for table in tables:
            step = advance(table, empty_columns(0), now_ms, rules, ServedModel(SHIPPED, rules.horizon_days))
            table.apply(step)
            steps.append(step)
        turn.wall_s += time.perf_counter() - began_s
        turn.cpu_s += time.process_time() - began_cpu_s
        turn.due += _swept(due, sum(len(step.ids) for step in steps))
        turn.looks += sum(step.stats.looks for step in steps)
        turn.alerts += sum(len(step.alerts) for step in steps)
    return turn


def measure_cold_sweep(settings: Settings, customers: int, repeats: int) -> SweepResult:
    """Sweeps of a base of `customers` that a worker has left in Redis, each day by owners who hold no row yet.

    settings   of that worker; a repetition goes on where the one before has ended
    Run it in a process of its own.
    """
    gc.freeze()
    return _result([asyncio.run(_sweep_redis(settings, customers)) for _ in range(repeats)])


async def _sweep_redis(settings: Settings, customers: int) -> _Turn:
    turn = _Turn()
    while turn.due < customers:
        async with owning(settings) as owned:
            now_ms = max(committer.table.state.watermark_ms for committer in owned.committers) + DAY_MS
            due = sum([len(await owned.store.due(p, now_ms // 1000, -1)) for p in range(len(owned.committers))])
            sent = owned.sent()
            began_store_s = redis_cpu_s(settings)
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            for committer in owned.committers:
                await committer.advance(Work(empty_columns(0), now_ms, committer.done, True))
            for committer in owned.committers:
                await committer.publisher.drained()
            turn.wall_s += time.perf_counter() - began_s
            turn.cpu_s += time.process_time() - began_cpu_s
            turn.store_cpu_s += redis_cpu_s(settings) - began_store_s
            turn.days += 1
            turn.due += _swept(due, sum(len(committer.table) for committer in owned.committers))
            turn.looks += owned.evaluations()
            turn.alerts += owned.sent() - sent - len(owned.store.commits_ms)  # a journal entry each
    return turn


def _swept(due: int, touched: int) -> int:
    """How many; RuntimeError unless those who were looked at are those who were due."""
    if due != touched or not due:
        raise RuntimeError(f"{due} customers were due and {touched} were looked at")
    return due


def _result(turns: list[_Turn]) -> SweepResult:
    return SweepResult(
        due=turns[0].due,
        days=turns[0].days,
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
        step = advance(table, empty_columns(0), now_ms + call, rules, ServedModel(SHIPPED, rules.horizon_days))
        took_s.append(time.perf_counter() - began_s)
        if step.stats.looks:
            raise RuntimeError(f"{step.stats.looks} looks fired where none was due")
    return median(took_s) * 1e6
