"""The ids of a history's events on disk, for alerts that name the event which moved them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class EventIds:
    """Ids by the place of their event in the files (`order` of `event_rows`).

    folder   one that has no files of these names: `event.ids` has the texts, one after another, `event.ends` where each ends
    """

    def __init__(self, folder: Path) -> None:
        self._texts, self._ends = (folder / f"event.{name}" for name in ("ids", "ends"))
        self._count = self._end = 0
        for path in (self._texts, self._ends):
            path.touch()

    def add(self, order: NDArray[np.int64], ids: Sequence[str]) -> None:
        """Take in ids of events, ascending by their places and behind all that came before. Places between have no id.

        Raises OSError where the disk does not take them.
        """
        texts = [one.encode() for one in ids]
        lengths = np.zeros(int(order[-1]) + 1 - self._count, np.int64)
        lengths[order - self._count] = [len(text) for text in texts]
        ends = self._end + np.cumsum(lengths)
        with self._texts.open("ab") as file:
            file.write(b"".join(texts))
        with self._ends.open("ab") as file:
            file.write(ends.astype("<i8").tobytes())
        self._count, self._end = int(order[-1]) + 1, int(ends[-1])

    def of(self, order: NDArray[np.int64]) -> list[str]:
        """The ids of the events at these places."""
        if not len(order):
            return []
        ends = np.memmap(self._ends, "<i8", "r")
        texts = np.memmap(self._texts, np.uint8, "r")
        starts = np.where(order > 0, ends[order - 1], 0).tolist()
        return [texts[start:end].tobytes().decode() for start, end in zip(starts, ends[order].tolist(), strict=True)]
