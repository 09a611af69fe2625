"""What counts once, however often it is told: ids remembered for a while behind the newest.

    counted before   its id is remembered; or it is too old: its time lies more than WINDOW_MS behind the newest that counted

A worker that takes over repeats the last messages, a replica that took over the last commits, a rebuild a whole year: the
first two lie within the window, the third is older than it. Nothing new is that old: a label comes at most the allowed lateness
(7 days) behind others of its partition, and one that a live partition's clock held back for longer is dated when it is let go
(see runtime/labelling.py). The price: where the clock is held to the very end of a rebuild, what it holds back counts again.
Scores are dated by their snapshots: of who was silent during a hold of over a week, the snapshots in it tell nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.columns import DAY_MS

WINDOW_MS: Final = 8 * DAY_MS

Ids = NDArray[np.uint64]
Times = NDArray[np.int64]
Marks = NDArray[np.bool_]


class CountedOnce:
    """newest_ms   the newest time that counted, ms since 1970; None: nothing has"""

    def __init__(self) -> None:
        self.newest_ms: int | None = None
        self._days: dict[int, set[int]] = {}
        self._packed: dict[int, bytes] = {}

    def __len__(self) -> int:
        return sum(map(len, self._days.values()))

    def known(self, ids: Ids, at_ms: Times) -> Marks:
        """Which of these have counted before."""
        if self.newest_ms is None:
            return np.zeros(len(ids), np.bool_)
        return self._remembered(ids) | (at_ms < self.newest_ms - WINDOW_MS)

    def too_old(self, ids: Ids, at_ms: Times) -> int:
        """How many of these are taken for counted by their time alone."""
        if self.newest_ms is None or not (old := at_ms < self.newest_ms - WINDOW_MS).any():
            return 0
        return int((~self._remembered(ids[old])).sum())

    def _remembered(self, ids: Ids) -> Marks:
        days = tuple(self._days.values())
        return np.fromiter((any(one in day for day in days) for one in ids.tolist()), np.bool_, len(ids))

    def count(self, ids: Ids, at_ms: Times) -> Marks:
        """Which of these count now: those not known, each id once, the first of it. From now on they are known."""
        if not len(ids):
            return np.zeros(0, np.bool_)
        _, first = np.unique(ids, return_index=True)
        once = np.zeros(len(ids), np.bool_)
        once[first] = True
        fresh: Marks = once & ~self.known(ids, at_ms)
        if fresh.any():
            self._add(ids[fresh], at_ms[fresh])
        return fresh

    def _add(self, ids: Ids, at_ms: Times) -> None:
        day_of = at_ms // DAY_MS
        for day in np.unique(day_of).tolist():
            self._days.setdefault(day, set()).update(ids[day_of == day].tolist())
            self._packed.pop(day, None)
        self.newest_ms = max(int(at_ms.max()), self.newest_ms or 0)
        for day in [day for day in self._days if (day + 1) * DAY_MS <= self.newest_ms - WINDOW_MS]:
            del self._days[day]
            self._packed.pop(day, None)

    def state(self) -> tuple[int | None, dict[int, bytes]]:
        """The newest time, and by day the ids, sorted, as little-endian uint64."""
        return self.newest_ms, dict(self._packed_days())

    def _packed_days(self) -> Iterator[tuple[int, bytes]]:
        for day in sorted(self._days):
            if day not in self._packed:  # only the newest days change, and packing is what takes time
                self._packed[day] = np.sort(np.fromiter(self._days[day], "<u8", len(self._days[day]))).tobytes()
            yield day, self._packed[day]

    @staticmethod
    def from_state(newest_ms: int | None, days: Mapping[int, bytes]) -> CountedOnce:
        """Inverse of `state`."""
        found = CountedOnce()
        found.newest_ms = newest_ms
        found._days = {day: set(np.frombuffer(ids, "<u8").tolist()) for day, ids in days.items()}
        found._packed = dict(days)
        return found
