"""Fixtures with servers that want a login, a certificate and rights; tests/conftest.py takes them in.

What cannot run here fails the run in CI and is skipped aloud elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.broker_fixtures import make_groups_possible, missing
from tests.support.brokers import KafkaMissing
from tests.support.certificates import Authority, OpensslMissing
from tests.support.redis_servers import RedisMissing
from tests.support.secured_kafka import SecuredKafka, secured_kafka
from tests.support.secured_redis import SecuredRedis, secured_redis


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that has signed the servers' certificates, and that they trust."""
    return _made(tmp_path_factory, "ours")


@pytest.fixture(scope="session")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another one, which nobody trusts."""
    return _made(tmp_path_factory, "strangers")


def _made(tmp_path_factory: pytest.TempPathFactory, name: str) -> Authority:
    try:
        return Authority(tmp_path_factory.mktemp("authority"), name)
    except OpensslMissing as why:
        missing("A certificate", why)


@pytest.fixture(scope="session")
def secured_broker(tmp_path_factory: pytest.TempPathFactory, ours: Authority) -> Iterator[SecuredKafka]:
    """One for the whole run; tests keep apart by prefix, and each grants its users what it needs. Leave it running."""
    try:
        with secured_kafka(tmp_path_factory.mktemp("secured-kafka"), ours) as broker:
            make_groups_possible(broker)
            yield broker
    except KafkaMissing as why:
        missing("Apache Kafka", why)


@pytest.fixture(scope="session")
def secured_store(tmp_path_factory: pytest.TempPathFactory, ours: Authority) -> Iterator[SecuredRedis]:
    """One redis-server for the whole run; each test says what its users may do. Leave it running."""
    try:
        with secured_redis(tmp_path_factory.mktemp("secured-redis"), ours) as server:
            yield server
    except RedisMissing as why:
        missing("Redis", why)
