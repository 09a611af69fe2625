"""A history of any length on disk, read back in order of time: memory does not grow with the number of events.

Rows come in as the files have them. Each part is sorted and written as a run; reading merges the runs block by block, so
that of each run a block is in memory. Of files that are in order already, runs follow one another and one is open at a time.

**Why the merge is right.** A run's rows ascend by (time, topic, order), no two rows are equal. Let the bound be the least of the
last rows in memory of those runs that have more on disk. All rows up to the bound are in memory: a row on disk follows the last
in memory of its run, which is at or above the bound; and a run is opened before the bound passes its first row. Sorted, those up
to the bound are the next rows of all. The run that gave the bound is used up by that, so the reading goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.backtest.event_rows import EVENT, Rows, in_order

ROWS_A_RUN = 100_000
ROWS_IN_MEMORY = 1_000_000
"""Of all runs together while they are merged: 40 MB."""


@dataclass(frozen=True, slots=True)
class _Run:
    path: Path
    rows: int
    first: Key


Key = tuple[int, int, int]
"""(time, topic rank, order) of a row: what rows are sorted by."""


class EventLog:
    """Events in a folder of its own.

    folder       an empty one, for as long as the log is read
    rows_a_run   rows sorted at once, about, >= 1
    events, first_ms, last_ms   how many, and the time of the earliest and the latest; 0 while there is none
    """

    def __init__(self, folder: Path, rows_a_run: int = ROWS_A_RUN) -> None:
        self._folder, self._rows_a_run = folder, rows_a_run
        self._runs: list[_Run] = []
        self._held: list[Rows] = []
        self._rows_held = 0
        self.events = 0
        self.first_ms = self.last_ms = 0

    def add(self, rows: Rows) -> None:
        """Take in rows, in any order; `finish` after the last. Raises OSError where the disk does not take them."""
        self._held.append(rows)
        self._rows_held += len(rows)
        if self._rows_held >= self._rows_a_run:
            self.finish()

    def finish(self) -> None:
        """Write what is still held. Raises OSError where the disk does not take it."""
        if not self._rows_held:
            return
        rows = in_order(np.concatenate(self._held))
        self._held, self._rows_held = [], 0
        path = self._folder / f"{len(self._runs)}.rows"
        rows.tofile(path)
        first_ms, last_ms = int(rows["time_ms"][0]), int(rows["time_ms"][-1])
        self.first_ms = min(first_ms, self.first_ms) if self.events else first_ms
        self.last_ms = max(last_ms, self.last_ms)
        self.events += len(rows)
        self._runs.append(_Run(path, len(rows), _key(rows, 0)))

    def runs(self) -> Iterator[Rows]:
        """All rows, run by run, in the order in which they were written."""
        for run in self._runs:
            yield np.fromfile(run.path, EVENT)

    def blocks(self, rows_in_memory: int = ROWS_IN_MEMORY) -> Iterator[Rows]:
        """All rows in order, some at a time.

        rows_in_memory   of all runs that are open at once, about
        """
        waiting = sorted(self._runs, key=lambda run: run.first, reverse=True)
        rows_each = max(1, rows_in_memory // max(1, len(waiting)))
        opened: list[_OpenRun] = []
        while waiting or opened:
            while waiting and (not opened or waiting[-1].first <= _bound(opened)):
                opened.append(_OpenRun(waiting.pop(), rows_each))
            bound = _bound(opened)
            taken = [run.taken(bound) for run in opened]
            yield taken[0] if len(taken) == 1 else in_order(np.concatenate(taken))
            opened = [run for run in opened if run.fill()]


_END: Key = (1 << 62, 0, 0)


def _bound(opened: list[_OpenRun]) -> Key:
    """The last row up to which every row of the open runs is in memory."""
    return min((_key(run.held, -1) for run in opened if run.more), default=_END)


class _OpenRun:
    """A run being read. held: its next rows, at least one; more: whether others follow on disk."""

    def __init__(self, run: _Run, rows: int) -> None:
        self._run, self._rows, self._read = run, rows, 0
        self.held: Rows = np.empty(0, EVENT)
        self.fill()

    @property
    def more(self) -> bool:
        return self._read < self._run.rows

    def fill(self) -> bool:
        """Read on if nothing is held; False at the end of the run."""
        if not len(self.held) and self.more:
            self.held = np.fromfile(self._run.path, EVENT, self._rows, offset=self._read * EVENT.itemsize)
            self._read += len(self.held)
        return len(self.held) > 0

    def taken(self, bound: Key) -> Rows:
        """The rows held up to the bound, which are held no more."""
        end = _up_to(self.held, bound)
        taken, self.held = self.held[:end], self.held[end:]
        return taken


def _key(rows: Rows, at: int) -> Key:
    return int(rows["time_ms"][at]), int(rows["rank"][at]), int(rows["order"][at])


def _up_to(rows: Rows, bound: Key) -> int:
    """How many of the sorted rows are at or before the bound."""
    time_ms, rank, order = bound
    start, end = np.searchsorted(rows["time_ms"], [time_ms, time_ms + 1])
    same = rows[start:end]
    before: NDArray[np.bool_] = (same["rank"] < rank) | ((same["rank"] == rank) & (same["order"] <= order))
    return int(start + np.count_nonzero(before))
