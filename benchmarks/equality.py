"""That all implementations did the same job: what they have kept of the same customers is compared, field by field.

Compared is what does not depend on the order in which one customer's events of different topics were taken, for only
ours and Quix Streams bring them in order: counts, windows, days, gaps, decayed sums, and the risk at the customer's newest event.
What was decided on the way depends on that order, so tiers are not compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any

import numpy as np
from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types
from numpy.typing import NDArray

from benchmarks.parts import Parts
from benchmarks.peers.windows import complaint_sums as peers_complaint_sums
from benchmarks.peers.windows import sums as peers_sums
from benchmarks.stream import PARTITIONS, partition_of
from detectors.btyd import p_no_purchase
from detectors.parameters import SHIPPED
from streams.customer import HALF_LIVES_DAYS, Records, read_records
from streams.features import closed_form_inputs
from streams.windows import RINGS, complaint_sums, window_sum

RISK_WITHIN = 1e-4
SUMS_WITHIN = 1e-4
"""Relative: ours keeps such sums as 4-byte floats."""
LIFE = ("purchases", "spent_minor", "complaints", "severity_sum", "logins", "purchase_days", "first_day", "longest_gap_days")
SUMS = ("gap_sq_sum", "log_gap_sum", "log_gap_sq_sum")
DECAYED = ("decayed_purchases", "decayed_spent")


@dataclass(frozen=True, slots=True)
class Kept:
    """What an implementation knows of one customer at the end, each figure under its name.

    exact         counts, minor units, UTC day numbers, gaps in days, and every window as at the newest event
    recent_days   the last purchase days, newest first
    sums          of gaps, and purchases and spend that fade, as at the last purchase
    risk          P(no purchase in 90 days) at the newest event; 0 for who has never bought
    """

    exact: Mapping[str, float]
    recent_days: Sequence[int]
    sums: Mapping[str, float]
    risk: float

    def names(self) -> list[str]:
        """Of all figures."""
        return [*self.exact, "recent_days", *self.sums, "risk"]


@dataclass(frozen=True, slots=True)
class Equality:
    """customers   that were compared
    between        implementations
    fields         all equal, the risk to `RISK_WITHIN`, sums of floats to `SUMS_WITHIN`
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
    risks = np.where(rows["purchases"] > 0, risk, 0.0).tolist()
    exact = _by_row({name: rows[name] for name in LIFE} | _windows(rows, newest_s))
    decayed = {f"{name}_{days:g}d": rows[name][:, i] for name in DECAYED for i, days in enumerate(HALF_LIVES_DAYS)}
    sums = _by_row({name: rows[name] for name in SUMS} | decayed)
    recent = [[day for day in days if day] for days in rows["recent_days"].tolist()]
    return dict(zip(customers, map(Kept, exact, recent, sums, risks), strict=True))


def _windows(rows: Records, newest_s: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Every window as at the newest event, and the usual gap; refunds are left out, for the stream has none."""
    columns: dict[str, NDArray[Any]] = {"usual_gap_days": rows["usual_gap_half_days"] / 2}
    for days, rings in RINGS.items():
        columns |= {ring: window_sum(rows, ring, days, newest_s) for ring in rings if not ring.startswith("refunded")}
        columns[f"complaints_{days}d"], columns[f"severity_{days}d"] = complaint_sums(rows, days, newest_s)
    return columns


def _by_row(columns: Mapping[str, NDArray[Any]]) -> list[dict[str, float]]:
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in values]


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
    """What a state of `peers.job` says."""
    exact = {name: state[name] for name in (*LIFE, "usual_gap_days")} | peers_sums(state["windows"])
    exact |= peers_complaint_sums(state["last_complaints"], state["seen_ms"] // 1000)
    decayed = {f"{name}_{days:g}d": value for name in DECAYED for days, value in zip(HALF_LIVES_DAYS, state[name], strict=True)}
    return Kept(exact, state["recent_days"], {name: state[name] for name in SUMS} | decayed, state["risk"])


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
    fields = next(iter(expected.values())).names() if expected else []
    return Equality(len(expected), list(found), fields)


def _same(one: Kept, other: Kept) -> bool:
    if (one.exact, one.recent_days) != (other.exact, other.recent_days) or one.sums.keys() != other.sums.keys():
        return False
    near = all(isclose(value, other.sums[name], rel_tol=SUMS_WITHIN) for name, value in one.sums.items())
    return near and abs(one.risk - other.risk) <= RISK_WITHIN
