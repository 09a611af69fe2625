"""What Faust is told of the chunks that were handed on, so that Kafka's offsets show the lag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class Acknowledgements:
    """Of one partition: what is to be called once a chunk is committed."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, Callable[[], Any]]] = []

    def expect(self, rank: int, last_offset: int, acknowledge: Callable[[], Any]) -> None:
        """Call `acknowledge` once the topic is committed up to this offset."""
        self._waiting.append((rank, last_offset, acknowledge))

    def committed(self, done: Mapping[int, int]) -> None:
        """So far is committed. done: topic rank -> last offset; absent means none."""
        waiting = []
        for rank, offset, acknowledge in self._waiting:
            if offset <= done.get(rank, -1):
                acknowledge()
            else:
                waiting.append((rank, offset, acknowledge))
        self._waiting = waiting
