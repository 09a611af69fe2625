"""The evaluations of one step, and what they do to the partition's quintiles.

Each evaluation belongs to a watermark (its place): an event to the watermark after its row, a look to the time it was
due, or to its customer's next row when that came first (and while the silent are held, to no earlier watermark than the
look meets). Places do not depend on where batches were cut, and grow along each customer, so the sketch is brought
forward a UTC day at a time whatever the batches were.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.columns import DAY_MS
from streams.customer import Records
from streams.quintiles import Quintiles

FORGOTTEN = 255
"""In place of a reason: nothing was decided, the customer is forgotten."""

_COLUMNS = {
    "slot": np.intp,
    "place_ms": np.int64,
    "old_day": np.int64,
    "old_frequency": np.uint8,
    "old_monetary": np.uint8,
    "day": np.int64,
    "frequency": np.uint8,
    "monetary": np.uint8,
    "reason": np.uint8,
    "risk_bp": np.uint16,
}


@dataclass(slots=True)
class Evaluations:
    """Evaluations in the order in which they were made, as parts of columns.

    slot                working row
    place_ms            watermark at which it belongs, ms
    old_*, day, frequency, monetary   last purchase day and bins before and after; a frequency bin of 0 = not in the base
    reason, risk_bp     decision and risk
    """

    total: int = 0
    parts: list[tuple[NDArray[Any], ...]] = field(default_factory=list)

    def append(self, *columns: NDArray[Any]) -> None:
        """Add a part, columns in the order of the fields."""
        self.parts.append(columns)
        self.total += len(columns[0])

    def column(self, name: str) -> NDArray[Any]:
        """One field over all evaluations."""
        index = list(_COLUMNS).index(name)
        if not self.parts:
            return np.empty(0, _COLUMNS[name])
        return np.concatenate([part[index] for part in self.parts])


def settle(evaluations: Evaluations, quintiles: Quintiles, work: Records) -> NDArray[np.uint8]:
    """Bring the sketch forward by all evaluations.

    Returns the packed R, F, M scores of each, and writes the last ones of each customer to `work`.
    """
    scores = np.zeros(evaluations.total, np.uint8)
    if not evaluations.total:
        return scores
    names = ("old_day", "old_frequency", "old_monetary", "day", "frequency", "monetary")
    old_day, old_f, old_m, day, f, m = (evaluations.column(name) for name in names)
    changed = (old_day != day) | (old_f != f) | (old_m != m)
    place_day = np.maximum(evaluations.column("place_ms") // DAY_MS, quintiles.day)
    order = np.argsort(place_day, kind="stable")
    cuts = np.flatnonzero(np.diff(place_day[order])) + 1
    for group in np.split(order, cuts):
        quintiles.enter_day(int(place_day[group[0]]))
        scores[group] = quintiles.score(day[group], f[group], m[group])
        moved = group[changed[group]]
        if len(moved):
            quintiles.count(old_day[moved], old_f[moved], old_m[moved], -1)
            quintiles.count(day[moved], f[moved], m[moved], +1)
    work["rfm"][evaluations.column("slot")] = scores  # of several evaluations of one row the last stays
    return scores
