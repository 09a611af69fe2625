"""A log cut into what is folded at a time, ticks among it.

A cut lies behind any event, or at a stop: then everything up to that time has come, ticks included. The engine's results do not
depend on cuts, so their size is a matter of memory and speed alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.backtest.event_rows import EVENT, Rows
from streams.columns import TICK, TOPIC_RANKS, Columns, empty_columns

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stretch:
    """rows       events in order
    ticks_ms   ticks that are to be folded among them or after them, ascending
    stop_ms    the stop that is reached when they are folded; None: another stretch comes before it
    """

    rows: Rows
    ticks_ms: Ints
    stop_ms: int | None


def stretches(blocks: Iterable[Rows], ticks_ms: Ints, stops_ms: Sequence[int], max_rows: int) -> Iterator[Stretch]:
    """Everything up to the last stop.

    blocks     events in order
    ticks_ms   of the clock, ascending
    stops_ms   ascending, each once
    max_rows   events in a stretch at most, >= 1
    """
    rest, held = iter(blocks), np.empty(0, EVENT)
    for stop_ms in stops_ms:
        reached = False
        while not reached:
            held = _filled(held, rest, stop_ms, max_rows)
            end = min(int(np.searchsorted(held["time_ms"], stop_ms, side="right")), max_rows)
            reached = not len(held) or (end < len(held) and int(held["time_ms"][end]) > stop_ms)
            taken, held = held[:end], held[end:]
            # all that is at or before a tick precedes it, and another event of the last one's time may follow
            until = np.searchsorted(ticks_ms, stop_ms if reached else taken["time_ms"][-1], side="right" if reached else "left")
            yield Stretch(taken, ticks_ms[:until], stop_ms if reached else None)
            ticks_ms = ticks_ms[until:]


def _filled(held: Rows, rest: Iterator[Rows], stop_ms: int, max_rows: int) -> Rows:
    """`held` with the next blocks behind it, as far as a stretch up to the stop takes them: a call of the engine costs."""
    parts = [held]
    rows = len(held)
    while rows < max_rows and (not rows or int(parts[-1]["time_ms"][-1]) <= stop_ms):
        block = next(rest, None)
        if block is None:
            break
        parts.append(block)
        rows += len(block)
    return np.concatenate(parts) if len(parts) > 1 else held


def columns_of(rows: Rows, ticks_ms: Ints, ids: NDArray[np.object_]) -> Columns:
    """Events of one partition and its ticks, merged as the engine takes them. Ids of events are left empty.

    ids   of the customers, by number
    """
    tick_at = np.searchsorted(rows["time_ms"], ticks_ms, side="right") + np.arange(len(ticks_ms))
    columns = empty_columns(len(rows) + len(ticks_ms))
    event = np.ones(len(columns), bool)
    event[tick_at] = False
    columns.kind[tick_at], columns.rank[tick_at], columns.time_ms[tick_at] = TICK, TOPIC_RANKS["clock"], ticks_ms
    columns.customer[event] = ids[rows["customer"]]
    for name in ("kind", "rank", "time_ms", "amount_minor", "severity", "cause", "id_hash"):
        getattr(columns, name)[event] = rows[name]
    return columns
