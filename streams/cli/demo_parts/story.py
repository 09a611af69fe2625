"""What the demo replays: a year of simulated customers, whose truth is known, together with the real CDNOW purchases.

The simulation is written to a file and read back, so that what is replayed is what `churnwatch replay` would be given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from streams.backtest.history import History, find_source, read_histories
from streams.backtest.payloads import tick_times
from streams.backtest.simulation import Truth, simulate_customers
from streams.backtest.simulation_files import write_history, write_truth

HISTORY_FILE = "simulated-customers.csv"
TRUTH_FILE = "simulated-truth.csv"
CDNOW = "cdnow:"
CDNOW_PREFIX = "cdnow-"
START_MS = int(datetime(1997, 7, 1, tzinfo=UTC).timestamp()) * 1000
"""The simulated year begins half-way through the 18 months of CDNOW, so that both end on the same day."""


@dataclass(frozen=True, slots=True)
class Story:
    """A history and what is known of it.

    history        all events in order of time
    truths         simulated customer -> what was true
    cdnow_events   how many of the events are CDNOW purchases
    end_ms         event time of the last tick
    """

    history: History
    truths: dict[str, Truth]
    cdnow_events: int
    end_ms: int


def make_story(data: Path, *, customers: int, days: int, seed: int) -> Story:
    """Simulate, write both files into `data`, and merge with CDNOW.

    customers   simulated, >= 1
    days        simulated from 1997-07-01 on, >= 1
    seed        same seed, same story
    Raises HistoryError where the package that carries CDNOW is missing.
    """
    events, truths = simulate_customers(customers, days, START_MS, seed)
    write_history(data / HISTORY_FILE, events, "USD", f"s{seed}-")
    write_truth(data / TRUTH_FILE, truths)
    history = read_histories([find_source(str(data / HISTORY_FILE)), find_source(CDNOW, id_prefix=CDNOW_PREFIX)])
    ticks = tick_times(int(history.time_ms[0]), int(history.time_ms[-1]))
    return Story(history, {truth.customer: truth for truth in truths}, len(history) - len(events), int(ticks[-1]))
