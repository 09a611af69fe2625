"""Servers that a scenario may kill, and a history to replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS
from tests.oracle.recount import read_plain
from tests.support.broker_fixtures import missing
from tests.support.brokers import KafkaBroker, KafkaMissing, kafka_broker
from tests.support.redis_sentinels import WatchedRedis, redis_sentinels
from tests.support.redis_servers import RedisMissing, RunningCluster, RunningRedis, redis_cluster, redis_server
from tests.support.replays import Replayed


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RunningRedis]:
    """A redis-server that this test alone has."""
    try:
        with redis_server(tmp_path / "redis") as server:
            yield server
    except RedisMissing as why:
        missing("Redis", why)


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Callable[[int], RunningCluster]]:
    """Makes a Redis Cluster with so many replicas a primary, which this test alone has."""
    with ExitStack() as stack:

        def start(replicas: int) -> RunningCluster:
            try:
                return stack.enter_context(redis_cluster(tmp_path / "cluster", replicas))
            except RedisMissing as why:
                missing("Redis Cluster", why)

        yield start


@pytest.fixture
def own_sentinels(tmp_path: Path) -> Iterator[WatchedRedis]:
    """A primary, two replicas and three sentinels that this test alone has."""
    try:
        with redis_sentinels(tmp_path / "redis") as watched:
            yield watched
    except RedisMissing as why:
        missing("Redis", why)


@pytest.fixture(scope="session")
def year(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """About 15,000 events of every type in one year."""
    path = tmp_path_factory.mktemp("year") / "history.csv"
    events, _ = simulate_customers(400, 365, 20_000 * DAY_MS, seed=9)
    write_history(path, events, "USD", "e")
    return Replayed(str(path), None, lambda: read_plain(path))


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
