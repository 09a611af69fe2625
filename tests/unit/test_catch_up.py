"""The digest at the switch: whom it names, in which order, and what it counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alerts.stages.holdout import in_holdout
from detectors.parameters import SHIPPED
from detectors.served import ServedModel
from streams.columns import DAY_MS
from streams.customer import new_records, row_bytes
from streams.runtime.catch_up import FIRST_READ, build_digest, digest_id
from streams.runtime.commits import PastAlerts
from streams.runtime.customer_view import Judges
from streams.runtime.rules import engine_rules
from streams.runtime.settings import load_settings
from streams.runtime.standing import Standing
from streams.runtime.store import CommitRequest
from tests.support.memory_store import MemoryStore

NOW_MS = 20_000 * DAY_MS
SETTINGS = load_settings(None, {"CHURNWATCH_KAFKA__PARTITIONS": "2", "CHURNWATCH_POLICY__HOLDOUT_SHARE": "0.1"})
JUDGES = Judges(engine_rules(SETTINGS), ServedModel(SHIPPED, SETTINGS.risk.horizon_days))
STANDING = Standing(0, {}, NOW_MS, NOW_MS - 5, NOW_MS, "", PastAlerts(), {"watch": 1, "high": 0, "critical": 4})
SINCE = "2020-01-01T00:00:00.000Z"


class Base:
    """Customers in a store, all of whom bought twice half a year ago."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self._listed: dict[int, list[tuple[str, bytes, float]]] = {0: [], 1: []}

    def add(self, partition: int, customer: str, risk_bp: int, tier: int, spent_minor: int = 0) -> None:
        row = new_records(1)
        bought_day = NOW_MS // DAY_MS - 180
        row["first_seen_s"], row["ring_s"] = (bought_day - 9) * 86_400, bought_day * 86_400
        row["first_day"], row["purchases"], row["purchase_days"] = bought_day - 9, 2, 2
        row["last_purchase_ms"] = row["seen_ms"] = bought_day * DAY_MS
        row["recent_days"][0, :2] = bought_day, bought_day - 9
        row["risk_bp"], row["spent_minor"], row["policy"]["tier"] = risk_bp, spent_minor, tier
        self._listed[partition].append((customer, row_bytes(row)[0], risk_bp / 10_000))

    async def committed(self) -> MemoryStore:
        for partition, listed in self._listed.items():
            meta = await self.store.take_epoch(partition, 1, 2, "me")
            records, risk = [(who, blob) for who, blob, _ in listed], [(who, share) for who, _, share in listed]
            await self.store.commit(partition, meta.epoch, "me", CommitRequest(1, "c", records=records, risk=risk))
        return self.store


def free(name: str, count: int) -> list[str]:
    """So many ids that are not held out."""
    ids = (f"{name}{k:05}" for k in range(10 * count))
    return [one for one in ids if not in_holdout(one, 0.1, SETTINGS.policy.holdout_salt)][:count]


async def named(base: Base, *more: Standing) -> list[str]:
    digest = await build_digest(await base.committed(), SETTINGS, JUDGES, [STANDING, *more], NOW_MS)
    return [one.customer_id for one in digest.top]


async def test_the_ten_of_highest_risk_over_all_partitions_are_named_and_then_those_who_spent_most() -> None:
    base = Base()
    eight, tied = free("eight", 8), free("tied", 6)
    for k, customer in enumerate(eight):
        base.add(k % 2, customer, 9_900 - k, tier=3)
    for k, customer in enumerate(tied):
        base.add(k % 2, customer, 9_000, tier=3, spent_minor=100 * (k % 3))
    assert await named(base, replace(STANDING, partition=1)) == [*eight, tied[2], tied[5]]


async def test_those_who_are_not_alerted_or_held_out_are_passed_over_however_many_are_ahead() -> None:
    base = Base()
    for customer in free("quiet", 5 * FIRST_READ):
        base.add(0, customer, 9_999, tier=0)
    held = next(one for one in (f"held{k}" for k in range(1_000)) if in_holdout(one, 0.1, SETTINGS.policy.holdout_salt))
    base.add(0, held, 9_998, tier=3)
    loud = free("loud", 12)
    for customer in loud:
        base.add(0, customer, 7_000, tier=2)
    assert await named(base) == loud[:10], "of equals the ids decide"


async def test_of_very_many_equals_those_who_spent_most_are_found() -> None:
    base, equals = Base(), free("equal", 3 * FIRST_READ)
    worth = np.random.default_rng(3).permutation(len(equals))
    for customer, minor in zip(equals, worth.tolist(), strict=True):
        base.add(0, customer, 10_000, tier=3, spent_minor=minor)
    assert await named(base) == [equals[int(np.flatnonzero(worth == len(equals) - 1 - k)[0])] for k in range(10)]


async def test_it_counts_what_all_partitions_have_booked_and_is_told_in_words() -> None:
    base = Base()
    base.add(0, free("anna", 1)[0], 9_000, tier=3)
    other = replace(STANDING, partition=1, live_after_ms=NOW_MS + 7, past=PastAlerts(30, SINCE))
    found = [replace(STANDING, past=PastAlerts(12, "2021-01-01T00:00:00.000Z")), other]
    digest = await build_digest(await base.committed(), SETTINGS, JUDGES, found, NOW_MS)
    assert (digest.kind, digest.alerts, digest.since, digest.until) == ("catch_up", 42, SINCE, "2024-10-04T00:00:00.007Z")
    assert digest.by_tier == {"watch": 2, "high": 0, "critical": 8}
    (entry,) = digest.top
    assert entry.tier == "critical"
    assert 0 < entry.risk <= 1
    assert "180 days" in entry.text
    assert digest.digest_id == digest_id(SETTINGS, NOW_MS)


async def test_a_system_without_alerts_is_told_so() -> None:
    found = [replace(STANDING, by_tier=dict.fromkeys(("watch", "high", "critical"), 0))]
    digest = await build_digest(await Base().committed(), SETTINGS, JUDGES, found, NOW_MS)
    assert (digest.alerts, digest.top, set(digest.by_tier.values())) == (0, [], {0})
    assert digest.since == digest.until


@pytest.mark.parametrize("variable", ["CHURNWATCH_KAFKA__GROUP", "CHURNWATCH_KAFKA__TOPIC_PREFIX"])
def test_each_system_and_each_switch_has_a_digest_of_its_own(variable: str) -> None:
    other = load_settings(None, {variable: "other"})
    assert len({digest_id(SETTINGS, NOW_MS), digest_id(SETTINGS, NOW_MS + 1_000), digest_id(other, NOW_MS)}) == 3
