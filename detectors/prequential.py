"""Measures over labels as they come: every model says its probability before it may learn the label.

Of each of the named models, for all customers and for repeat buyers, two views are kept in bounded memory:

    rolling   the last `window` labels, exactly
    total     all labels: log loss and Brier exactly, in whole 1e-9, so that sums do not depend on how the labels were cut;
              the other measures from how many stayed and left at each 0.1 % of probability

Source: Dawid 1984; Gama, Sebastião & Rodrigues 2013 (prequential evaluation).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.measures import NANO, Measured, Tally, losses, measure, measure_tally, nano

View = Literal["rolling", "total"]
Who = Literal["all", "repeat_buyers"]

STEPS: Final = 1000
WHO: Final[tuple[Who, ...]] = ("all", "repeat_buyers")


class PrequentialState(msgspec.Struct, frozen=True):
    """What continues: the window's columns oldest first and the tallies, as raw little-endian bytes."""

    names: tuple[str, ...]
    p: bytes
    left: bytes
    repeat: bytes
    tallies: bytes
    loss_nano: list[list[int]]
    square_nano: list[list[int]]


class Prequential:
    """names    of the models, one a column of what is added
    window   how many labels the rolling view has, >= 1
    """

    def __init__(self, names: tuple[str, ...], window: int) -> None:
        if window < 1:
            raise ValueError(f"window = {window}: must be 1 or more labels")
        models = len(names)
        self.names, self.window = names, window
        self._p = np.empty((0, models))
        self._left = np.empty(0, np.uint8)
        self._repeat = np.empty(0, np.uint8)
        self._tallies = np.zeros((len(WHO), models, 2, STEPS + 1), np.int64)  # by (who, model, left, step)
        self._loss_nano = [[0] * models for _ in WHO]
        self._square_nano = [[0] * models for _ in WHO]

    @property
    def labels(self) -> int:
        """How many labels were added."""
        return int(self._tallies[0, 0].sum())

    def add(self, p: NDArray[np.float64], left: NDArray[np.uint8], repeat: NDArray[np.bool_]) -> None:
        """Add labels in the order in which they came.

        p        (n, models): what each model said, in [0, 1]
        left     0 or 1
        repeat   whether the customer had bought on more than one day
        """
        self._count(0, p, left)
        self._count(1, p[repeat], left[repeat])
        self._p = _newest(self._p, p, self.window)
        self._left = _newest(self._left, left, self.window)
        self._repeat = _newest(self._repeat, repeat.astype(np.uint8), self.window)

    def measured(self, name: str, view: View = "rolling", who: Who = "all") -> Measured:
        """The measures of one model; NaN where not defined (see `measures`)."""
        model = self.names.index(name)
        if view == "total":
            return self._total(WHO.index(who), model)
        rows = self._repeat >= (who == "repeat_buyers")
        return measure(self._p[rows, model], self._left[rows])

    def state(self) -> PrequentialState:
        """All that a continuation needs."""
        return PrequentialState(
            self.names, self._p.astype("<f8").tobytes(), self._left.tobytes(), self._repeat.tobytes(),
            self._tallies.astype("<i8").tobytes(), self._loss_nano, self._square_nano,
        )  # fmt: skip

    @staticmethod
    def from_state(state: PrequentialState, window: int) -> Prequential:
        """Continues from `state` as if nothing had been between; a shorter window drops its oldest labels at the next ones."""
        found = Prequential(state.names, window)
        found._p = np.frombuffer(state.p, "<f8").reshape(-1, len(state.names)).astype(np.float64)
        found._left, found._repeat = (np.frombuffer(data, np.uint8).copy() for data in (state.left, state.repeat))
        found._tallies = np.frombuffer(state.tallies, "<i8").reshape(found._tallies.shape).astype(np.int64)
        found._loss_nano = [list(row) for row in state.loss_nano]
        found._square_nano = [list(row) for row in state.square_nano]
        return found

    def _count(self, who: int, p: NDArray[np.float64], left: NDArray[np.uint8]) -> None:
        for model in range(len(self.names)):
            said = p[:, model]
            step = np.rint(said * STEPS).astype(np.int64)
            flat = np.bincount(step + (STEPS + 1) * left.astype(np.int64), minlength=2 * (STEPS + 1))
            self._tallies[who, model] += flat.reshape(2, STEPS + 1)
            self._loss_nano[who][model] += int(nano(losses(said, left)).sum())
            self._square_nano[who][model] += int(nano((said - left) ** 2).sum())

    def _total(self, who: int, model: int) -> Measured:
        stayed, left = self._tallies[who, model]
        measured = measure_tally(Tally(np.arange(STEPS + 1) / STEPS, stayed, left))
        if measured.n == 0:
            return measured
        scale = NANO * measured.n
        return replace(measured, log_loss=self._loss_nano[who][model] / scale, brier=self._square_nano[who][model] / scale)


def _newest(kept: NDArray[Any], added: NDArray[Any], window: int) -> NDArray[Any]:
    """The last `window` rows of both."""
    if len(added) >= window:
        return added[len(added) - window :].copy()
    newest: NDArray[Any] = np.concatenate([kept[max(0, len(kept) + len(added) - window) :], added])
    return newest
