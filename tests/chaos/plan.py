"""The events of a chaos run: customers who come, buy in a rhythm, complain, log in, leave, as messages day by day.

Every event can be told from what its customer's record holds: the j-th purchase of a customer costs 4^j minor units, and so
does the j-th refund; of a customer's complaints one has severity 1 and one 4; a customer logs in once. The sums therefore
spell out, in base 4, how often each event was counted (see checker.py).

Producers do what producers do: some events are sent twice, days come in any order, some events come days late.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from kafka.partitioner import murmur2  # type: ignore[import-untyped] # kafka-python ships no types

DAY_MS = 86_400_000
FIRST_MS = 1_600_041_600_000
"""2020-09-14, midnight."""
PURCHASES, REFUNDS = 14, 4
"""Most of a customer."""
REPEATED, LATE = 0.06, 0.04
"""Shares of the events that are sent twice at once, and one to three days late."""


@dataclass(frozen=True)
class Sent:
    """A message for an input topic (name without prefix)."""

    topic: str
    partition: int
    key: bytes
    value: bytes


@dataclass(frozen=True)
class Plan:
    """days[d]: what is sent on day d, in this order, before the tick that ends the day. events: how many different ones."""

    days: Sequence[list[Sent]] = field(repr=False)
    events: int
    first_ms: int = FIRST_MS


def plan(seed: int, *, days: int, customers: int, partitions: int, storms: frozenset[int] = frozenset()) -> Plan:
    """The same messages for the same arguments.

    storms   days on which producers send every event twice and in the opposite order
    """
    chance = Random(f"churnwatch load {seed}")
    lives = [(customer, list(_life(chance, customer, days))) for customer in _names(chance, customers)]
    events = sorted((event for _, life in lives for event in life), key=lambda event: (event["occurred_at"], event["event_id"]))
    sent: list[list[Sent]] = [[] for _ in range(days)]
    for event in events:
        day = (event["occurred_at"] - FIRST_MS) // DAY_MS
        late = chance.randint(1, 3) if chance.random() < LATE else 0
        message = _message(event, partitions)
        copies = 2 if chance.random() < REPEATED or day in storms else 1
        sent[min(day + late, days - 1)] += [message] * copies
    for day, messages in enumerate(sent):
        messages.reverse() if day in storms else _stir(chance, messages)
    return Plan(sent, len(events))


def _stir(chance: Random, messages: list[Sent]) -> None:
    """Out of order, though not by much: a repeat stays within the few events among which it is known."""
    order = sorted(range(len(messages)), key=lambda at: at + chance.uniform(0, 20))
    messages[:] = [messages[at] for at in order]


def _names(chance: Random, customers: int) -> list[str]:
    return [f"c{number}-{chance.randrange(16**6):06x}" for number in range(customers)]


def _life(chance: Random, customer: str, days: int) -> Iterator[dict[str, Any]]:
    """One customer's events, in no order."""
    begins, gap = chance.uniform(0, days * 0.8), chance.uniform(3, 30)
    ends = chance.uniform(begins, days * 1.2)
    at, bought = begins, []
    while at < min(ends, days) and len(bought) < PURCHASES:
        bought.append(at)
        at += chance.expovariate(1 / gap) + 0.01
    for number, when in enumerate(bought):
        yield _event(customer, "purchases", f"p{number}", when, amount=4**number / 100, currency="USD")
    for number, when in enumerate(when for when in bought if chance.random() < 0.08):
        if number < REFUNDS and when + 1 < days:
            yield _event(customer, "purchases", f"r{number}", when + chance.random(), amount=-(4**number) / 100, currency="USD")
    for severity in (1, 4):
        if chance.random() < 0.15 and begins + 1 < days:
            yield _event(customer, "complaints", f"k{severity}", chance.uniform(begins, min(ends + 1, days)), severity=severity)
    if chance.random() < 0.6:
        yield _event(customer, "logins", "l0", chance.uniform(begins, min(ends + 1, days)))


def _event(customer: str, topic: str, name: str, at_day: float, **more: Any) -> dict[str, Any]:
    at_ms = FIRST_MS + int(at_day * DAY_MS)
    return {"topic": topic, "event_id": f"{customer}.{name}", "customer_id": customer, "occurred_at": at_ms} | more


def _message(event: dict[str, Any], partitions: int) -> Sent:
    key = event["customer_id"].encode()
    value = json.dumps({name: value for name, value in event.items() if name != "topic"}).encode()
    return Sent(event["topic"], (murmur2(key) & 0x7FFFFFFF) % partitions, key, value)
