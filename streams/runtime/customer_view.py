"""One customer of the running system, as Redis has it: facts, risk now, reasons, alert state, what is remembered of the past."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from alerts.facts import CustomerFacts
from alerts.ids import alert_id, rfc3339
from alerts.rules import TIER_NAMES
from detectors.causes import Cause, controllable
from detectors.reasons import Reason
from detectors.served import ServedModel
from streams.columns import DAY_MS
from streams.customer import NEVER_S, Records, read_records
from streams.customer_causes import probable_causes
from streams.engine import EngineRules
from streams.explain import why
from streams.features import facts
from streams.record_marks import ENDED
from streams.runtime.commits import unpack_state
from streams.runtime.partitioner import partition_of
from streams.runtime.store import PartitionStore
from streams.scoring import risk_bp
from streams.state import PartitionState
from streams.windows import COMPLAINT_UNIT_S, COMPLAINT_WRAP


class Moment(msgspec.Struct, frozen=True):
    """Something that is remembered: when (RFC 3339, UTC; to the day or half day where no more is kept) and what."""

    at: str
    what: str


class CustomerView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one customer.

    as_of       event time this is told for: the partition's watermark, or the customer's last evaluation if later
    risk        P(no purchase in the next horizon_days) as of then; None before the first purchase
    risk_of     no_purchase, or no_login: what it is the probability of
    tier        alerted now
    alert_id    of the episode, None when nothing is alerted
    next_look   event time, None when none is planned
    cause       why the customer would leave, most probably
    """

    customer_id: str
    partition: int
    as_of: str
    risk: float | None
    risk_of: str
    horizon_days: float
    idle_risk: float | None
    tier: str
    alert_id: str | None
    alerted_since: str | None
    next_look: str | None
    reasons: list[Reason]
    cause: Cause
    controllable: bool | None
    facts: CustomerFacts
    timeline: list[Moment]
    model: str


@dataclass(frozen=True, slots=True)
class Judges:
    """What a view is judged by."""

    rules: EngineRules
    model: ServedModel


async def view_customer(store: PartitionStore, customer_id: str, partitions: int, judges: Judges) -> CustomerView | None:
    """The customer, or None when nothing is stored."""
    partition = partition_of(customer_id, partitions)
    stored = await store.read_customer(partition, customer_id)
    if stored is None:
        return None
    meta = await store.read_meta(partition)
    state = PartitionState() if meta.state is None else PartitionState.from_bytes(unpack_state(meta.state).engine)
    return build_view(customer_id, partition, read_records([stored.record]), state.watermark_ms, judges)


def build_view(customer_id: str, partition: int, row: Records, watermark_ms: int, judges: Judges) -> CustomerView:
    """The view of one row (an array of length 1) at the watermark, or at its last evaluation if that is later."""
    as_of_ms = np.maximum(row["seen_ms"], watermark_ms).astype(np.int64)
    bought = int(row["purchases"][0]) > 0
    horizon_days = judges.rules.horizon_days
    risk, idle_risk, reasons = None, None, []
    if bought:
        bp = risk_bp(judges.model, row, as_of_ms)
        explained = why([customer_id], row, as_of_ms, row["rfm"], judges.rules.context, judges.model)
        risk, reasons = int(bp[0]) / 10_000, explained.reasons[0]
        idle_risk = None if np.isnan(explained.idle_risk[0]) else round(float(explained.idle_risk[0]), 4)
    known = facts([customer_id], row, as_of_ms, row["rfm"])
    cause = probable_causes(known, row)[0]
    policy = row["policy"][0]
    tier, episode_s, due_s = int(policy["tier"]), int(policy["episode_s"]), int(row["due_s"][0])
    return CustomerView(
        customer_id=customer_id,
        partition=partition,
        as_of=rfc3339(int(as_of_ms[0])),
        risk=risk,
        risk_of=judges.rules.context.alert.risk_of(judges.model.name),
        horizon_days=horizon_days,
        idle_risk=idle_risk,
        tier=TIER_NAMES[tier],
        alert_id=alert_id(customer_id, "churn-risk", episode_s) if tier else None,
        alerted_since=rfc3339(episode_s * 1000) if tier else None,
        next_look=None if due_s == NEVER_S else rfc3339(due_s * 1000),
        reasons=reasons,
        cause=cause,
        controllable=controllable(cause.cause),
        facts=known[0],
        timeline=_timeline(row[0], int(as_of_ms[0])),
        model=judges.model.version,
    )


def _timeline(row: np.void, as_of_ms: int) -> list[Moment]:
    """What the record remembers one by one, newest first."""
    moments = [(int(row["first_seen_s"]) * 1000, "first seen")]
    days = [int(day) for day in row["recent_days"] if day]
    moments += [(day * DAY_MS, "purchase day") for day in days[1:]]
    if days:
        moments.append((int(row["last_purchase_ms"]), "latest purchase"))
    moments += [(half_day_ms, f"complaint, severity {severity}") for half_day_ms, severity in _complaints(row, as_of_ms)]
    if row["last_login_s"]:
        moments.append((int(row["last_login_s"]) * 1000, "latest login"))
    policy = row["policy"]
    if policy["tier"]:
        moments.append((int(policy["episode_s"]) * 1000, f"alert fired; now {TIER_NAMES[int(policy['tier'])]}"))
    if policy["cool_from_s"]:
        # of who has come back, the record does not tell which of the two it was if there was ever an alert
        cancelled = bool(row["spare"] & ENDED) or not policy["episode_s"]
        moments.append((int(policy["cool_from_s"]) * 1000, "cancelled" if cancelled else "an alert ended"))
    return [Moment(rfc3339(at_ms), what) for at_ms, what in sorted(moments, reverse=True)]


def _complaints(row: np.void, as_of_ms: int) -> list[tuple[int, int]]:
    now = as_of_ms // 1000 // COMPLAINT_UNIT_S
    found = []
    for packed in row["complaint_ring"].tolist():
        if packed & 7:
            age = (now - (packed >> 3)) % COMPLAINT_WRAP
            found.append(((now - age) * COMPLAINT_UNIT_S * 1000, packed & 7))
    return found
