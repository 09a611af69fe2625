"""What one step of the engine found out: all of it is committed together, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alerts.alert import Alert
from streams.customer import Records
from streams.outcomes import Outcomes, Snapshots
from streams.state import PartitionState
from streams.transitions import NO_TRANSITIONS, Transitions


@dataclass(frozen=True, slots=True)
class StepStats:
    """What a step did, for metrics.

    events       folded events by kind code (PURCHASE, COMPLAINT, LOGIN, REFUND, CANCELLATION)
    duplicates   events left out as repeats, by kind code
    late         events older than the watermark they met
    looks        looks fired
    decisions    evaluations by ReasonCode
    risk_bp      risk of each evaluation, 1e-4
    forgotten    customers forgotten after a time without any event
    """

    events: tuple[int, ...]
    duplicates: tuple[int, ...]
    late: int
    looks: int
    decisions: NDArray[np.int64]
    risk_bp: NDArray[np.uint16]
    forgotten: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What `advance` computed and has not yet been committed.

    ids, records   the customers that were touched and their rows now
    rows           where the table held them before, -1 for new ones
    state          the partition's state now
    alerts         messages to send, ordered by event time, customer and number
    gone           customers of whom nothing is kept any more; none of them is among `ids`
    transitions    the same messages as columns, also where none were asked for in words
    repeats        positions in the batch of the events left out as repeats
    snapshots      customers taken down for learning, and
    outcomes       what became of others who were, each ordered by time and the customers' hashes
    void           (customer, day) of every snapshot that may wait of customers who were forgotten: none of them has an outcome
    """

    ids: list[str]
    records: Records
    rows: NDArray[np.intp]
    state: PartitionState
    alerts: list[Alert]
    stats: StepStats
    gone: list[str] = field(default_factory=list)
    transitions: Transitions = NO_TRANSITIONS
    repeats: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    snapshots: Snapshots = field(default_factory=Snapshots)
    outcomes: Outcomes = field(default_factory=Outcomes)
    void: list[tuple[str, int]] = field(default_factory=list)
