"""What complaints speak of, as marks: the one place where their words are read. The words are not kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detectors.cause_model import CauseModel
from streams.record_marks import cause_marks


class Worded(Protocol):
    """What of a complaint is read; None or "" where there is none."""

    @property
    def text(self) -> str | None: ...
    @property
    def category(self) -> str | None: ...


def complaint_causes(events: Sequence[Worded], model: CauseModel | None) -> NDArray[np.uint8]:
    """The mark of each complaint (see record_marks); 0 for one without words, and for all where there is no model."""
    marks = np.zeros(len(events), np.uint8)
    worded = [k for k, event in enumerate(events) if event.text or event.category]
    if model is not None and worded:
        marks[worded] = cause_marks(*model.classify([(events[k].text or "", events[k].category or "") for k in worded]))
    return marks
