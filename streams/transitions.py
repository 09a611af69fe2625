"""Every message of a step as columns: who, when, what was decided. For those who count alerts and do not read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.explain import Moved, together


@dataclass(frozen=True, slots=True)
class Transitions:
    """One entry a message, each customer's in the order of their numbers.

    customers      whom it is about
    as_of_ms       event time of the evaluation, ms since 1970 UTC
    reason         what was decided: a ReasonCode that sends
    tier, previous_tier   from now on, and until now, 0-3
    number         of the message within its episode, from 1
    risk_bp        P(no purchase in the horizon), 1e-4
    """

    customers: list[str]
    as_of_ms: NDArray[np.int64]
    reason: NDArray[np.uint8]
    tier: NDArray[np.uint8]
    previous_tier: NDArray[np.uint8]
    number: NDArray[np.uint16]
    risk_bp: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.customers)


def in_columns(moved: Moved, ids: Sequence[str]) -> Transitions:
    """The messages of `moved`, whose slots are places in `ids`."""
    policy = moved.rows["policy"]
    return Transitions(
        customers=[ids[slot] for slot in moved.slot.tolist()],
        as_of_ms=moved.as_of_ms,
        reason=moved.reason,
        tier=policy["tier"].copy(),
        previous_tier=moved.previous_tier,
        number=policy["transition"].copy(),
        risk_bp=moved.rows["risk_bp"].copy(),
    )


NO_TRANSITIONS = in_columns(together([]), [])
