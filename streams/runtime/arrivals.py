"""What is on its way from Kafka to the tasks: under which claim it was fetched, how much of it, and how far fetching came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from faust.types import TP

from streams.runtime.intake import Chunk


class Arrivals:
    """Chunks between Faust's fetch and `PartitionTask.receive`.

    Each claim of a partition has a new lease number: chunks fetched under an older one must not be folded.
    """

    def __init__(self) -> None:
        self._leases: Counter[int] = Counter()
        self._chunks: Counter[tuple[TP, int]] = Counter()
        self._bytes: Counter[tuple[TP, int]] = Counter()
        self._positions: dict[TP, int] = {}

    def lease(self, partition: int) -> int:
        """Number of the present claim."""
        return self._leases[partition]

    def begin(self, partition: int) -> int:
        """A new claim: what is on its way does not count any more, and where fetching stood is unknown. Returns its lease."""
        self._leases[partition] += 1
        for key in [key for key in self._chunks if key[0].partition == partition]:
            del self._chunks[key], self._bytes[key]
        self.forget_positions(partition)
        return self._leases[partition]

    def forget_positions(self, partition: int) -> None:
        """Where the consumer stood before a seek says nothing now; a task must not see it."""
        self._positions = {tp: at for tp, at in self._positions.items() if tp.partition != partition}

    def fetched(self, tp: TP, nbytes: int) -> None:
        """A chunk of so many bytes is on its way."""
        key = TP(tp.topic, tp.partition), self._leases[tp.partition]
        self._chunks[key] += 1
        self._bytes[key] += nbytes

    def arrived(self, chunk: Chunk) -> None:
        """It has come to its end."""
        key = TP(chunk.tp.topic, chunk.tp.partition), chunk.lease
        self._chunks[key] -= 1
        self._bytes[key] -= chunk.nbytes

    def reached(self, positions: Mapping[TP, int]) -> None:
        """A fetch has ended at these positions; what it brought is counted by `fetched` before anything else happens."""
        self._positions = dict(positions)

    def position(self, tp: TP) -> int | None:
        """The consumer's position at the end of a fetch, None while chunks are on their way to the task."""
        return None if self._chunks[tp, self._leases[tp.partition]] else self._positions.get(tp)

    def none_of(self, tp: TP) -> bool:
        """Whether no chunk of it is on its way."""
        return not self._chunks[tp, self._leases[tp.partition]]

    def above(self, nbytes: int) -> Iterable[TP]:
        """Of which more than so many bytes are on their way."""
        return [tp for (tp, lease), coming in self._bytes.items() if coming > nbytes and lease == self._leases[tp.partition]]
