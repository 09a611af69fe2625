"""Events as columns: parallel arrays, one entry an event, in the order in which they are to be folded.

This is the only shape in which events travel between intake, merge and engine. Text that is needed for few events
(ids) stays a Python object in an object array, so that concatenation and permutation are numpy operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.labels import DAY_MS as DAY_MS

PURCHASE = 0
COMPLAINT = 1
LOGIN = 2
REFUND = 3
CANCELLATION = 4
GO_LIVE = 8
TICK = 9

KIND_NAMES = {
    PURCHASE: "purchase",
    COMPLAINT: "complaint",
    LOGIN: "login",
    REFUND: "refund",
    CANCELLATION: "cancellation",
    GO_LIVE: "go_live",
    TICK: "tick",
}
EVENT_KINDS = 5
"""Codes of events are below this; the others are the clock's."""

TOPIC_RANKS = {"purchases": 0, "complaints": 1, "logins": 2, "cancellations": 3, "commands": 8, "clock": 9}
"""Order of topics within one instant: of two events at the same time the lower rank is folded first.

Commands have a rank because they have offsets; they are no rows and are never merged."""


@dataclass(frozen=True, slots=True)
class Columns:
    """n events, column by column. Every array has length n.

    customer      object   customer id, str of 1-128 characters; "" for a tick
    event_id      object   event id, str of 1-128 characters; "" for a tick
    kind          uint8    PURCHASE, COMPLAINT, LOGIN, REFUND, CANCELLATION or TICK; GO_LIVE in the merge only
    time_ms       int64    when it happened, ms since 1970 UTC
    amount_minor  int64    purchase or refund amount in minor units of the base currency, >= 0; else 0
    severity      uint8    1-5 for complaints, else 0
    cause         uint8    what a complaint's words speak of (see record_marks), else 0
    id_hash       uint64   xxh3 of topic rank and event id (see events.id_hash); 0 for a tick
    rank          uint8    topic rank (see TOPIC_RANKS)
    offset        int64    offset in the topic's partition
    """

    customer: NDArray[np.object_]
    event_id: NDArray[np.object_]
    kind: NDArray[np.uint8]
    time_ms: NDArray[np.int64]
    amount_minor: NDArray[np.int64]
    severity: NDArray[np.uint8]
    cause: NDArray[np.uint8]
    id_hash: NDArray[np.uint64]
    rank: NDArray[np.uint8]
    offset: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time_ms)

    def take(self, index: Any) -> Columns:
        """The events at `index` (slice, mask or integer array), in that order."""
        return Columns(*(getattr(self, f.name)[index] for f in fields(self)))

    @staticmethod
    def concat(parts: Sequence[Columns]) -> Columns:
        """All events of `parts`, one after another. An empty sequence gives no events."""
        if not parts:
            return empty_columns(0)
        if len(parts) == 1:
            return parts[0]
        return Columns(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Columns)))


def empty_columns(n: int) -> Columns:
    """n events whose columns are still to be filled: ids "", numbers 0.

    >>> len(empty_columns(3))
    3
    """
    return Columns(
        customer=np.full(n, "", dtype=object),
        event_id=np.full(n, "", dtype=object),
        kind=np.zeros(n, np.uint8),
        time_ms=np.zeros(n, np.int64),
        amount_minor=np.zeros(n, np.int64),
        severity=np.zeros(n, np.uint8),
        cause=np.zeros(n, np.uint8),
        id_hash=np.zeros(n, np.uint64),
        rank=np.zeros(n, np.uint8),
        offset=np.zeros(n, np.int64),
    )
