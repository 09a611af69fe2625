"""A shop whose customers come to behave otherwise, run through engine and learner day by day, as a backtest runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from detectors.learner import Learner
from detectors.learner_rules import LearnerRules
from detectors.parameters import SHIPPED
from streams.backtest.learning import Learning
from streams.backtest.refits import refit_times, refitted
from streams.columns import DAY_MS, PURCHASE, TICK, Columns, empty_columns
from streams.engine import EngineRules, advance
from streams.events import id_hash
from streams.outcomes import OutcomeRules
from streams.table import CustomerTable
from tests.support.engine_rules import engine_rules

REFIT_DAYS = 30
START_DAY = 18_000
HORIZON_DAYS, GRID_DAYS = 30, 10
OUTCOMES = OutcomeRules(horizon_days=HORIZON_DAYS, grid_days=GRID_DAYS, active_days=90, lateness_ms=DAY_MS)
BIG_MINOR, SMALL_MINOR = 20_000, 1_000

Purchase = tuple[int, str, int]
"""time in ms, customer, amount in minor units"""
Leaves = Callable[[float, bool], float]
"""Chance to leave after a purchase, by the day of the shop and whether the customer spends much."""


def purchases(days: int, leaves: Leaves, *, joining_a_day: float = 4.0, gap_days: float = 8.0, seed: int = 5) -> list[Purchase]:
    """All purchases, in order of time. Half of the customers spend much at each, half little."""
    chance = np.random.default_rng(seed)
    bought: list[Purchase] = []
    for number in range(round(joining_a_day * days)):
        at, spends_much = number / joining_a_day, bool(number % 2)
        gap = gap_days * chance.uniform(0.5, 2.0)
        while at < days:
            amount = BIG_MINOR if spends_much else SMALL_MINOR
            bought.append((int((START_DAY + at) * DAY_MS), f"c{number}", amount))
            if chance.random() < leaves(at, spends_much):
                break
            at += chance.exponential(gap)
    return sorted(bought)


def live(bought: list[Purchase], days: int, rules: LearnerRules) -> Learner:
    """The learner after all these days: events are folded, outcomes found out, and learnt at each midnight."""
    table, learner = CustomerTable(), Learner(rules, SHIPPED)
    learning, engine = Learning(learner, OUTCOMES), engine_rules(horizon_days=float(HORIZON_DAYS), outcomes=OUTCOMES)
    ticks_ms = np.arange(START_DAY + 1, START_DAY + days + 1) * DAY_MS
    due = set(refit_times(ticks_ms, REFIT_DAYS))
    for tick_ms, batch in zip(ticks_ms.tolist(), _days(bought, ticks_ms), strict=True):
        _fold(table, batch, engine, learning)
        if tick_ms in due:
            learner.refit(refitted([table.records[: len(table)]], tick_ms, learner.closed_form))
        learning.tick(tick_ms)
    return learner


def _fold(table: CustomerTable, batch: Columns, rules: EngineRules, learning: Learning) -> None:
    step = advance(table, batch, 0, rules, learning.learner.served())
    table.apply(step)
    learning.add(step)


def _days(bought: list[Purchase], ticks_ms: np.ndarray) -> Iterator[Columns]:
    """The events of each day, and the tick that ends it."""
    times = np.array([purchase[0] for purchase in bought])
    start = 0
    for tick_ms in ticks_ms.tolist():
        stop = int(np.searchsorted(times, tick_ms))
        columns = empty_columns(stop - start + 1)
        for k, (at_ms, customer, amount) in enumerate(bought[start:stop]):
            columns.time_ms[k], columns.customer[k], columns.amount_minor[k] = at_ms, customer, amount
            columns.event_id[k] = f"e{start + k}"
            columns.id_hash[k] = id_hash(0, columns.event_id[k])
        columns.kind[:] = PURCHASE
        columns.kind[-1], columns.time_ms[-1], columns.rank[-1] = TICK, tick_ms, 9
        yield columns
        start = stop
