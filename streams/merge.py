"""One partition's topics merged by time, as Kafka Streams does it: the smallest head goes first.

Heads are compared by (time, topic rank); within a topic the order of offsets is never changed, not for late rows either.
A topic of which more is coming bounds what may be taken: nothing is taken that its next row might have to precede.

**Why a sort gives the smallest-head-first order.** Give each buffered row the key (m, rank, position), m being the largest
time from its topic's head up to and including the row. Claim: popping smallest heads yields the rows sorted by that key.
(1) Let h be a head with time t = m(h), popped because (t, rank) is smallest. Every other head h' then has
(t', rank') > (t, rank), and m never falls along a topic, so no row of another topic has a smaller key; rows of its own
topic have equal or larger m and a later position. So h is the smallest key. (2) If the next row n of that topic is late
(time < t), its m is still t, its key is now the smallest by (1)'s argument, and as a head its time < t precedes every
other head too: both orders take n next. If it is not late, its m is its own time and nothing changed for the others, so
(1) applies again. By induction the orders are one. Keys restart at the head after every take: a taken row's time t is at
most (t, rank) of every head that remained, so leaving it out changes a late head's key only to something that is smallest
anyway.

**Ticks.** A row that stands where a tick says that all up to it has gone before comes after that tick, however early it is
dated: its key is at least the tick's time + 1 ms. So what is sent to a topic behind a history, and dated within it, comes
after it, whenever it was fetched. (Of a tick that tells the truth there is no such row, and nothing of the above changes.)
That holds for topics that the tick names, so name all of them, also those without a history.

**What may be taken.** Smallest-head-first has to stop once a topic that is not caught up has run empty, i.e. just after
its last row; in key order that is every row with (m, rank) <= (that topic's last m, its rank).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

import numpy as np
from numpy.typing import NDArray

from streams.columns import TOPIC_RANKS, Columns
from streams.merge_buffer import TopicBuffer

CLOCK_RANK = TOPIC_RANKS["clock"]
_NO_BOUND = (np.iinfo(np.int64).max, np.iinfo(np.int64).max)


class PartitionMerge:
    """Rows of one partition's topics, waiting to be taken in order.

    ranks     topics to merge (see TOPIC_RANKS); the clock is added in history mode and refused otherwise, since live
              heartbeats are no rows
    done      per rank the last offset already folded (from the store); absent means none
    history   True: ticks are rows, nothing beyond the last tick pushed is taken, and a topic is caught up when its position
              has reached every offset that the ticks pushed so far name for it (what no tick has named goes by its end, as
              in wall mode). Provided that all up to a tick stands where it says, the rows that all takes together give depend
              neither on `max_rows` nor on how pushes and takes alternate.
              False: a topic is caught up when its position has reached the end that the broker reported.
    """

    def __init__(self, ranks: Iterable[int], done: Mapping[int, int] | None = None, *, history: bool = False) -> None:
        chosen = set(ranks) | ({CLOCK_RANK} if history else set())
        if CLOCK_RANK in chosen and not history:
            raise ValueError("ranks: the clock is merged in history mode only; leave rank 9 out")
        start = done or {}
        self._history = history
        self._buffers = {rank: TopicBuffer(start.get(rank, -1)) for rank in sorted(chosen)}
        self._announced: dict[int, int] = {}

    def push(self, rank: int, columns: Columns, last_offset: int, position: int, nbytes: int) -> None:
        """Add the rows of one fetched chunk.

        columns       its events, offsets ascending; may be empty where all records were dead letters. Rows at or below an
                      offset pushed before are dropped: they were delivered again
        last_offset   the last record's, good or dead. Dead letters must be acknowledged before the chunk is pushed, because
                      `done` steps over them
        position      the consumer's next offset after this chunk
        nbytes        what the chunk counts for in `buffered_bytes`
        Raises KeyError for a topic that is not merged. Of the clock, push ticks.tick_columns (no heartbeats) after `announce`.
        """
        self._buffers[rank].push(columns, last_offset, position, nbytes)

    def announce(self, offsets: Mapping[int, int], at_ms: int) -> None:
        """What a tick says (history mode): per rank the offset below which everything up to the tick's time stands.

        Call it before the tick's own row is pushed: a row that may be taken must find what it has to wait for. Offsets of
        topics that are not merged are passed over; a smaller offset or time than was announced before changes nothing.
        """
        for rank, offset in offsets.items():
            self._announced[rank] = max(offset, self._announced.get(rank, 0))
            if rank in self._buffers:
                self._buffers[rank].not_before(at_ms + 1, offset)

    def set_end(self, rank: int, end_offset: int | None) -> None:
        """What the broker says is there: the offset that its next record will get. None: not known, so wait."""
        self._buffers[rank].end = end_offset

    def set_position(self, rank: int, position: int) -> None:
        """The consumer has come this far without a record (a transaction's marker, a compacted gap).

        Call it only when every record fetched before that position has been pushed.
        """
        self._buffers[rank].reach(position)

    def caught_up(self, rank: int) -> bool:
        """Whether all that matters now has been pushed. The clock never is: a later tick may always come."""
        buffer = self._buffers[rank]
        if self._history and rank == CLOCK_RANK:
            return False
        needed = self._announced.get(rank, buffer.end) if self._history else buffer.end
        return needed is not None and buffer.position >= needed

    def take(self, max_rows: int, *, to_tick: bool = False) -> Columns | None:
        """The next rows in order, at most `max_rows` (> 0); None where nothing may be taken yet.

        to_tick   none behind the next tick
        """
        if max_rows < 1:
            raise ValueError(f"max_rows: {max_rows} takes nothing; give 1 or more")
        bound = self._bound()
        if bound is None:
            return None
        ranks, keys = self._candidates(bound, max_rows)
        if not ranks:
            return None
        topic = np.repeat(np.arange(len(ranks)), [len(k) for k in keys])
        # Topics stand in rank order and keys ascend within each, so a stable sort by key also settles ties.
        order = np.argsort(np.concatenate(keys), kind="stable")[:max_rows]
        if to_tick:
            order = order[: _rows_to_tick(topic[order], ranks)]
        counts = np.bincount(topic[order], minlength=len(ranks))
        parts = [self._buffers[rank].pop(int(count)) for rank, count in zip(ranks, counts, strict=True)]
        return Columns.concat(parts).take(_among_taken(topic[order], counts))

    def _bound(self) -> tuple[int, int] | None:
        """The largest (key, rank) that may be taken; None while a topic is waited for."""
        bound = _NO_BOUND
        for rank, buffer in self._buffers.items():
            if not self.caught_up(rank):
                if not len(buffer):
                    return None
                bound = min(bound, (buffer.last_key(), rank))
        return bound

    def _candidates(self, bound: tuple[int, int], max_rows: int) -> tuple[list[int], list[NDArray[np.int64]]]:
        """Per topic the keys of its first rows within the bound; no topic can give more than `max_rows` of them."""
        ranks, found = [], []
        for rank, buffer in self._buffers.items():
            keys = buffer.keys(max_rows)
            within = keys[: np.searchsorted(keys, bound[0], side="right" if rank <= bound[1] else "left")]
            if len(within):
                ranks.append(rank)
                found.append(within)
        return ranks, found

    @property
    def done(self) -> dict[int, int]:
        """Per rank the last offset behind which nothing is still buffered: what a commit may record.

        Everything up to it was taken, was a dead letter, or does not exist. -1 where nothing is known yet.
        """
        return {rank: buffer.done for rank, buffer in self._buffers.items()}

    def coming(self, without: Set[int] = frozenset()) -> int:
        """Records that the broker has beyond those pushed, of all topics but some; what is not known counts for none."""
        fetched = [buffer for rank, buffer in self._buffers.items() if rank not in without]
        return sum(max(0, buffer.end - buffer.position) for buffer in fetched if buffer.end is not None)

    @property
    def ready_rows(self) -> int:
        """Rows that may be taken now, to within one chunk of each topic."""
        bound = self._bound()
        return 0 if bound is None else sum(len(buffer) - buffer.beyond(bound[0]) for buffer in self._buffers.values())

    @property
    def buffered_rows(self) -> int:
        """Rows waiting, all topics together."""
        return sum(len(buffer) for buffer in self._buffers.values())

    @property
    def buffered_bytes(self) -> int:
        """What the waiting rows count for: their chunks' `nbytes`, in proportion where a part was taken."""
        return sum(buffer.nbytes for buffer in self._buffers.values())

    def held_back(self, limit_bytes: int) -> set[int]:
        """Topics that should not be fetched for now: those that run ahead, and those that hold more than the others leave them.

        A topic runs ahead with more than an eighth of `limit_bytes` in rows that must wait for another. Of the limit each
        leaves the others what it does not hold itself, but keeps an eighth. A topic without rows is never held back, since it
        may be the one that is waited for; so what is held back can always be taken sooner or later. Memory stays below
        the limit plus what one fetch per topic brings.
        """
        share, bound = limit_bytes / 8, self._bound()
        claims = {rank: max(buffer.nbytes, share) for rank, buffer in self._buffers.items()}
        spare = limit_bytes - sum(claims.values())
        held = set()
        for rank, buffer in self._buffers.items():
            if len(buffer):
                waiting = len(buffer) if bound is None else buffer.beyond(bound[0])
                if buffer.nbytes > spare + claims[rank] or buffer.nbytes * waiting / len(buffer) > share:
                    held.add(rank)
        return held


def _rows_to_tick(topic: NDArray[np.intp], ranks: list[int]) -> int:
    """How many rows there are to the first of the clock, with it; else all. `topic`: each one's place in `ranks`."""
    ticks = np.flatnonzero(topic == ranks.index(CLOCK_RANK)) if CLOCK_RANK in ranks else topic[:0]
    return int(ticks[0]) + 1 if len(ticks) else len(topic)


def _among_taken(topic: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Index into the taken rows, topic after topic, for each place of the merged order; `topic` names each place's topic."""
    starts = np.cumsum(counts) - counts
    index = np.empty(len(topic), np.intp)
    for number, start in enumerate(starts):
        places = np.flatnonzero(topic == number)
        index[places] = start + np.arange(len(places))
    return index
