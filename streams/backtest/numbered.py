"""Customers as numbers: each id once, in the order of first appearance, and in which partition it lives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.runtime.partitioner import partition_of


class NumberedCustomers:
    """Ids by number, and numbers by id."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def numbers(self, ids: Sequence[str]) -> NDArray[np.uint32]:
        """The number of each id; a new one gets the next.

        >>> NumberedCustomers().numbers(["anna", "bela", "anna"])
        array([0, 1, 0], dtype=uint32)
        """
        known = self._numbers
        return np.fromiter((known.setdefault(one, len(known)) for one in ids), np.uint32, len(ids))

    def ids(self) -> NDArray[np.object_]:
        """Every id, by number."""
        found = np.empty(len(self._numbers), object)
        found[:] = list(self._numbers)
        return found

    def partitions(self, partitions: int) -> NDArray[np.uint16]:
        """The partition of every customer, by number, as Kafka's producers choose it.

        partitions   of the topics, 1 to 65,535
        """
        if partitions == 1:
            return np.zeros(len(self), np.uint16)
        return np.fromiter((partition_of(one, partitions) for one in self._numbers), np.uint16, len(self))
