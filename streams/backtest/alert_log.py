"""Every message about a customer as a row of numbers, 22 bytes each, in place of its words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.policy import RESOLUTIONS, ReasonCode
from streams.transitions import Transitions

MESSAGE = np.dtype(
    [
        ("time_ms", "<i8"),  # event time of the evaluation
        ("customer", "<u4"),  # number
        ("number", "<u2"),  # of the message within its episode
        ("risk_bp", "<u2"),  # 1e-4
        ("reason", "u1"),  # a ReasonCode that sends
        ("tier", "u1"),
        ("previous_tier", "u1"),
    ]
)
Messages = NDArray[np.void]
"""Rows of dtype MESSAGE."""

NEVER_MS = np.iinfo(np.int64).max
"""End of an alert that never ended."""


@dataclass(frozen=True, slots=True)
class Episodes:
    """Alerts from firing to resolution, one entry each, by customer and then by time.

    customer    number of the customer
    from_ms     when it fired
    until_ms    when it was resolved; NEVER_MS where it never was
    """

    customer: NDArray[np.int64]
    from_ms: NDArray[np.int64]
    until_ms: NDArray[np.int64]


class AlertLog:
    """Messages of a run, in the order in which they were added."""

    def __init__(self) -> None:
        self._parts: list[Messages] = []

    def add(self, sent: Transitions, customer: NDArray[np.uint32]) -> None:
        """Take in a step's messages; `customer` has each one's number."""
        rows = np.empty(len(sent), MESSAGE)
        rows["time_ms"], rows["customer"] = sent.as_of_ms, customer
        for name in ("number", "risk_bp", "reason", "tier", "previous_tier"):
            rows[name] = getattr(sent, name)
        self._parts.append(rows)

    def messages(self) -> Messages:
        """All of them."""
        return np.concatenate([np.empty(0, MESSAGE), *self._parts])

    def episodes(self) -> Episodes:
        """All alerts. One lasts until its customer's next resolution, or firing: who was forgotten meanwhile began anew."""
        rows = self.messages()
        rows = rows[_FIRES[rows["reason"]] | _RESOLVES[rows["reason"]]]
        rows = rows[np.argsort(rows["customer"], kind="stable")]
        until_ms = np.full(len(rows), NEVER_MS)
        follows = np.flatnonzero(rows["customer"][1:] == rows["customer"][:-1])
        until_ms[follows] = rows["time_ms"][follows + 1]
        fired = np.flatnonzero(_FIRES[rows["reason"]])
        return Episodes(rows["customer"][fired].astype(np.int64), rows["time_ms"][fired], until_ms[fired])


_FIRES, _RESOLVES = (np.array([code in codes for code in ReasonCode]) for codes in ({ReasonCode.FIRED}, RESOLUTIONS))
