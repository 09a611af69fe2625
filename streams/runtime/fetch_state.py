"""Where the consumer stands and where topics end, as Faust's fetches left it: read, never asked of the broker."""

from __future__ import annotations

from typing import Any

from faust.types import TP


def positions(app: Any) -> dict[TP, int]:
    """Offset of the next record to be fetched, where it is known.

    It is ahead of the last record by what carries no data, such as a transaction's marker.
    """
    found = ((TP(tp.topic, tp.partition), state._position) for tp, state in partition_states(app))
    return {tp: int(position) for tp, position in found if position is not None}


def end_offset(app: Any, tp: TP) -> int | None:
    """Where the latest fetch saw the end of what is committed, None before the first."""
    state = next((state for known, state in partition_states(app) if (known.topic, known.partition) == tp), None)
    if state is None or state.highwater is None:
        return None
    # below the first open transaction; brokers that know no transactions give nothing or -1
    return int(state.highwater) if state.lso is None or state.lso < 0 else int(state.lso)


def partition_states(app: Any) -> list[tuple[Any, Any]]:
    """(partition, aiokafka's state of it) of what is assigned."""
    # read only, of plain attributes: the fetcher's thread sets them, and asking it would cost a round trip
    consumer = app.consumer._thread._consumer
    subscription = None if consumer is None else consumer._subscription.subscription
    assignment = None if subscription is None else subscription.assignment
    return [] if assignment is None else [(tp, assignment.state_value(tp)) for tp in assignment.tps]
