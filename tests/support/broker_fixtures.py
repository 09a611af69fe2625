"""Fixtures with real brokers; tests/conftest.py takes them in.

A broker that cannot run here fails the run in CI (CI=true or CHURNWATCH_REQUIRE_REAL=1); elsewhere its tests are skipped
and say why.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import NoReturn

import pytest
from kafka import KafkaAdminClient

from streams.runtime.embedded import EmbeddedError
from streams.runtime.kafka_client import retried
from tests.support.brokers import KafkaMissing, RunningBroker, kafka_broker, tansu_broker


def real_required() -> bool:
    """Must a missing real part fail the run?"""
    return os.environ.get("CI", "").lower() in ("1", "true") or os.environ.get("CHURNWATCH_REQUIRE_REAL") == "1"


def missing(what: str, why: object) -> NoReturn:
    """Skip, or fail where the real parts are required."""
    message = f"{what} is not to be had here: {why}"
    if real_required():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def real_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """One Apache Kafka for the whole run; topics are told apart by `prefix`. Leave it running and thawed."""
    try:
        with kafka_broker(tmp_path_factory.mktemp("kafka")) as broker:
            make_groups_possible(broker)
            yield broker
    except KafkaMissing as why:
        missing("Apache Kafka", why)


@pytest.fixture(scope="session")
def embedded_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """One embedded broker for the whole run. Leave it running and thawed."""
    try:
        with tansu_broker(tmp_path_factory.mktemp("tansu")) as broker:
            yield broker
    except EmbeddedError as why:
        missing("The embedded broker", why)


@pytest.fixture(params=["kafka", "tansu"])
def broker(request: pytest.FixtureRequest) -> RunningBroker:
    """Either broker: a test that takes this one runs on both."""
    found = request.getfixturevalue("real_kafka" if request.param == "kafka" else "embedded_kafka")
    assert isinstance(found, RunningBroker)
    return found


@pytest.fixture
def prefix() -> str:
    """A prefix for topics and groups that no other test has."""
    return f"t{secrets.token_hex(4)}."


def make_groups_possible(broker: RunningBroker) -> None:
    """Have the topic of committed offsets made now; until it is there, groups get errors that a test may not expect."""
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap, request_timeout_ms=10_000)
    try:
        retried(lambda: admin.list_group_offsets({"nobody": None}), 30.0)
    finally:
        admin.close()
