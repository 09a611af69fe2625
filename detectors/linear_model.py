"""A linear model as numbers: what the learner has learnt, fit to be sent, kept and rolled back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.column import Column
from detectors.design import COLUMNS


@dataclass(frozen=True, slots=True, eq=False)
class LinearModel:
    """weights      float64 (len(COLUMNS),), finite
    version      name of this model, not empty; alerts carry it
    labels       how many it has learnt from, >= 0
    first_at_ms, last_at_ms   event times of the first and the last snapshot among these, ms since 1970 UTC; 0 without labels
    shift        added to the logit when a customer is scored, finite
    Raises ValueError where these do not hold.
    """

    weights: NDArray[np.float64]
    version: str
    labels: int
    first_at_ms: int
    last_at_ms: int
    shift: float

    def __post_init__(self) -> None:
        if self.weights.shape != (len(COLUMNS),) or self.weights.dtype != np.float64:
            raise ValueError(
                f"weights are {self.weights.dtype} {self.weights.shape}: this release has {len(COLUMNS)} columns, float64"
            )
        if not np.isfinite(self.weights).all() or not np.isfinite(self.shift):
            raise ValueError("weights and shift must be finite; take an earlier model")
        if not self.version:
            raise ValueError("version = '': must not be empty")

    def logit(self, columns: NDArray[np.float64]) -> Column:
        """Unshifted log odds, one value a customer of `design.columns`, float64 (len(COLUMNS), n), C-contiguous.

        A customer's sum goes from the first column to the last, whoever else is asked for. So it is no BLAS; and since numpy
        would sum a single customer's in another order, that one comes twice.
        """
        if columns.shape[1] == 1:
            columns = np.repeat(columns, 2, axis=1)
            return self.logit(columns)[:1]
        logit: Column = np.einsum("kn,k->n", columns, self.weights)
        return logit

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LinearModel) and self._told() == other._told()

    def __hash__(self) -> int:
        return hash(self._told())

    def _told(self) -> tuple[bytes, str, int, int, int, float]:
        return self.weights.tobytes(), self.version, self.labels, self.first_at_ms, self.last_at_ms, self.shift
