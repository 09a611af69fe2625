"""Servers that a scenario may kill, and assertions of its helpers that say what they compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker_fixtures import missing
from tests.support.brokers import KafkaBroker, KafkaMissing, kafka_broker
from tests.support.redis_servers import RedisMissing, RunningRedis, redis_server

pytest.register_assert_rewrite("tests.support.replays", "tests.support.workers")


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RunningRedis]:
    """A redis-server that this test alone has."""
    try:
        with redis_server(tmp_path / "redis") as server:
            yield server
    except RedisMissing as why:
        missing("Redis", why)


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaBroker]:
    """An Apache Kafka that this test alone has."""
    folder = tmp_path / "kafka"
    folder.mkdir()
    try:
        with kafka_broker(folder) as broker:
            yield broker
    except KafkaMissing as why:
        missing("Apache Kafka", why)
