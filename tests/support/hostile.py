"""Good and hostile messages as producers send them, each with what must become of it. Shares no code with decoding."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

TOPICS = ("purchases", "complaints", "logins")
HOUR_MS = 3_600_000
LARGE_BYTES = 900_000


@dataclass(frozen=True)
class Message:
    """What a producer sends.

    reason   why it is refused; None for a good one
    large    about a megabyte: to be sent sparingly
    """

    topic: str
    key: bytes | None
    value: bytes | None
    reason: str | None = None
    large: bool = False


class Source:
    """Makes messages of so many customers; every random choice follows from the seed.

    now_ms   events are dated in the two hours before, in the order in which they are made
    """

    def __init__(self, seed: int, customers: Sequence[str], now_ms: int, *, events: int) -> None:
        self.rng = random.Random(seed)
        self._customers, self._now_ms = customers, now_ms
        self._step_ms = 2 * HOUR_MS // events
        self._made = 0

    def event(self, topic: str) -> dict[str, Any]:
        """A good event, as its fields."""
        self._made += 1
        fields: dict[str, Any] = {
            "event_id": f"event-{self._made}",
            "customer_id": self.rng.choice(self._customers),
            "occurred_at": self._now_ms - 2 * HOUR_MS + self._made * self._step_ms,
        }
        if topic == "purchases":
            fields |= {"amount": round(self.rng.uniform(1, 500), 2), "currency": self.rng.choice(["USD", "EUR"])}
        return fields

    def good(self) -> Message:
        """A good message, in one of the shapes that the contract allows."""
        topic = self.rng.choice(TOPICS)
        fields = self.event(topic)
        shape = self.rng.randrange(6)
        if shape == 0:
            fields["occurred_at"] = _rfc3339(fields["occurred_at"], self.rng.choice([-9.5, 0, 1, 5.75]))
        elif shape == 1:
            fields["unknown"] = {"nested": [[["deep"]]], "NaN": None}
        elif shape == 2 and topic == "complaints":
            fields |= {"severity": self.rng.randint(1, 5), "text": "送货太慢 — «trop tard» \u0000"}
        elif shape == 3 and topic == "purchases":
            fields["amount"] = -fields["amount"]
        elif shape == 4:
            fields["event_id"] = ("é" * 128 + fields["event_id"])[-128:]
        return _message(topic, fields, escaped=self.rng.random() < 0.5)

    def hostile(self, kind: str) -> Message:
        """A message of one of the KINDS."""
        return KINDS[kind](self)

    def broken(self, reason: str, topic: str | None = None, **fields: Any) -> Message:
        """A good event of which some fields are replaced; `...` leaves a field out."""
        topic = topic or self.rng.choice(TOPICS)
        event = {name: value for name, value in (self.event(topic) | fields).items() if value is not ...}
        return _message(topic, event, reason=reason)

    def raw(self, reason: str, value: bytes | None, *, large: bool = False) -> Message:
        """These bytes under a customer's key."""
        return Message(self.rng.choice(TOPICS), self.rng.choice(self._customers).encode(), value, reason, large)

    def rekeyed(self, key: Callable[[bytes], bytes | None]) -> Message:
        """A good event under another key."""
        good = _message("logins", self.event("logins"))
        assert good.key is not None
        return Message(good.topic, key(good.key), good.value, "key_mismatch")

    def rubbish(self, count: int) -> bytes:
        """Bytes that no JSON begins with."""
        return b"\xff" + self.rng.randbytes(count - 1)

    def ahead(self) -> int:
        """Beyond every allowed skew."""
        return self._now_ms + self.rng.randint(1, 48) * HOUR_MS


def _message(topic: str, fields: dict[str, Any], *, reason: str | None = None, escaped: bool = True) -> Message:
    customer = fields.get("customer_id")
    key = customer.encode() if isinstance(customer, str) else b"nobody"
    return Message(topic, key, json.dumps(fields, ensure_ascii=escaped).encode(), reason)


def _rfc3339(at_ms: int, offset_hours: float) -> str:
    zone = timezone(timedelta(hours=offset_hours))
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).astimezone(zone).isoformat()


def _nested(source: Source) -> Message:
    depth = source.rng.randint(2_000, 20_000)
    return source.raw("not_json", b'{"event_id":"e","x":' + b"[" * depth + b"]" * depth + b"}")


KINDS: dict[str, Callable[[Source], Message]] = {
    "tombstone": lambda s: s.raw("empty", None),
    "empty value": lambda s: s.raw("empty", b""),
    "plain words": lambda s: s.raw("not_json", b"hello " + str(s.rng.random()).encode()),
    "cut off": lambda s: s.raw("not_json", json.dumps(s.event("purchases")).encode()[: s.rng.randint(1, 40)]),
    "rubbish": lambda s: s.raw("not_json", s.rubbish(s.rng.randint(1, 3_000))),
    "invalid UTF-8 in an id": lambda s: s.raw("not_json", b'{"event_id":"\xc3\x28","customer_id":"c","occurred_at":1}'),
    "deep nesting": _nested,
    "a list": lambda s: s.raw("not_an_object", json.dumps([s.event("logins")]).encode()),
    "a number": lambda s: s.raw("not_an_object", str(s.rng.randint(-9, 9)).encode()),
    "no event_id": lambda s: s.broken("missing_field", event_id=...),
    "no customer_id": lambda s: s.broken("missing_field", customer_id=...),
    "no occurred_at": lambda s: s.broken("missing_field", occurred_at=...),
    "no amount": lambda s: s.broken("missing_field", "purchases", amount=...),
    "no currency": lambda s: s.broken("missing_field", "purchases", currency=...),
    "text for an amount": lambda s: s.broken("wrong_type", "purchases", amount="12.50"),
    "a number for an id": lambda s: s.broken("wrong_type", event_id=s.rng.randint(0, 9)),
    "an object for a customer": lambda s: s.broken("wrong_type", customer_id={"id": "c1"}),
    "a fraction for a time": lambda s: s.broken("wrong_type", occurred_at=1.7e12 + 0.5),
    "an id too long": lambda s: s.broken("bad_id", event_id="x" * s.rng.randint(129, 5_000)),
    "a customer too long": lambda s: s.broken("bad_id", customer_id="é" * s.rng.randint(129, 500)),
    "an empty customer": lambda s: s.broken("bad_id", customer_id=""),
    "no offset in the time": lambda s: s.broken("no_offset_in_time", occurred_at="2026-01-31T12:00:00"),
    "a time in words": lambda s: s.broken("bad_time", occurred_at="yesterday"),
    "seconds for milliseconds": lambda s: s.broken("time_out_of_range", occurred_at=1_700_000_000),
    "too far ahead": lambda s: s.broken("too_far_ahead", occurred_at=s.ahead()),
    "NaN": lambda s: s.broken("amount_not_finite", "purchases", amount=float("nan")),
    "Infinity": lambda s: s.broken("amount_not_finite", "purchases", amount=float("-inf")),
    "an amount beyond belief": lambda s: s.broken("amount_out_of_range", "purchases", amount=10.0 ** s.rng.randint(18, 300)),
    "an unknown currency": lambda s: s.broken("unknown_currency", "purchases", currency=s.rng.choice(["XXX", "usd", ""])),
    "severity 6": lambda s: s.broken("bad_severity", "complaints", severity=s.rng.choice([0, 6, 2.5, "high"])),
    "another key": lambda s: s.rekeyed(lambda key: key + b"?"),
    "a key that is no text": lambda s: s.rekeyed(lambda _: s.rng.randbytes(8)),
    "no key": lambda s: s.rekeyed(lambda _: None),
    "900 kB of rubbish": lambda s: s.raw("too_large", s.rubbish(LARGE_BYTES), large=True),
    "a good event with 300 kB of padding": lambda s: s.broken("too_large", "logins", device="x" * 300_000),
}
LARGE_KINDS = ("900 kB of rubbish", "a good event with 300 kB of padding")
"""To be sent by the dozen; all others by the hundred."""
