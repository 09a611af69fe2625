"""Kafka records for tests of decoding."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

APPENDED_MS = 1_700_000_000_000
LOG_APPEND_TIME = 1


@dataclass(frozen=True, slots=True)
class FakeRecord:
    """What a Kafka client hands out."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


VALID: dict[str, dict[str, Any]] = {
    "purchases": {"event_id": "e1", "customer_id": "c1", "occurred_at": APPENDED_MS - 1, "amount": 12.5, "currency": "USD"},
    "complaints": {"event_id": "e1", "customer_id": "c1", "occurred_at": APPENDED_MS - 1},
    "logins": {"event_id": "e1", "customer_id": "c1", "occurred_at": APPENDED_MS - 1},
    "cancellations": {"event_id": "e1", "customer_id": "c1", "occurred_at": APPENDED_MS - 1},
}


def record(topic: str, value: bytes | None, *, offset: int = 7, key: bytes | None = b"c1", **stamp: int) -> FakeRecord:
    """A record of partition 3 that the broker stamped with APPENDED_MS."""
    given = {"timestamp": APPENDED_MS, "timestamp_type": LOG_APPEND_TIME} | stamp
    return FakeRecord(topic, 3, offset, given["timestamp"], given["timestamp_type"], key, value)


def valid(topic: str, *, offset: int = 7, **changes: Any) -> FakeRecord:
    """A record with the valid event of the topic, changed; a value of ... leaves the field out. Keyed by its customer."""
    fields = {name: value for name, value in (VALID[topic] | changes).items() if value is not ...}
    customer = fields.get("customer_id")
    key = customer.encode() if isinstance(customer, str) else b"c1"
    return record(topic, json.dumps(fields).encode(), offset=offset, key=key)
