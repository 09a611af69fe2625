"""The events of a history as fixed-width rows of numbers: what the engine needs of them, 40 bytes each.

Amounts become minor units and ids hashes just as the live system's decoder makes them (`events.decode_chunk`); tests hold
the two together. Order: time, topic, then where it stood in the files, which is also the order of the topics' offsets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest as _hash

from streams.backtest.csv_columns import EventColumns
from streams.backtest.mapping import HistoryError
from streams.backtest.numbered import NumberedCustomers
from streams.columns import CANCELLATION, COMPLAINT, EVENT_KINDS, LOGIN, TOPIC_RANKS
from streams.complaint_causes import complaint_causes
from streams.contract import EventRules
from streams.money import MAX_AMOUNT_MINOR

EVENT = np.dtype(
    [
        ("time_ms", "<i8"),
        ("order", "<i8"),  # number of the row among all of all files, from 0
        ("id_hash", "<u8"),
        ("amount_minor", "<i8"),
        ("customer", "<u4"),  # by NumberedCustomers
        ("kind", "u1"),
        ("rank", "u1"),  # of the topic
        ("severity", "u1"),
        ("cause", "u1"),  # what a complaint's words speak of, see record_marks
    ]
)
Rows = NDArray[np.void]
"""Rows of dtype EVENT."""

RANKS = np.zeros(EVENT_KINDS, np.uint8)
RANKS[COMPLAINT], RANKS[LOGIN] = TOPIC_RANKS["complaints"], TOPIC_RANKS["logins"]
RANKS[CANCELLATION] = TOPIC_RANKS["cancellations"]


class _Worded(NamedTuple):
    text: str
    category: str


def event_rows(events: EventColumns, first_order: int, customers: NumberedCustomers, rules: EventRules) -> Rows:
    """Rows of events of one file, in the order given.

    first_order   of the first event; the others follow by their row numbers
    Raises HistoryError for an amount that the system would refuse.
    """
    found = np.zeros(len(events.row), EVENT)
    found["time_ms"], found["kind"], found["severity"] = events.time_ms, events.kind, events.severity
    complaints = np.flatnonzero(events.kind == COMPLAINT)
    worded = [_Worded(events.text[place], events.category[place]) for place in complaints.tolist()]
    found["cause"][complaints] = complaint_causes(worded, rules.causes)
    found["rank"] = RANKS[events.kind]
    found["order"] = events.row - events.row[0] + first_order
    found["customer"] = customers.numbers(events.customer)
    ranked = zip(found["rank"].tolist(), events.event_id, strict=True)
    found["id_hash"] = np.fromiter((_hash(f"{rank}{one}".encode()) for rank, one in ranked), np.uint64, len(found))
    found["amount_minor"] = _minor(events.amount, events.currency, events.row, rules)
    return found


def _minor(
    amount: NDArray[np.float64], currency: Sequence[str], row: NDArray[np.int64], rules: EventRules
) -> NDArray[np.float64]:
    factors = {**rules.factors, "": 0.0}
    with np.errstate(over="ignore"):
        minor = np.rint(amount * np.array([factors.get(code, np.nan) for code in currency], np.float64))
    wrong = np.flatnonzero(~(minor <= MAX_AMOUNT_MINOR))
    if len(wrong):
        first = int(wrong[0])
        if currency[first] not in factors:
            raise HistoryError(f"row {row[first]}: no rate for the currency {currency[first]}; give one in money.rates")
        raise HistoryError(f"row {row[first]}: amount {amount[first]:g}: no order is that large; mend the file")
    return minor


def in_order(rows: Rows) -> Rows:
    """The rows sorted by time, topic and where they stood."""
    place = rows["time_ms"] * _TOPICS + rows["rank"]
    steps, follows = np.diff(place), np.diff(rows["order"]) > 0
    if ((steps > 0) | ((steps == 0) & follows)).all():
        return rows
    return rows.view(_WHOLE)[np.lexsort((rows["order"], place))].view(EVENT)


_TOPICS = 1 + max(TOPIC_RANKS.values())
_WHOLE = np.dtype(f"V{EVENT.itemsize}")
"""numpy copies rows with fields field by field, ten times slower than as the bytes they are."""
