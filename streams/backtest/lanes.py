"""One policy living through a history: its own customers' state and its own alerts.

Policies that are compared live through it side by side, so the files are read once and all meet the same model. What is learnt
does not depend on the policy: snapshots and outcomes fall on a grid.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from alerts.alert import Alert
from detectors.served import ServedModel
from streams.backtest.alert_log import AlertLog
from streams.backtest.numbered import NumberedCustomers
from streams.backtest.stretches import Stretch
from streams.backtest.tables import Tables
from streams.engine import EngineRules
from streams.step import Step

Tell = Callable[[Sequence[Alert]], None]
"""Called with the messages of each step, in the order in which a worker sends them."""


class Lane:
    """rules      of the engine, with one policy
    customers  by number
    tell       takes the messages in words; None: no words are made, which is several times as fast
    alerts     every message so far
    engine_s   seconds spent folding
    """

    def __init__(self, rules: EngineRules, tables: Tables, customers: NumberedCustomers, tell: Tell | None = None) -> None:
        self.rules, self.tables, self.alerts, self.engine_s = rules, tables, AlertLog(), 0.0
        self._customers, self._tell = customers, tell

    def fold(self, stretch: Stretch, model: ServedModel) -> Iterator[tuple[NDArray[np.intp], Step]]:
        """Fold a stretch: each partition's step, already applied, with the positions of the events left out as repeats."""
        began_s = time.perf_counter()
        for repeats, step in self.tables.advance(stretch, self.rules, model, told=self._tell is not None):
            self.alerts.add(step.transitions, self._customers.numbers(step.transitions.customers))
            if self._tell is not None:
                self._tell(step.alerts)
            self.engine_s += time.perf_counter() - began_s
            yield repeats, step
            began_s = time.perf_counter()
        self.engine_s += time.perf_counter() - began_s
