"""When to look at a customer again who may have gone quiet.

The next look follows the customer's own rhythm: a share of the longer of the usual gap and the silence so far, within
bounds. So looks become rarer as silence grows (their number is logarithmic in its length), and end when silence has
lasted so long that nothing is left to be told. A first breach that waits for its confirmation, or a cool-down that ends,
asks for an earlier look. Where customers are forgotten after a time without any event, that is their last look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.columns import DAY_MS
from streams.customer import NEVER_S, Records

BLOCK = 1_024


@dataclass(frozen=True, slots=True)
class LookRules:
    """min_ms, max_ms     bounds of the time to the next look, ms
    gap_permille       share of the rhythm after which to look, 1/1000
    until_ms           silence after which looks end, ms
    default_gap_ms     rhythm of a customer with fewer than two purchase days, ms
    forget_s           time without any event after which a customer is forgotten, s; None: never
    """

    min_ms: int
    max_ms: int
    gap_permille: int
    until_ms: int
    default_gap_ms: int
    forget_s: int | None = None


def next_look_s(rows: Records, as_of_ms: NDArray[np.int64], wish_ms: NDArray[np.int64], rules: LookRules) -> NDArray[np.uint32]:
    """Event time of the next look in seconds, strictly after `as_of_ms`; NEVER_S where none is needed.

    wish_ms   an earlier look the policy asks for, ms; 0 = no wish
    """
    bought = rows["purchases"] > 0
    idle_ms = np.maximum(as_of_ms - rows["last_purchase_ms"], 0)
    gap_ms = rows["usual_gap_half_days"].astype(np.int64) * (DAY_MS // 2)
    gap_ms[gap_ms == 0] = rules.default_gap_ms
    interval_ms = np.clip(np.maximum(gap_ms, idle_ms) * rules.gap_permille // 1000, rules.min_ms, rules.max_ms)
    look_ms = as_of_ms + interval_ms
    wished = wish_ms > as_of_ms
    ended = ~bought | (idle_ms > rules.until_ms)
    due_ms = np.where(wished & (ended | (wish_ms < look_ms)), wish_ms, look_ms)
    due_s = np.maximum(-(-due_ms // 1000), as_of_ms // 1000 + 1)
    # a look after 2106 is no look: it must not wrap around to a time that has passed
    found = np.where(ended & ~wished, NEVER_S, np.minimum(due_s, NEVER_S))
    if rules.forget_s is not None:
        found = np.minimum(found, np.maximum(rows["ring_s"].astype(np.int64) + rules.forget_s, as_of_ms // 1000 + 1))
    return found.astype(np.uint32)


def is_last_look(rows: Records, due_ms: NDArray[np.int64], rules: LookRules) -> NDArray[np.bool_]:
    """Whether the looks at `rows` that are due then find customers who are to be forgotten."""
    if rules.forget_s is None:
        return np.zeros(len(rows), bool)
    last: NDArray[np.bool_] = rows["ring_s"].astype(np.int64) + rules.forget_s <= due_ms // 1000
    return last


class DueIndex:
    """The due times of a table's rows, and which rows are due, at a cost that grows with the number due.

    Rows stand in blocks; each block keeps a lower bound of its due times, so a sweep opens only blocks that may hold one.
    """

    __slots__ = ("_due_s", "_floor_s")

    def __init__(self, capacity: int = BLOCK) -> None:
        blocks = max(1, -(-capacity // BLOCK))
        self._due_s = np.full(blocks * BLOCK, NEVER_S, np.uint32)
        self._floor_s = np.full(blocks, NEVER_S, np.uint32)

    def grow(self, capacity: int) -> None:
        """Make room for `capacity` rows; new rows are never due."""
        missing = -(-capacity // BLOCK) - len(self._floor_s)
        if missing > 0:
            self._due_s = np.concatenate([self._due_s, np.full(missing * BLOCK, NEVER_S, np.uint32)])
            self._floor_s = np.concatenate([self._floor_s, np.full(missing, NEVER_S, np.uint32)])

    def put(self, rows: NDArray[np.intp], due_s: NDArray[np.uint32]) -> None:
        """Set the due times of `rows` (each at most once)."""
        self._due_s[rows] = due_s
        np.minimum.at(self._floor_s, rows // BLOCK, due_s)

    def due(self, until_s: int) -> NDArray[np.intp]:
        """Rows whose due time is at most `until_s`, ascending."""
        found = []
        for block in np.flatnonzero(self._floor_s <= until_s):
            times = self._due_s[block * BLOCK : (block + 1) * BLOCK]
            self._floor_s[block] = times.min()
            found.append(np.flatnonzero(times <= until_s) + block * BLOCK)
        return np.concatenate(found) if found else np.empty(0, np.intp)
