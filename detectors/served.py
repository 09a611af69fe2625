"""The model that scores: the closed form, or the linear model on top of it.

    risk = P(no purchase in the next H)        by the closed form, where no linear model serves
         = 1 / (1 + exp(-(logit + shift)))     by the linear model

Rows are worked on in blocks that fit the processor's cache; a row's result does not depend on the block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.btyd import p_no_purchase
from detectors.column import Column
from detectors.design import CLOSED_FORM, GROUPS, columns, design
from detectors.linear_model import LinearModel
from detectors.parameters import BtydParameters
from detectors.reasons import contributions as closed_form_contributions

LEARNT: Final = "logit"
"""Name of a linear model, as alerts carry it."""
BLOCK = 2048
Inputs = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ServedModel:
    """closed_form    parameters as they now are
    horizon_days   H, days, > 0
    linear         the linear model; None: there is none yet
    serves         whether it is the linear model that scores; else the closed form does, and the linear one is tried on snapshots
    """

    closed_form: BtydParameters
    horizon_days: float
    linear: LinearModel | None = None
    serves: bool = True

    @property
    def serving(self) -> LinearModel | None:
        """The linear model where it scores."""
        return self.linear if self.serves else None

    @property
    def name(self) -> str:
        """Which kind of model scores: the closed form's, such as "mbg_nbd", or LEARNT."""
        return self.closed_form.model if self.serving is None else LEARNT

    @property
    def version(self) -> str:
        """Version of the model that scores."""
        return self.closed_form.version if self.serving is None else self.serving.version

    def risk(self, inputs: Inputs) -> Column:
        """P(no purchase in the next H), one value a row of `inputs`, in [0, 1]; what was learnt by logins says P(no login)."""
        if self.serving is None:
            return self._closed_form(inputs)
        return _sigmoid(self._linear(inputs, self.serving) + self.serving.shift)

    def logits(self, inputs: Inputs) -> tuple[Column, Column | None]:
        """(risk by the closed form, unshifted log odds by the linear model or None where there is none)."""
        return self._closed_form(inputs), None if self.linear is None else self._linear(inputs, self.linear)

    def contributions(self, inputs: Inputs) -> dict[str, Column]:
        """Log odds of the risk in parts that add up to it, to float64 rounding: by group of `design.GROUPS`.

        The closed form's own part is told as base, silence and rhythm.
        """
        x, t_x, T = _history(inputs)
        base, silence, rhythm = closed_form_contributions(self.closed_form, x, t_x, T, self.horizon_days)
        if self.serving is None:
            return {"base": base, "silence": silence, "rhythm": rhythm}
        parts = _by_group(design(inputs, self.closed_form, self.horizon_days) * self.serving.weights)
        weight = self.serving.weights[CLOSED_FORM]
        parts["base"] += weight * base + self.serving.shift
        parts["silence"] += weight * silence
        parts["rhythm"] += weight * rhythm
        return parts

    def _closed_form(self, inputs: Inputs) -> Column:
        return p_no_purchase(self.closed_form, *_history(inputs), self.horizon_days)

    def _linear(self, inputs: Inputs, linear: LinearModel) -> Column:
        parts = [linear.logit(columns(block, self.closed_form, self.horizon_days)) for block in _blocks(inputs)]
        return np.concatenate(parts) if parts else np.empty(0)


def _by_group(weighed: NDArray[np.float64]) -> dict[str, Column]:
    """Sum of the weighed columns of each group, one value a row; the closed form's own column is left out."""
    told = np.array(GROUPS)
    told[CLOSED_FORM] = ""
    return {group: np.ascontiguousarray(weighed[:, told == group]).sum(axis=1) for group in dict.fromkeys(GROUPS)}


def _history(inputs: Inputs) -> tuple[Column, Column, Column]:
    x, t_x, T = np.ascontiguousarray(inputs[:, :3].T, dtype=np.float64)
    return x, t_x, T


def _blocks(inputs: Inputs) -> Iterator[Inputs]:
    for start in range(0, len(inputs), BLOCK):
        yield inputs[start : start + BLOCK]


def _sigmoid(logit: Column) -> Column:
    """1 / (1 + exp(-logit)), without overflow."""
    small = np.exp(-np.abs(logit))
    return np.where(logit >= 0.0, 1.0, small) / (1.0 + small)
