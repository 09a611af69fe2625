"""The clock topic while history is loaded: its ticks go into the merge, and after the switch nothing more does."""

from __future__ import annotations

from streams.columns import GO_LIVE, TOPIC_RANKS, Columns
from streams.contract import END_TIME_MS
from streams.dead_letters import DeadLetter
from streams.merge import CLOCK_RANK, PartitionMerge
from streams.runtime.intake import Chunk
from streams.runtime.topics import EVENTS
from streams.ticks import Tick, decode_ticks, tick_columns


class HistoryClock:
    """Of one partition.

    merge   the partition's, in history mode
    """

    def __init__(self, merge: PartitionMerge) -> None:
        self._merge = merge
        self._switch: Tick | None = None

    def receive(self, chunk: Chunk, nbytes: int) -> list[DeadLetter]:
        """Hand a chunk of the clock topic on; returns what is no message of it. nbytes: as in `PartitionMerge.push`.

        What stands behind the switch is left alone: it is read again by whoever goes on live.
        """
        if self._switch is not None:
            return []
        ticks, dead = decode_ticks(chunk.records)
        last_offset = chunk.last_offset
        self._switch = next((tick for tick in ticks if tick.kind == "go_live"), None)
        if self._switch is not None:
            last_offset = self._switch.offset
            ticks = [tick for tick in ticks if tick.offset <= last_offset]
            dead = [letter for letter in dead if letter.offset <= last_offset]
        for tick in ticks:
            if tick.kind != "heartbeat":
                until_ms = tick.at_ms if tick.kind == "tick" else END_TIME_MS
                self._merge.announce({TOPIC_RANKS[name]: at for name, at in tick.offsets.items() if name in EVENTS}, until_ms)
        self._merge.push(CLOCK_RANK, tick_columns(ticks), last_offset, last_offset + 1, nbytes)
        return dead

    def split(self, batch: Columns) -> tuple[Columns, int | None]:
        """Rows taken from the merge, without the switch; and when that was ordered, ms, where it is the last of them."""
        if self._switch is None or not len(batch) or batch.kind[-1] != GO_LIVE:
            return batch, None
        return batch.take(slice(0, -1)), self._switch.at_ms
