"""The risk of customers by the model in use, as decisions take it: in whole basis points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.btyd import p_no_purchase, to_basis_points
from detectors.served import ServedModel
from streams.customer import Records
from streams.features import closed_form_inputs
from streams.model_inputs import input_columns


BLOCK = 1024
"""Rows worked on at a time: with all that is made of them they stay in the processor's cache."""


def risk_bp(model: ServedModel, rows: Records, as_of_ms: NDArray[np.int64]) -> NDArray[np.uint16]:
    """Risk of each row at `as_of_ms`, 1e-4; 0 where there is no purchase yet."""
    bought = rows["purchases"] > 0
    if model.serving is None:  # the closed form needs three of the inputs only
        risk = p_no_purchase(model.closed_form, *closed_form_inputs(rows, as_of_ms), model.horizon_days)
    else:
        blocks = [slice(start, start + BLOCK) for start in range(0, len(rows), BLOCK)]
        parts = [model.risk(input_columns(rows[block], as_of_ms[block]).T) for block in blocks]
        risk = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0), *parts])
    return to_basis_points(risk) * bought
