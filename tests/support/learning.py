"""A history that is learnt from, replayed to workers and a learner; and what the models and alerts of it must be."""

from __future__ import annotations

from typing import Any

import msgspec
from kafka import TopicPartition

from streams.runtime.kafka_client import admin_client, ends, reader
from streams.runtime.reading import read_range
from streams.runtime.topics import MODELS
from streams.serving import SERVING_KEY
from tests.support.replays import Site
from tests.support.workers import COMMAND

LEARNER = (*COMMAND, "learner")
LEARNING = {
    "CHURNWATCH_LEARNING__ENABLED": "true",
    "CHURNWATCH_RISK__HORIZON_DAYS": "6",
    "CHURNWATCH_LEARNING__SNAPSHOTS_PER_HORIZON": "2",
    "CHURNWATCH_LEARNING__MIN_LABELS": "50",
    "CHURNWATCH_LEARNING__SETTLE_LABELS": "50",
    "CHURNWATCH_LEARNING__EVIDENCE_DAYS": "20",
    "CHURNWATCH_LEARNING__REFIT_DAYS": "15",
    "CHURNWATCH_LEARNING__KEEP_MODELS": "5",
    "CHURNWATCH_TIME__LATENESS_S": "0",
}
"""Labels mature within a week, and a few of them say something."""


def records_of(site: Site, topic: str) -> list[Any]:
    """Every record of a topic of one partition (without prefix), in order."""
    tp = TopicPartition(site.prefix + topic, 0)
    with admin_client(site.settings) as admin, reader(site.settings) as client:
        bounds = {one: (bound.first, bound.end) for one, bound in ends(admin, client, [tp]).items()}
        return list(read_range(client, bounds))


def models_by_tick(site: Site) -> dict[int, bytes]:
    """tick -> what served from it on, as bytes. AssertionError where one tick had two."""
    found: dict[int, bytes] = {}
    for record in records_of(site, MODELS):
        if record.key == SERVING_KEY:
            tick_ms = msgspec.json.decode(record.value)["tick_ms"]
            assert found.setdefault(tick_ms, record.value) == record.value, f"two models for the tick {tick_ms}"
    return found
