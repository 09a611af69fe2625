"""The one digest at the switch from history to live: what was booked about the past, who stands where now, who presses most."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from kafka import KafkaProducer, TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types
from kafka.errors import KafkaError  # type: ignore[import-untyped]  # as above

from alerts.alert import Digest, DigestEntry, encode
from alerts.ids import alert_id, rfc3339
from alerts.stages.holdout import in_holdout
from detectors.actions import TIERS
from streams.customer import Records, read_records
from streams.runtime.customer_view import Judges, build_view
from streams.runtime.kafka_client import AdminError, admin_client, ends, kafka_client_options, reader
from streams.runtime.reading import read_range
from streams.runtime.settings import Settings
from streams.runtime.standing import Standing
from streams.runtime.store import RecordStore
from streams.runtime.topics import ALERTS
from streams.windows import window_sum

KEY = b"digest"
PARTITION = 0
TOP = 10
FIRST_READ = 100
ANSWER_S = 30.0
CLOCKS_MAY_DIFFER_MS = 60_000
SURELY_KEPT_MS = 3_600_000
"""No retention is so short that what was sent so long ago is gone."""

Sent = Literal["yes", "no", "expired"]
"""Does the digest stand on its topic? expired: records of its time do not stand there any more, so it cannot be told."""


class Pressing(NamedTuple):
    """A customer who is alerted now; the smaller is the more pressing: by risk, then by what was spent in a year and in all."""

    less_risk_bp: int
    less_spent_365d_minor: int
    less_spent_minor: int
    customer_id: str
    partition: int
    row: Records


def digest_id(settings: Settings, at_ms: int) -> str:
    """Of this system's switch at `at_ms`; the same whoever makes it, and whenever."""
    return alert_id(f"{settings.kafka.group}/{settings.kafka.topic_prefix}", "catch_up", at_ms // 1000)


async def build_digest(store: RecordStore, settings: Settings, judges: Judges, found: Sequence[Standing], at_ms: int) -> Digest:
    """What people are told at the switch; all partitions are live by now."""
    by_tier = Counter[str]()
    for standing in found:
        by_tier.update(standing.by_tier)
    until_ms = max(one.live_after_ms or 0 for one in found)
    since = min((one.past.since for one in found if one.past.since), default=rfc3339(until_ms))
    return Digest(
        digest_id=digest_id(settings, at_ms),
        kind="catch_up",
        since=since,
        until=rfc3339(until_ms),
        alerts=sum(one.past.messages for one in found),
        by_tier={tier: by_tier[tier] for tier in TIERS[1:]},
        top=[_entry(one, found[one.partition].watermark_ms, judges) for one in await _most_pressing(store, found, judges)],
    )


def _entry(one: Pressing, watermark_ms: int, judges: Judges) -> DigestEntry:
    view = build_view(one.customer_id, one.partition, one.row, watermark_ms, judges)
    text = "; ".join(reason.text for reason in view.reasons[:2])
    tier = TIERS[int(one.row["policy"]["tier"][0])]
    return DigestEntry(customer_id=one.customer_id, tier=tier, risk=view.risk or 0.0, text=text)


async def _most_pressing(store: RecordStore, found: Sequence[Standing], judges: Judges) -> list[Pressing]:
    """At most TOP of those alerted now. The holdout is left out: to name it would be to ask that something be done."""
    alerted = [one for standing in found for one in await _of_partition(store, standing, judges)]
    return sorted(alerted, key=_order)[:TOP]


async def _of_partition(store: RecordStore, standing: Standing, judges: Judges) -> list[Pressing]:
    """The same of one partition. Reads on by falling risk until nobody further down can be among them."""
    limit, seen, best = FIRST_READ, 0, list[Pressing]()
    while True:
        ranked = await store.riskiest(standing.partition, limit)
        best = sorted([*best, *await _alerted(store, standing, [who for who, _ in ranked[seen:]], judges)], key=_order)[:TOP]
        if len(ranked) < limit or (len(best) == TOP and -best[-1].less_risk_bp > round(ranked[-1][1] * 10_000)):
            return best
        limit, seen = 8 * limit, limit


async def _alerted(store: RecordStore, standing: Standing, customers: Sequence[str], judges: Judges) -> list[Pressing]:
    """Those of these customers who are alerted and not held out."""
    blobs = await store.load(standing.partition, customers) if customers else []
    known = [(customer, blob) for customer, blob in zip(customers, blobs, strict=True) if blob is not None]
    rows = read_records([blob for _, blob in known])
    as_of_s = np.maximum(rows["seen_ms"], standing.watermark_ms) // 1000
    spent = window_sum(rows, "spent_365d", 365, as_of_s)
    order = np.lexsort((-rows["spent_minor"], -spent, -rows["risk_bp"].astype(np.int64)))
    alert, best = judges.rules.context.alert, list[Pressing]()
    for k in order[rows["policy"]["tier"][order] > 0].tolist():
        if not in_holdout(known[k][0], alert.holdout_share, alert.holdout_salt):
            row = rows[k : k + 1]
            worth = (-int(row["risk_bp"][0]), -int(spent[k]), -int(row["spent_minor"][0]))
            if len(best) >= TOP and worth > best[-1][:3]:
                break  # those who are level with the last are kept: their ids decide
            best.append(Pressing(*worth, known[k][0], standing.partition, row))
    return best


def _order(one: Pressing) -> tuple[int, int, int, str]:
    return one[:4]


def find_digest(settings: Settings, at_ms: int) -> Sent:
    """Whether the digest of the switch at `at_ms` stands on `churn.alerts`, by whomever it was sent. Raises AdminError."""
    tp, wanted = TopicPartition(settings.kafka.topic_prefix + ALERTS, PARTITION), digest_id(settings, at_ms)
    with admin_client(settings) as admin, reader(settings) as client:
        bound = ends(admin, client, [tp])[tp]
        # stamps are a broker's or a worker's, the switch is ours: clocks may differ, and a digest is never sent before it
        start = client.offsets_for_times({tp: at_ms - CLOCKS_MAY_DIFFER_MS})[tp]
        first = bound.end if start is None else start.offset
        for record in read_range(client, {tp: (first, bound.end)}):
            if record.key == KEY and wanted.encode() in (record.value or b""):
                return "yes"
    old = time.time_ns() // 1_000_000 - at_ms > SURELY_KEPT_MS
    return "expired" if old and 0 < bound.first == first else "no"


def publish(settings: Settings, digest: Digest) -> None:
    """Put it on `churn.alerts`, acknowledged. Raises AdminError."""
    name = settings.kafka.topic_prefix + ALERTS
    try:
        producer = KafkaProducer(**kafka_client_options(settings), acks="all")
        try:
            producer.send(name, key=KEY, value=encode(digest), partition=PARTITION).get(ANSWER_S)
        finally:
            producer.close(5)
    except KafkaError as problem:
        raise AdminError(f"{name}: {type(problem).__name__}", "see that the broker is well, and run go-live again") from None
