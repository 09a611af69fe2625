"""What is made of customers' records whenever they are evaluated: the risk by the model in use, in whole basis points as
decisions take it, and the bins of the last year's purchases and money.

All of it is each row's own. Rows are worked on in blocks: with all that is made of them a block stays in the processor's cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.btyd import p_no_purchase, to_basis_points
from detectors.served import ServedModel
from streams import windows
from streams.customer import Records, gather
from streams.features import closed_form_inputs
from streams.model_inputs import input_columns
from streams.quintiles import frequency_bin, monetary_bin

BLOCK = 2048

Ints = NDArray[np.int64]


class Assessment(NamedTuple):
    """One value a row.

    risk_bp                       1e-4; 0 where there is no purchase yet
    frequency_bin, monetary_bin   of 365 days; 0 where there is no purchase yet
    """

    risk_bp: NDArray[np.uint16]
    frequency_bin: NDArray[np.uint8]
    monetary_bin: NDArray[np.uint8]

    @staticmethod
    def nothing(n: int) -> Assessment:
        """Of n rows, to be filled in."""
        return Assessment(np.zeros(n, np.uint16), np.zeros(n, np.uint8), np.zeros(n, np.uint8))

    def of(self, rows: NDArray[np.intp]) -> Assessment:
        """These rows alone."""
        return Assessment(self.risk_bp[rows], self.frequency_bin[rows], self.monetary_bin[rows])

    def put(self, rows: NDArray[np.intp] | slice, values: Assessment) -> None:
        """Set these rows, in place."""
        self.risk_bp[rows] = values.risk_bp
        self.frequency_bin[rows] = values.frequency_bin
        self.monetary_bin[rows] = values.monetary_bin


def assess(model: ServedModel, records: Records, as_of_ms: Ints, at: NDArray[np.intp]) -> Assessment:
    """The rows `at` of `records`, as of `as_of_ms` of these."""
    found = Assessment.nothing(len(at))
    for start in range(0, len(at), BLOCK):
        some = at[start : start + BLOCK]
        rows, when_ms = gather(records, some), as_of_ms[some]
        bought = rows["purchases"] > 0
        bins = (
            frequency_bin(windows.window_sum(rows, "purchases_365d", 365, when_ms // 1000)) * bought,
            monetary_bin(windows.window_sum(rows, "spent_365d", 365, when_ms // 1000)) * bought,
        )
        found.put(slice(start, start + len(some)), Assessment(risk_bp(model, rows, when_ms), *bins))
    return found


def risk_bp(model: ServedModel, rows: Records, as_of_ms: Ints) -> NDArray[np.uint16]:
    """Risk of each row at `as_of_ms`, 1e-4; 0 where there is no purchase yet."""
    bought = rows["purchases"] > 0
    if model.serving is None:  # the closed form needs three of the inputs only
        risk = p_no_purchase(model.closed_form, *closed_form_inputs(rows, as_of_ms), model.horizon_days)
    else:
        risk = model.risk(input_columns(rows, as_of_ms).T)
    return to_basis_points(risk) * bought
