"""Erasing customers from a partition's memory, and the notice that says what was removed and what remains."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from alerts.ids import rfc3339
from alerts.policy import ReasonCode
from streams.board import cells, recount
from streams.columns import EVENT_KINDS
from streams.commands import Erase
from streams.customer import gather, last_purchase_day, new_records
from streams.step import Step, StepStats
from streams.table import CustomerTable

_NO_EVENTS = (0,) * EVENT_KINDS
_NOTHING = StepStats(_NO_EVENTS, _NO_EVENTS, 0, 0, np.zeros(len(ReasonCode), np.int64), np.empty(0, np.uint16))


def without(table: CustomerTable, customers: Sequence[str]) -> Step:
    """The step by which these customers (different ones) are gone: from the rows, the board's counts and the quintile sketch.

    table   must hold every row of theirs that was ever stored; it is read and not changed

    What others' scores are read from changes when the next day begins, as with everything that moves in the sketch.
    """
    rows = table.rows(customers)
    known = rows[rows >= 0]
    records = gather(table.records, known)
    state = table.state.copy()
    old = cells(records)
    recount(state, old, np.full_like(old, -1))
    state.quintiles.count(last_purchase_day(records), records["frequency_bin"], records["monetary_bin"], -1)
    return Step([], new_records(0), np.empty(0, np.intp), state, [], _NOTHING, list(customers))


class Removed(msgspec.Struct, frozen=True):
    """What was deleted of one customer.

    record     the rolling state, with its look and its risk; false where nothing was kept
    triggers   how many plays were remembered as triggered
    messages   alerts and triggers that waited to leave
    """

    record: bool
    triggers: int
    messages: int


class Remains(msgspec.Struct, frozen=True):
    """What churnwatch cannot take back.

    where   topic, with its prefix, or the place in words
    what    of this customer is there
    until   when it is gone
    """

    where: str
    what: str
    until: str


class ErasureNotice(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure that was carried out: `churn.erasures`, keyed by customer. Whoever holds copies erases them by it.

    command_id     of the command; a notice may come more than once, and this tells
    customer_id    who is to be forgotten
    asked_at       RFC 3339, UTC: all that is dated up to then is erased; what is dated later is a new customer's, and stays
    done_at        RFC 3339, UTC, by the worker's clock
    partition      where the customer lived
    removed        from what churnwatch keeps
    remains        elsewhere
    """

    command_id: str
    customer_id: str
    asked_at: str
    done_at: str
    partition: int
    removed: Removed
    remains: tuple[Remains, ...]


def encode_notice(notice: ErasureNotice) -> bytes:
    """As it stands on the topic."""
    return msgspec.json.encode(notice)


decode_notice = msgspec.json.Decoder(ErasureNotice).decode
"""Inverse of `encode_notice`. Raises msgspec.ValidationError for anything else."""


def what_remains(prefix: str, inputs: Sequence[str], channels: Sequence[str]) -> tuple[Remains, ...]:
    """What is left of anybody who was erased.

    prefix     of the topics
    inputs     topics of events, without the prefix
    channels   names of the channels beyond Kafka
    """
    kept = "the topic's retention"
    topics = [
        *((name, "events, which are dropped whenever they are read") for name in inputs),
        ("churn.commands", "the id, in the command: it erases again should Redis be lost"),
        ("churn.erasures", "the id, in this notice"),
        ("churn.alerts", "alerts that had left; an open one is not resolved there"),
        ("churn.triggers", "triggers that had left"),
        ("churn.dead-letters", "refused events with this customer's key"),
    ]
    topics.append(("churn.labels", "what was learnt from: numbers under a digest of id and day, without the id"))
    fitted = Remains("parameters", "what was fitted to the whole base: numbers that name nobody", "the next `churnwatch fit`")
    told = [Remains(f"channel {name}", "messages that its receiver was sent", "the receiver deletes them") for name in channels]
    redis = Remains("Redis", "a keyed hash of the id with the time of the erasure; files and backups written before",
                    "erasure.forget_after_days; the next AOF rewrite and snapshot; the backups' retention")  # fmt: skip
    return (*(Remains(prefix + topic, what, kept) for topic, what in topics), fitted, *told, redis)


def notice(order: Erase, partition: int, now_ms: int, removed: Removed, remains: tuple[Remains, ...]) -> ErasureNotice:
    """The notice of an order that was carried out at `now_ms`."""
    return ErasureNotice(
        command_id=order.command_id,
        customer_id=order.customer_id,
        asked_at=rfc3339(order.at_ms),
        done_at=rfc3339(now_ms),
        partition=partition,
        removed=removed,
        remains=remains,
    )
