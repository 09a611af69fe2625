"""A refused record judged again, by the rules of now: the very function by which workers judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from streams.contract import EventRules, InputTopic
from streams.dead_letters import DeadReason
from streams.events import decode_chunk

LOG_APPEND_TIME = 1


@dataclass(frozen=True, slots=True)
class SentAgain:
    """A record as the broker will hand it out once it is sent again: stamped with the time of that."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes | None]]
    timestamp: int
    timestamp_type: int = LOG_APPEND_TIME


class Judged(NamedTuple):
    """What became of it.

    event    hash of topic rank and event id, 16 hex digits; None where it was refused
    reason   None where it was not
    message  for people, "" where it was not
    """

    event: str | None
    reason: DeadReason | None = None
    message: str = ""


def rejudge(topic: InputTopic, record: SentAgain, rules: EventRules) -> Judged:
    """What workers with these rules would make of it.

    topic   without prefix
    """
    decoded = decode_chunk(topic, [record], rules, record.timestamp)
    if decoded.dead:
        return Judged(None, decoded.dead[0].reason, decoded.dead[0].message)
    return Judged(f"{int(decoded.columns.id_hash[0]):016x}")
