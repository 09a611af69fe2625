"""What is learnt from: a customer as it was at a time, and what it then did."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.model_inputs import INPUTS

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Labels:
    """n outcomes, column by column.

    id         uint64    of the customer and the snapshot's day (see streams/outcomes.py): a label counts once by it
    at_ms      int64     when the snapshot was taken, ms since 1970 UTC
    known_ms   int64     when its outcome was known: the horizon and the allowed lateness later, or at an explicit cancellation
    left       uint8     1: the customer did not stay
    inputs     float32   (n, len(INPUTS)), as they were at `at_ms`
    """

    id: NDArray[np.uint64]
    at_ms: NDArray[np.int64]
    known_ms: NDArray[np.int64]
    left: NDArray[np.uint8]
    inputs: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.id)

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Labels:
        """The labels at `index`, in that order."""
        return Labels(*(getattr(self, field.name)[index] for field in fields(self)))

    def in_order(self) -> Labels:
        """Sorted by the time at which they were known, then by id: the same whatever order they came in."""
        return self.take(np.lexsort((self.id, self.known_ms)))

    @staticmethod
    def none() -> Labels:
        """No label."""
        return Labels(
            np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8),
            np.empty((0, len(INPUTS)), np.float32),
        )  # fmt: skip

    @staticmethod
    def concat(parts: list[Labels]) -> Labels:
        """All labels of `parts`, one after another."""
        parts = [part for part in parts if len(part)]
        if not parts:
            return Labels.none()
        return Labels(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Labels)))
