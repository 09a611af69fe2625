"""Says of every event whether it was counted exactly once, and of every alert whether it was delivered.

Goes by the Kafka log and by what stands in Redis, and by nothing that the system computed on the way: the log is read, parsed
and counted here. What must be alerted is said by expected_alerts.py from the same log.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Logged:
    """A record of an input topic or the clock, as it stands in the log. topic: without prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes


@dataclass(frozen=True)
class Counted:
    """The sums of a customer's record that tell its events apart."""

    purchases: int = 0
    spent_minor: int = 0
    refunds: int = 0
    refunded_minor: int = 0
    complaints: int = 0
    severity_sum: int = 0
    logins: int = 0


NOTHING = Counted()


@dataclass(frozen=True)
class Told:
    """What a message of churn.alerts says, and what must be said."""

    message_id: str
    customer: str
    decision: str
    tier: str
    risk: float
    as_of_ms: int


@dataclass(frozen=True)
class Outcome:
    """A label on churn.labels, and one that must be there."""

    label_id: int
    at_ms: int
    known_ms: int
    left: bool


@dataclass
class Verdict:
    """What a run made of its log. `right` only if nothing is lost, doubled, missing or too much.

    lost, twice        (customer, event id) never counted; counted more than once
    strange            customers, or amounts, that no event in the log explains
    alerts_*           message ids: due by the log; due and not delivered; delivered and not due; delivered saying something else
    labels_*           ids of labels likewise
    repeats            messages delivered more than once, which is allowed
    """

    events: int
    lost: list[tuple[str, str]] = field(default_factory=list)
    twice: list[tuple[str, str]] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    alerts_expected: int = 0
    alerts_missing: list[str] = field(default_factory=list)
    alerts_unexpected: list[str] = field(default_factory=list)
    alerts_differing: list[str] = field(default_factory=list)
    labels_expected: int = 0
    labels_missing: list[int] = field(default_factory=list)
    labels_unexpected: list[int] = field(default_factory=list)
    labels_differing: list[int] = field(default_factory=list)
    repeats: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether the promises were kept."""
        wrong = (self.lost, self.twice, self.strange, self.problems)
        labels = (self.labels_missing, self.labels_unexpected, self.labels_differing)
        return not any((*wrong, self.alerts_missing, self.alerts_unexpected, self.alerts_differing, *labels))


Events = dict[str, dict[str, dict[str, Any]]]
"""Customer -> event id -> the event, as the producer sent it first."""


def different_events(log: Iterable[Logged]) -> Events:
    """The events of a log; one that was sent again is the same."""
    found: Events = defaultdict(dict)
    for record in log:
        event = json.loads(record.value) | {"topic": record.topic}
        found[event["customer_id"]].setdefault(event["event_id"], event)
    return found


def check_events(verdict: Verdict, events: Events, counted: Mapping[str, Counted]) -> None:
    """Into the verdict: what was lost, doubled or came from nowhere."""
    for customer, mine in events.items():
        times, rest = times_counted(mine, counted.get(customer, NOTHING))
        verdict.lost += [(customer, event_id) for event_id, n in times.items() if n == 0]
        verdict.twice += [(customer, event_id) for event_id, n in times.items() if n > 1]
        verdict.strange += [f"{customer}: {text}" for text in rest]
    verdict.strange += [f"{customer}: in Redis, and not in the log" for customer in counted.keys() - events.keys()]


def times_counted(events: Mapping[str, Mapping[str, Any]], record: Counted) -> tuple[dict[str, int], list[str]]:
    """How often each event was counted, spelled out by the record's sums, and what of the sums no event explains.

    events   event id -> event; amounts are powers of 4 minor units, each once (see plan.py), so that each has a digit of the
             sum in base 4; complaints have severity 1 or 4, each once; there is one login
    """
    times: dict[str, int] = {}
    spent, refunded, rest = record.spent_minor, record.refunded_minor, []
    for event_id, event in events.items():
        if event["topic"] == "purchases":
            minor = round(abs(event["amount"]) * 100)
            total = record.spent_minor if event["amount"] >= 0 else record.refunded_minor
            times[event_id] = total // minor % 4
            if event["amount"] >= 0:
                spent -= times[event_id] * minor
            else:
                refunded -= times[event_id] * minor
        elif event["topic"] == "logins":
            times[event_id] = record.logins
    times |= _complaints(events, record)
    kinds = Counter(_kind(events[event_id]) for event_id, n in times.items() for _ in range(n))
    found = Counter(purchase=record.purchases, refund=record.refunds, complaint=record.complaints, login=record.logins)
    if (record.severity_sum - record.complaints) % 3:
        rest.append(f"{record.complaints} complaints of severities 1 and 4 do not sum to {record.severity_sum}")
    if kinds != +found:
        rest.append(f"counts {dict(+found)} and not {dict(kinds)} as its sums tell")
    if spent or refunded:
        rest.append(f"{spent} minor units spent and {refunded} refunded that no event explains")
    return times, rest


def _complaints(events: Mapping[str, Mapping[str, Any]], record: Counted) -> dict[str, int]:
    """n1 + n4 = complaints and n1 + 4 n4 = the sum of severities, so both are known."""
    fours = (record.severity_sum - record.complaints) // 3
    by_severity = {1: record.complaints - fours, 4: fours}
    return {event_id: by_severity[event["severity"]] for event_id, event in events.items() if event["topic"] == "complaints"}


def _kind(event: Mapping[str, Any]) -> str:
    if event["topic"] == "purchases":
        return "purchase" if event["amount"] >= 0 else "refund"
    return {"complaints": "complaint", "logins": "login"}[str(event["topic"])]


def check_alerts(verdict: Verdict, expected: Sequence[Told], delivered: Sequence[tuple[Told, bytes]]) -> None:
    """Into the verdict: what was not delivered, what should not have been, and what said something else.

    delivered   every message on churn.alerts with its bytes, repeats and all, in its order
    """
    due = {one.message_id: one for one in expected}
    if len(due) != len(expected):
        verdict.problems.append("two alerts are due under one id: the expectation is wrong")
    first: dict[str, bytes] = {}
    said: dict[str, Told] = {}
    latest_ms: dict[str, int] = {}
    for one, value in delivered:
        if one.message_id not in first and one.as_of_ms < latest_ms.get(one.customer, 0):
            verdict.problems.append(f"{one.message_id} came after later ones of {one.customer}")
        latest_ms[one.customer] = max(latest_ms.get(one.customer, 0), one.as_of_ms)
        if first.setdefault(one.message_id, value) != value:
            verdict.alerts_differing.append(one.message_id)
        said.setdefault(one.message_id, one)
    verdict.alerts_expected += len(due)
    verdict.alerts_missing += sorted(due.keys() - said.keys())
    verdict.alerts_unexpected += sorted(said.keys() - due.keys())
    verdict.alerts_differing += sorted(key for key in due.keys() & said.keys() if due[key] != said[key])
    verdict.repeats += len(delivered) - len(first)


def check_labels(verdict: Verdict, expected: Sequence[Outcome], delivered: Sequence[Outcome]) -> None:
    """Into the verdict: outcomes that were not told, that should not have been, and that were told otherwise.

    delivered   every label on churn.labels, repeats and all: who learns knows them by their ids
    """
    due = {one.label_id: one for one in expected}
    if len(due) != len(expected):
        verdict.problems.append("two labels are due under one id: the expectation is wrong")
    said: dict[int, Outcome] = {}
    for one in delivered:
        if said.setdefault(one.label_id, one) != one:
            verdict.labels_differing.append(one.label_id)
    verdict.labels_expected += len(due)
    verdict.labels_missing += sorted(due.keys() - said.keys())
    verdict.labels_unexpected += sorted(said.keys() - due.keys())
    verdict.labels_differing += sorted(key for key in due.keys() & said.keys() if due[key] != said[key])
