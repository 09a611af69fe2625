"""A base of customers that neither grows nor ends: the same number of events every day, for as many days as are asked for."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, overload

from kafka.partitioner import murmur2  # type: ignore[import-untyped] # kafka-python ships no types

from tests.chaos.plan import DAY_MS, FIRST_MS, Sent

REPEATED = 0.02
KINDS = (("purchases", 1), ("purchases", -1), ("logins", 0), ("complaints", 0))
WEIGHTS = (60, 4, 30, 6)
FIRST_DAY = -5000
"""Of the load, before FIRST_MS: hours of soak are decades of events, and none may lie beyond what a date can be."""


@dataclass(frozen=True)
class SteadyDays(Sequence[list[Sent]]):
    """Day by day what is sent; each is made when it is asked for."""

    seed: int
    days: int
    customers: int
    events_a_day: int
    partitions: int

    @property
    def first_ms(self) -> int:
        """Midnight of the first day, ms."""
        return FIRST_MS + FIRST_DAY * DAY_MS

    def __len__(self) -> int:
        return self.days

    @overload
    def __getitem__(self, day: int) -> list[Sent]: ...
    @overload
    def __getitem__(self, day: slice) -> list[list[Sent]]: ...
    def __getitem__(self, day: int | slice) -> list[Sent] | list[list[Sent]]:
        if isinstance(day, slice):
            return [self[one] for one in range(*day.indices(self.days))]
        if not 0 <= day < self.days:
            raise IndexError(f"day {day} of {self.days}")
        chance = Random(f"repeats {self.seed} {day}")
        sent = [self._message(topic, event) for topic, event in self.events(day)]
        return [message for one in sent for message in [one] * (2 if chance.random() < REPEATED else 1)]

    def events(self, day: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """Topic and event, in order of time."""
        chance = Random(f"steady {self.seed} {day}")
        for number in range(self.events_a_day):
            topic, sign = chance.choices(KINDS, WEIGHTS)[0]
            customer = f"steady-{chance.randrange(self.customers)}"
            at_ms = self.first_ms + day * DAY_MS + number * DAY_MS // self.events_a_day
            event: dict[str, Any] = {"event_id": f"{day}-{number}", "customer_id": customer, "occurred_at": at_ms}
            if sign:
                event |= {"amount": sign * chance.randint(100, 9_999) / 100, "currency": "USD"}
            if topic == "complaints":
                event["severity"] = chance.randint(1, 5)
            yield topic, event

    def totals(self) -> dict[str, Counter[str]]:
        """What every customer's record must have counted when all days are over."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for day in range(self.days):
            for topic, event in self.events(day):
                mine = found[event["customer_id"]]
                minor = round(event.get("amount", 0) * 100)
                if topic != "purchases":
                    mine[topic] += 1
                    mine["severity_sum"] += event.get("severity", 0)
                elif minor < 0:
                    mine.update(refunds=1, refunded_minor=-minor)
                else:
                    mine.update(purchases=1, spent_minor=minor)
        return found

    def _message(self, topic: str, event: dict[str, Any]) -> Sent:
        key = event["customer_id"].encode()
        return Sent(topic, (murmur2(key) & 0x7FFFFFFF) % self.partitions, key, json.dumps(event).encode())
