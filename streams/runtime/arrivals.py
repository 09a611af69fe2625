"""What is on its way from Kafka to the tasks: under which claim it was fetched, how much of it, and how far fetching came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from faust.types import TP

from streams.runtime.intake import Chunk


class LostChunk(Exception):
    """Fetched records did not come to their task, and later ones did: to go on would pass them over."""


class ChunkNumbers:
    """Of each topic-partition the chunks under its present claim, numbered as they were fetched: all are to arrive, in order."""

    def __init__(self) -> None:
        self._fetched: Counter[TP] = Counter()
        self._arrived: Counter[TP] = Counter()

    def begin(self, tp: TP) -> None:
        """A new claim: its first chunk is number 1."""
        self._fetched.pop(tp, None)
        self._arrived.pop(tp, None)

    def next(self, tp: TP) -> int:
        """Of the chunk that was just fetched."""
        self._fetched[tp] += 1
        return self._fetched[tp]

    def arrived(self, chunk: Chunk) -> None:
        """One of the present claim has come to its task. Raises LostChunk if it is not the next."""
        tp = chunk.tp
        self._arrived[tp] += 1
        if chunk.number != self._arrived[tp]:
            raise LostChunk(
                f"partition {tp.partition} of {tp.topic}: chunk {chunk.number} of this claim came where {self._arrived[tp]} was "
                "to; nothing is passed over: what is missing is read again after a restart"
            )

    def under_way(self, tp: TP) -> int:
        """How many have been fetched and have not arrived."""
        return self._fetched[tp] - self._arrived[tp]


class Arrivals:
    """Chunks between Faust's fetch and `PartitionTask.receive`.

    Each claim of a partition has a new lease number: chunks fetched under an older one must not be folded.
    """

    def __init__(self) -> None:
        self._leases: Counter[int] = Counter()
        self._numbers = ChunkNumbers()
        self._bytes: Counter[TP] = Counter()
        self._positions: dict[TP, int] = {}

    def lease(self, partition: int) -> int:
        """Number of the present claim."""
        return self._leases[partition]

    def begin(self, partition: int) -> int:
        """A new claim: what is on its way does not count any more, and where fetching stood is unknown. Returns its lease."""
        self._leases[partition] += 1
        for tp in [tp for tp in self._bytes if tp.partition == partition]:
            self._numbers.begin(tp)
            del self._bytes[tp]
        self.forget_positions(partition)
        return self._leases[partition]

    def forget_positions(self, partition: int) -> None:
        """Where the consumer stood before a seek says nothing now; a task must not see it."""
        self._positions = {tp: at for tp, at in self._positions.items() if tp.partition != partition}

    def fetched(self, tp: TP, nbytes: int) -> int:
        """A chunk of so many bytes is on its way; returns its number."""
        self._bytes[tp] += nbytes
        return self._numbers.next(tp)

    def arrived(self, chunk: Chunk) -> None:
        """It has come to its end. Raises LostChunk where another of its claim was to come before."""
        if chunk.lease == self._leases[chunk.tp.partition]:
            self._bytes[chunk.tp] -= chunk.nbytes
            self._numbers.arrived(chunk)

    def reached(self, positions: Mapping[TP, int]) -> None:
        """A fetch has ended at these positions; what it brought was counted by `fetched` before."""
        self._positions = dict(positions)

    def position(self, tp: TP) -> int | None:
        """The consumer's position at the end of a fetch, None while chunks are on their way to the task."""
        return None if self._numbers.under_way(tp) else self._positions.get(tp)

    def none_of(self, tp: TP) -> bool:
        """Whether no chunk of it is on its way."""
        return not self._numbers.under_way(tp)

    def above(self, nbytes: int) -> Iterable[TP]:
        """Of which more than so many bytes are on their way."""
        return [tp for tp, coming in self._bytes.items() if coming > nbytes]
