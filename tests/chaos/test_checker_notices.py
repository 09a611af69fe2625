"""The checker is no good unless it notices: workers with a safeguard taken out, on real servers, must be found out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.run import play
from tests.chaos.sabotage import command
from tests.chaos.schedule import schedule
from tests.chaos.stages import BrokerPark
from tests.support.broker_fixtures import missing
from tests.support.brokers import KafkaMissing
from tests.support.redis_servers import RedisMissing

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def park(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerPark]:
    with BrokerPark(tmp_path_factory.mktemp("park")) as found:
        yield found


def test_what_a_worker_does_whom_no_fence_stops(park: BrokerPark, tmp_path: Path) -> None:
    for seed in (1, 2, 3):  # one that wakes with nothing in hand does no harm, and there is nothing to notice
        (tmp_path / str(seed)).mkdir()
        zombies = schedule(seed, ["worker_zombie"], "plain")
        try:
            played = play(zombies, park, tmp_path / str(seed), day_s=0.03, command=command("fence"), insist=False)
        except (KafkaMissing, RedisMissing) as why:
            missing("Apache Kafka or Redis", why)
        if noticed := played.verdict.twice or (played.rested and played.verdict.lost):
            break
    assert noticed
    assert not played.verdict.right


def test_repeats_that_count_and_messages_that_never_leave(park: BrokerPark, tmp_path: Path) -> None:
    try:
        played = play(
            schedule(2, ["worker_joins"], "plain"), park, tmp_path, customers=400, day_s=0.0, command=command("dedup", "outbox")
        )
    except (KafkaMissing, RedisMissing) as why:
        missing("Apache Kafka or Redis", why)
    assert played.verdict.twice
    assert not played.verdict.lost
    assert played.verdict.alerts_missing
    assert played.verdict.labels_missing
    assert not played.verdict.right
