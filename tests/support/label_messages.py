"""Messages of `churn.labels` for tests: labels and scores by their times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.labels import Labels
from detectors.model_inputs import INPUTS
from streams.columns import DAY_MS
from streams.labels import LabelMessage, ScoredRows, entries
from streams.scores import SCORE


def labels(ids: Sequence[int], known_ms: Sequence[int]) -> Labels:
    """Labels whose inputs are all 1; of every second id the customer left."""
    id_, known = np.array(ids, np.uint64), np.array(known_ms, np.int64)
    return Labels(id_, known - DAY_MS, known, (id_ % 2).astype(np.uint8), np.ones((len(id_), len(INPUTS)), np.float32))


def message(
    partition: int,
    reached_ms: int,
    known: Sequence[tuple[int, int]] = (),
    scored: Sequence[tuple[int, int]] = (),
    *,
    history: bool = True,
    **more: Any,
) -> LabelMessage:
    """known: (id, known_ms) of labels; scored: (id, at_ms) of snapshots, each with a risk of .5 and log odds in bin 7."""
    rows: NDArray[Any] = np.array([(one, at_ms // DAY_MS, 5_000, 7) for one, at_ms in scored], SCORE)
    ids, times = [one for one, _ in known], [known_ms for _, known_ms in known]
    return LabelMessage(
        partition=partition,
        number=0,
        history=history,
        reached_ms=reached_ms,
        labels=entries(labels(ids, times)),
        scored=ScoredRows(model="m", rows=rows.tobytes()) if len(rows) else None,
        **more,
    )
