"""Two files may not use one event id: the second event would be dropped as a repeat of the first.

Ids are told apart by their 64-bit hashes: of a hundred million events two share one by chance once in 3,700 histories. They are
gone through in as many rounds as keep memory bounded, each round taking an equal share of the hashes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.backtest.event_log import EventLog
from streams.backtest.mapping import HistoryError

HASHES_IN_MEMORY = 16_000_000
"""With the rows they stand in: 256 MB, and as much again to sort them."""


def check_ids_apart(log: EventLog, starts: Sequence[int], names: Sequence[str], hashes_in_memory: int = HASHES_IN_MEMORY) -> None:
    """Raises HistoryError, naming files and rows, where an event of one file has the id of one of another.

    starts   number of each file's first row among all of all files, ascending
    """
    if len(starts) < 2:
        return
    rounds = -(-log.events // hashes_in_memory)
    for number in range(rounds):
        chosen = [(run["id_hash"][at], run["order"][at]) for run in log.runs() for at in (run["id_hash"] % rounds == number,)]
        hashes, order = (np.concatenate(columns) for columns in zip(*chosen, strict=True))
        place = np.lexsort((order, hashes))
        hashes, order = hashes[place], order[place]
        file = np.searchsorted(starts, order, side="right") - 1
        both = np.flatnonzero((hashes[1:] == hashes[:-1]) & (file[1:] != file[:-1]))
        if len(both):
            here, there = (
                f"row {order[at] - starts[file[at]] + 1} of {names[file[at]]}" for at in (int(both[0]) + 1, int(both[0]))
            )
            more = f", and {len(both) - 1} more" if len(both) > 1 else ""
            raise HistoryError(
                f"{here} has the event_id of {there}{more}; give each file once, or give it an id prefix of its own"
            )
