"""What one topic of a partition has delivered and the merge has not taken yet."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from streams.columns import Columns

SMALL_ROWS = 4096
"""Chunks below this are joined before they are read, so that a thousand small fetches cost no more than one large one."""


class TopicBuffer:
    """Rows of one topic in offset order, with the offsets they account for.

    done       last offset up to which nothing is waiting here (see PartitionMerge.done)
    position   the consumer's next offset, as far as this buffer was told
    end        the offset that the topic's next record will get; None where unknown
    nbytes     what the waiting rows count for, bytes
    """

    def __init__(self, done: int) -> None:
        self.done = done
        self.position = done + 1
        self.end: int | None = None
        self.nbytes = 0
        self._rows = 0
        self._last_offset = done
        self._chunks: deque[Columns] = deque()
        self._peaks: deque[int] = deque()  # the largest time_ms of each chunk
        self._small: list[Columns] = []  # pushed after all of _chunks, not joined yet
        self._small_peak = 0
        self._small_rows = 0
        self._floors: deque[tuple[int, int]] = deque()  # (offset, time): from there on no key is below; both ascending

    def __len__(self) -> int:
        return self._rows

    def push(self, columns: Columns, last_offset: int, position: int, nbytes: int) -> None:
        """See PartitionMerge.push."""
        n = len(columns)
        if n and columns.offset[0] <= self._last_offset:
            columns = columns.take(columns.offset > self._last_offset)
        self._last_offset = max(self._last_offset, last_offset)
        self.reach(max(position, last_offset + 1))
        if len(columns):
            self._small.append(columns)
            peak = int(columns.time_ms.max())
            self._small_peak = max(peak, self._small_peak) if self._small_rows else peak
            self._small_rows += len(columns)
            self._rows += len(columns)
            self.nbytes += nbytes * len(columns) // n
            if self._small_rows >= SMALL_ROWS:
                self._join()
        self._settle_done()

    def reach(self, position: int) -> None:
        """The consumer's position is at least this."""
        self.position = max(self.position, position)

    def not_before(self, time_ms: int, offset: int) -> None:
        """No row from this offset on has a key below `time_ms`. What was said before is not taken back."""
        if self._floors:
            last_offset, last_ms = self._floors[-1]
            offset, time_ms = max(offset, last_offset), max(time_ms, last_ms)
            if offset == last_offset:
                self._floors.pop()
        self._floors.append((offset, time_ms))

    def last_key(self) -> int:
        """The key of the last row, ms: the largest time waiting, or the floor there. Raises ValueError on an empty buffer."""
        peaks = [*self._peaks, self._small_peak] if self._small_rows else self._peaks
        last = self._small[-1] if self._small_rows else self._chunks[-1]
        return max(*peaks, self._floor(int(last.offset[-1])))

    def beyond(self, key_ms: int) -> int:
        """How many of the waiting rows surely have a larger key: those of the chunks that begin above it."""
        rows, peak = 0, -1
        for chunk, chunk_peak in zip(self._chunks, self._peaks, strict=True):
            rows += len(chunk) if peak > key_ms else 0
            peak = max(peak, chunk_peak)
        return rows + (self._small_rows if peak > key_ms else 0)

    def _floor(self, offset: int) -> int:
        return next((time_ms for at, time_ms in reversed(self._floors) if at <= offset), 0)

    def keys(self, limit: int) -> NDArray[np.int64]:
        """Of the first rows, at most `limit`, the largest time from the head up to the row, or the floor there if later."""
        if not self._rows:
            return np.empty(0, np.int64)
        self._join()
        times, offsets, missing = [], [], limit
        for chunk in self._chunks:
            times.append(chunk.time_ms[:missing])
            offsets.append(chunk.offset[:missing])
            missing -= len(times[-1])
            if not missing:
                break
        keys = np.maximum.accumulate(np.concatenate(times))
        return self._raised(keys, np.concatenate(offsets)) if self._floors else keys

    def _raised(self, keys: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """The keys, none below the floor at its offset."""
        while len(self._floors) > 1 and self._floors[1][0] <= offsets[0]:
            self._floors.popleft()
        starts, floors_ms = np.array(self._floors, np.int64).T
        return np.maximum(keys, np.concatenate(([0], floors_ms))[np.searchsorted(starts, offsets, side="right")])

    def pop(self, count: int) -> Columns:
        """Remove the first `count` rows."""
        self._join()
        self.nbytes -= self.nbytes * count // self._rows if count else 0
        self._rows -= count
        parts = []
        while count:
            chunk = self._chunks.popleft()
            self._peaks.popleft()
            if len(chunk) > count:
                rest = chunk.take(slice(count, None))
                self._chunks.appendleft(rest)
                self._peaks.appendleft(int(rest.time_ms.max()))
                chunk = chunk.take(slice(count))
            parts.append(chunk)
            count -= len(chunk)
        self._settle_done()
        return Columns.concat(parts)

    def _join(self) -> None:
        """Make one chunk of the small ones, and of the last chunk where that is small too."""
        if not self._small:
            return
        if self._chunks and len(self._chunks[-1]) < SMALL_ROWS:
            self._small.insert(0, self._chunks.pop())
            self._small_peak = max(self._small_peak, self._peaks.pop())
        self._chunks.append(Columns.concat(self._small))
        self._peaks.append(self._small_peak)
        self._small, self._small_rows = [], 0

    def _settle_done(self) -> None:
        """All before the first waiting row is taken, dead or a gap; with none waiting, all that was pushed is."""
        if not self._rows:
            self.done = self._last_offset
            return
        first = self._chunks[0] if self._chunks else self._small[0]
        self.done = int(first.offset[0]) - 1
