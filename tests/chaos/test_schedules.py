"""Some schedules of `make chaos`, in the time that CI has. The whole is `make chaos SEEDS=20`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.run import play
from tests.chaos.schedule import Stage, schedule
from tests.chaos.stages import BrokerPark
from tests.support.broker_fixtures import missing
from tests.support.brokers import KafkaMissing
from tests.support.redis_servers import RedisMissing

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def park(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerPark]:
    with BrokerPark(tmp_path_factory.mktemp("park")) as found:
        yield found


@pytest.mark.parametrize(
    ("stage", "kinds"),
    [
        ("plain", ["commit_reply_lost", "worker_zombie", "producer_storm", "broker_restart", "clock_jump"]),
        ("brokers", ["broker_lost", "worker_sigkill", "outbox_target_down"]),
        ("replica", ["redis_failover", "worker_frozen_in_assignment"]),
    ],
    ids=["plain", "brokers", "replica"],
)
def test_nothing_is_lost_nothing_counts_twice_and_every_alert_arrives(
    stage: Stage, kinds: list[str], park: BrokerPark, tmp_path: Path
) -> None:
    drawn = schedule(101, kinds, stage)
    try:
        played = play(drawn, park, tmp_path, customers=600, day_s=0.04)
    except (KafkaMissing, RedisMissing) as why:
        missing("Apache Kafka or Redis", why)
    assert played.verdict.right, played.verdict
    assert played.verdict.alerts_expected > 1000
