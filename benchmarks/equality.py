"""That all implementations did the same job: what they have kept of the same customers is compared, field by field.

Compared is what does not depend on the order in which one customer's events of different topics were taken, for only
ours and Quix Streams bring them in order: counts, sums, days, and the risk at the customer's newest event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from benchmarks.parts import Parts
from benchmarks.stream import PARTITIONS, partition_of
from detectors.btyd import p_no_purchase
from detectors.parameters import SHIPPED
from streams.customer import Records, last_purchase_day, read_records
from streams.features import closed_form_inputs
from streams.windows import window_sum

RISK_WITHIN = 1e-4


@dataclass(frozen=True, slots=True)
class Kept:
    """What an implementation knows of one customer at the end; days are UTC day numbers, spend minor units.

    risk   P(no purchase in 90 days) at the newest event; 0 for who has never bought
    """

    purchases: int
    spent_minor: int
    purchase_days: int
    first_day: int
    last_day: int
    complaints: int
    logins: int
    purchases_365d: int
    spent_365d: int
    risk: float


@dataclass(frozen=True, slots=True)
class Equality:
    """customers   that were compared
    between        implementations
    fields         all equal, the risk to `RISK_WITHIN`
    """

    customers: int
    between: list[str]
    fields: list[str]


def of_worker(parts: Parts, customers: Sequence[str]) -> dict[str, Kept]:
    """What our worker has left in Redis, the risk computed again as at each one's newest event."""
    keys = [f"{parts.settings.redis.prefix}:{{{partition_of(name.encode())}}}:c:{name}" for name in customers]
    with parts.server.client() as client:
        return of_rows(customers, read_records(client.mget(keys)), parts.settings.risk.horizon_days)


def of_rows(customers: Sequence[str], rows: Records, horizon_days: float) -> dict[str, Kept]:
    """What these customers' records say, one a customer."""
    newest_s = rows["ring_s"].astype(np.int64)
    risk = p_no_purchase(SHIPPED, *closed_form_inputs(rows, newest_s * 1000), horizon_days)
    columns: list[Any] = [rows[name] for name in ("purchases", "spent_minor", "purchase_days", "first_day")]
    columns += [last_purchase_day(rows), rows["complaints"], rows["logins"]]
    columns += [window_sum(rows, name, 365, newest_s) for name in ("purchases_365d", "spent_365d")]
    columns.append(np.where(rows["purchases"] > 0, risk, 0.0))
    values = zip(*(column.tolist() for column in columns), strict=True)
    return {name: Kept(*value) for name, value in zip(customers, values, strict=True)}


def of_conventional(parts: Parts, group: str, customers: Sequence[str]) -> dict[str, Kept]:
    """What the conventional one has left in Redis."""
    with parts.server.client() as client, client.pipeline(transaction=False) as pipe:
        for name in customers:
            pipe.hgetall(f"{group}:{name}")
        found = pipe.execute()
    states = [{field.decode(): json.loads(value) for field, value in hash_.items()} for hash_ in found]
    return {name: of_state(state) for name, state in zip(customers, states, strict=True) if state}


def of_quix(parts: Parts, group: str, customers: Sequence[str]) -> dict[str, Kept]:
    """What the Quix job has left in its changelog topic: what it would restore from."""
    wanted, states = frozenset(customers), {}
    reader = KafkaConsumer(bootstrap_servers=parts.settings.kafka.bootstrap, group_id=None, auto_offset_reset="earliest")
    try:
        [topic] = [name for name in reader.topics() if name.startswith(f"changelog__{group}--")]
        tps = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        reader.assign(tps)
        ends = reader.end_offsets(tps)
        while any(reader.position(tp) < ends[tp] for tp in tps):
            for record in (record for records in reader.poll(timeout_ms=1_000).values() for record in records):
                name = record.key.partition(b"|")[0].strip(b'"').decode()  # the key as JSON, then the state's name
                if name in wanted:
                    states[name] = record.value
    finally:
        reader.close(autocommit=False)
    return {name: of_state(json.loads(state)) for name, state in states.items()}


def of_state(state: Mapping[str, Any]) -> Kept:
    """What a state of `peers.job` says; buckets are summed."""
    names = (field.name for field in fields(Kept))
    return Kept(**{name: sum(state[name]) if isinstance(state[name], list) else state[name] for name in names})


def compare(found: Mapping[str, Mapping[str, Kept]]) -> Equality:
    """What was compared. Raises RuntimeError naming the first differences.

    found   implementation -> customer -> what it knows; the first one is what the others are held against
    """
    (first, expected), *others = found.items()
    for name, kept in others:
        if kept.keys() != expected.keys():
            raise RuntimeError(f"{first} and {name} do not know the same customers: {len(expected)} and {len(kept)}")
        differing = [customer for customer in expected if not _same(expected[customer], kept[customer])]
        if differing:
            some = "; ".join(f"{who}: {first} {expected[who]}, {name} {kept[who]}" for who in differing[:3])
            raise RuntimeError(f"{len(differing)} of {len(expected)} customers differ. {some}")
    return Equality(len(expected), list(found), [field.name for field in fields(Kept)])


def _same(one: Kept, other: Kept) -> bool:
    counts = [field.name for field in fields(Kept) if field.name != "risk"]
    equal = all(getattr(one, name) == getattr(other, name) for name in counts)
    return equal and abs(one.risk - other.risk) <= RISK_WITHIN
