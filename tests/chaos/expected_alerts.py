"""What a log must have alerted and told of outcomes: merged and decided by the slow twins of merge and engine, which share no
code with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from xxhash import xxh3_64_intdigest

from alerts.alert import Alert
from alerts.ids import alert_id
from streams.engine import EngineRules
from tests.chaos.checker import Logged, Outcome, Told
from tests.oracle.engine_twin import EngineTwin, hash_of
from tests.oracle.rfm_twin import DAY_MS, EventTwin
from tests.support.engine_rules import twin_of

RANKS = {"purchases": 0, "complaints": 1, "logins": 2}
TIERS = ("none", "watch", "high", "critical")


def expected(log: Sequence[Logged], rules: EngineRules) -> tuple[list[Told], list[Outcome]]:
    """Every message about a customer that one partition's log calls for, and every label.

    log   inputs and clock of one partition, each topic's records in order of offset
    """
    twin = twin_of(rules)
    for row in merged(log):
        twin.row(row)
    return told(twin), outcomes(twin)


def outcomes(twin: EngineTwin) -> list[Outcome]:
    """What the twin has found out of whom it had taken down."""
    taken = {(one.customer, one.day) for one in twin.taken}
    found = [one for one in twin.found if (one.customer, one.day) in taken]
    return [Outcome(label_id(one.customer, one.day), one.day * DAY_MS, one.known_ms or 0, bool(one.left)) for one in found]


def label_id(customer: str, day: int) -> int:
    """SplitMix64 of the customer's hash and the day, one at a time."""
    z = (hash_of(customer) + day * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def told(twin: EngineTwin) -> list[Told]:
    """What the twin has sent."""
    found = []
    for one in twin.sent():
        episode = one.after.episode_s
        message_id = f"{alert_id(one.customer, 'churn-risk', episode)}-{one.after.transition}"
        risk, tier = one.risk_bp / 10_000, TIERS[one.after.tier]
        found.append(Told(message_id, one.customer, one.reason.lower(), tier, risk, one.as_of_ms))
    return found


def said(alert: Alert) -> Told:
    """What a message says."""
    as_of_ms = round(datetime.fromisoformat(alert.as_of).timestamp() * 1000)
    return Told(alert.message_id, alert.customer_id, alert.decision, alert.tier, alert.risk, as_of_ms)


def merged(log: Sequence[Logged]) -> Iterable[EventTwin]:
    """One partition's rows in the order in which they are to be folded: between two ticks the smallest head first, then the tick.

    Ends with the last tick; what stands behind it has not happened yet.
    """
    queues = {topic: [_row(record) for record in log if record.topic == topic] for topic in RANKS}
    at = dict.fromkeys(RANKS, 0)
    for tick in (json.loads(record.value) for record in log if record.topic == "churn.clock"):
        while heads := [t for t in RANKS if at[t] < tick["offsets"].get(t, 0)]:
            topic = min(heads, key=lambda t: (queues[t][at[t]].time_ms, RANKS[t]))
            yield queues[topic][at[topic]]
            at[topic] += 1
        yield EventTwin("tick", tick["at_ms"])


def _row(record: Logged) -> EventTwin:
    event = json.loads(record.value)
    amount = event.get("amount", 0)
    kind = "complaint" if record.topic == "complaints" else "login" if record.topic == "logins" else "purchase"
    return EventTwin(
        "refund" if amount < 0 else kind,
        event["occurred_at"],
        event["customer_id"],
        round(abs(amount) * 100),
        event.get("severity", 0),
        xxh3_64_intdigest(f"{RANKS[record.topic]}{event['event_id']}".encode()),
    )
