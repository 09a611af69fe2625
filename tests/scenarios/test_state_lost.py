"""A worker that would have to forget customers, or to mix them up, refuses in one line that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS
from streams.runtime.kafka_client import admin_client
from tests.oracle.recount import read_plain
from tests.support.brokers import RunningBroker
from tests.support.redis_servers import RunningRedis
from tests.support.replays import Replayed, Site, assert_as_from_the_file
from tests.support.workers import Fleet, WorkerProcess


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """A few hundred events."""
    path = tmp_path_factory.mktemp("small") / "history.csv"
    events, _ = simulate_customers(30, 60, 20_000 * DAY_MS, seed=1)
    write_history(path, events, "USD", "e")
    return Replayed(str(path), None, lambda: read_plain(path))


@pytest.fixture
def site(real_kafka: RunningBroker, own_redis: RunningRedis, prefix: str, small: Replayed) -> Site:
    return Site(real_kafka, own_redis, prefix, small)


def work_to_the_end(site: Site, tmp_path: Path) -> None:
    """Replay, one worker, until the group has committed offsets in Kafka too."""
    site.replay()
    with Fleet(site.environment, tmp_path) as fleet:
        fleet.start()
        fleet.until(site.caught_up, "every row committed")
        fleet.until(lambda: group_has_committed(site), "offsets committed in Kafka")
        assert fleet.stop() == [0]


def group_has_committed(site: Site) -> bool:
    with admin_client(site.settings) as admin:
        group = site.settings.kafka.group
        return any(found.offset > 0 for found in admin.list_group_offsets({group: None})[group].values())


def assert_refused(site: Site, tmp_path: Path, *said: str, **settings: str) -> None:
    """A worker ends by itself with code 1; what it writes beside its log is one line that holds each of `said`."""
    (tmp_path / "refused").mkdir()
    with Fleet(site.environment, tmp_path / "refused") as fleet:
        worker = fleet.start(**settings)
        fleet.until(lambda: ended(worker), "the worker refuses", 30.0)
        assert worker.exit_code() == 1
        (line,) = worker.plain_lines()
        assert line.startswith("churnwatch: ")
        assert [words for words in said if words not in line] == [], line


def ended(worker: WorkerProcess) -> bool:
    return worker.exit_code() is not None


def test_redis_emptied_behind_offsets_in_kafka_is_refused(site: Site, own_redis: RunningRedis, tmp_path: Path) -> None:
    work_to_the_end(site, tmp_path)
    with own_redis.client() as client:
        client.flushall()
    assert_refused(site, tmp_path, "Redis knows nothing", "has read", "churnwatch rebuild")
    assert site.records() == {}


def test_redis_emptied_under_a_working_worker_is_refused(site: Site, own_redis: RunningRedis, tmp_path: Path) -> None:
    site.replay()
    with Fleet(site.environment, tmp_path) as fleet:
        worker = fleet.start(CHURNWATCH_ENGINE__HEARTBEAT_COMMIT_S="0.5")
        fleet.until(site.caught_up, "every row committed")
        with own_redis.client() as client:
            client.flushall()
        fleet.until(lambda: ended(worker), "the worker refuses", 30.0)
        assert worker.exit_code() == 1
        (line,) = worker.plain_lines()
        assert "churnwatch rebuild" in line


def test_a_group_deleted_on_purpose_is_refused_with_its_remedy(site: Site, tmp_path: Path) -> None:
    work_to_the_end(site, tmp_path)
    with admin_client(site.settings) as admin:
        assert isinstance(admin, KafkaAdminClient)
        admin.delete_groups([site.settings.kafka.group])
    for partition in range(4):  # as after many rebalances of the deleted group
        with site.redis.client() as client:
            client.hset(f"{site.prefix}state:{{{partition}}}:meta", "generation", 100)
    assert_refused(site, tmp_path, "generation", "churnwatch rebuild --keep-state")


def test_another_number_of_partitions_than_redis_was_written_for_is_refused(site: Site, tmp_path: Path) -> None:
    work_to_the_end(site, tmp_path)
    assert_refused(site, tmp_path, "kafka.partitions", "set 4", CHURNWATCH_KAFKA__PARTITIONS="8")


def test_another_number_of_partitions_than_the_topics_have_is_refused(site: Site, tmp_path: Path) -> None:
    assert_refused(site, tmp_path, "has 4 partitions, settings say 8", CHURNWATCH_KAFKA__PARTITIONS="8")
    assert site.meta(0).epoch == 0, "nothing may have been written for a number that is wrong"


def test_inputs_with_unequal_partitions_are_refused(site: Site, tmp_path: Path) -> None:
    with admin_client(site.settings) as admin:
        admin.create_partitions({f"{site.prefix}logins": 6})
    assert_refused(site, tmp_path, "logins", "6 partitions")


def test_missing_topics_are_refused(site: Site, tmp_path: Path) -> None:
    with admin_client(site.settings) as admin:
        admin.delete_topics([f"{site.prefix}complaints"])
    assert_refused(site, tmp_path, f"{site.prefix}complaints", "churnwatch topics create")


def test_a_worker_waits_for_a_broker_and_a_redis_that_are_away_and_ends_at_once_when_told(
    site: Site, own_kafka: RunningBroker, own_redis: RunningRedis, tmp_path: Path
) -> None:
    own_kafka.kill()
    own_redis.kill()
    with Fleet(site.environment, tmp_path) as fleet:
        without_redis = fleet.start()
        without_broker = fleet.start(CHURNWATCH_KAFKA__BOOTSTRAP=own_kafka.bootstrap)
        for worker in (without_redis, without_broker):
            fleet.until(lambda worker=worker: worker.said("trying again"), "it tries again")  # type: ignore[misc]
            assert worker.get("/healthz")[0] == 200
            assert worker.get("/readyz")[0] == 503
        assert without_broker.stop() == 0
        own_redis.start()
        fleet.until(without_redis.ready, "ready once Redis is back")
        site.replay()
        fleet.until(site.caught_up, "every row committed")
        own_redis.kill()
        fleet.until(lambda: without_redis.get("/readyz")[0] == 503, "not ready without Redis")
        assert without_redis.stop() == 0
        own_redis.start()
    assert_as_from_the_file(site)
