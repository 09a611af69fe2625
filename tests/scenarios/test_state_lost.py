"""A worker that would have to forget customers, or to mix them up, refuses in one line that says what to do."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS
from streams.runtime.admin import wanted_topics
from streams.runtime.kafka_client import admin_client
from tests.oracle.recount import read_plain
from tests.support.brokers import RunningBroker
from tests.support.redis_servers import RunningRedis
from tests.support.replays import PARTITIONS, Replayed, Site, assert_as_from_the_file, group_has_committed
from tests.support.workers import Fleet, WorkerProcess, run_command


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


def assert_refused(site: Site, tmp_path: Path, *said: str, **settings: str) -> None:
    """A worker ends by itself with code 1; what it writes beside its log is one line that holds each of `said`."""
    folder = tmp_path / secrets.token_hex(4)
    folder.mkdir()
    with Fleet(site.environment, folder) as fleet:
        assert_gives_up(fleet, fleet.start(**settings), *said)


def assert_gives_up(fleet: Fleet, worker: WorkerProcess, *said: str) -> None:
    worker.may_end = True
    fleet.until(lambda: worker.exit_code() is not None, "the worker gives up")
    assert worker.exit_code() == 1
    (line,) = worker.plain_lines()
    assert line.startswith("churnwatch: ")
    assert [words for words in said if words not in line] == [], line


def test_state_that_does_not_fit_is_refused_and_left_as_it_is(site: Site, own_redis: RunningRedis, tmp_path: Path) -> None:
    """Another system's; a consumer group that began anew; another number of partitions; nothing where Kafka has progress."""
    work_to_the_end(site, tmp_path)
    records, metas = site.records(), [site.meta(partition) for partition in range(PARTITIONS)]
    other = {"CHURNWATCH_KAFKA__TOPIC_PREFIX": f"{site.prefix}8."}
    assert run_command(["topics", "create"], site.environment | other).returncode == 0
    assert_refused(site, tmp_path, f"on topics {site.prefix}*", f"on {site.prefix}8.*", "its own redis.prefix", **other)
    assert_refused(site, tmp_path, "group another", "`churnwatch rebuild --keep-state`", CHURNWATCH_KAFKA__GROUP="another")
    assert [site.meta(partition) for partition in range(PARTITIONS)] == metas

    with own_redis.client() as client:
        for partition in range(PARTITIONS):  # as after many rebalances of a group that was then deleted
            client.hset(f"{site.prefix}state:{{{partition}}}:meta", "generation", 1000)
    assert_refused(site, tmp_path, "older than 1000", "group was deleted on purpose", "`churnwatch rebuild --keep-state`")
    assert [site.meta(partition).epoch for partition in range(PARTITIONS)] == [meta.epoch for meta in metas]
    with own_redis.client() as client:
        for partition in range(PARTITIONS):
            client.hset(f"{site.prefix}state:{{{partition}}}:meta", "generation", 0)

    with admin_client(site.settings) as admin:
        topics = admin.describe_topics([spec.name for spec in wanted_topics(site.settings)])
        admin.create_partitions({topic["name"]: 8 for topic in topics if len(topic["partitions"]) == PARTITIONS})
    eight = {"CHURNWATCH_KAFKA__PARTITIONS": "8"}
    assert_refused(site, tmp_path, "kafka.partitions: 8", "Redis was written for 4", **eight)
    assert site.records() == records

    with own_redis.client() as client:
        client.flushall()
    assert_refused(site, tmp_path, "Redis knows nothing", "has read", "state was lost", "`churnwatch rebuild`", **eight)
    with own_redis.client() as client:
        assert client.dbsize() == 0, "nothing was written before it refused"


def test_redis_emptied_under_a_working_worker_is_refused(site: Site, own_redis: RunningRedis, tmp_path: Path) -> None:
    site.replay()
    with Fleet(site.environment, tmp_path) as fleet:
        worker = fleet.start(CHURNWATCH_ENGINE__HEARTBEAT_COMMIT_S="0.5")
        fleet.until(site.caught_up, "every row committed")
        with own_redis.client() as client:
            client.flushall()
        assert_gives_up(fleet, worker, "churnwatch rebuild")
    assert site.records() == {}


def test_topics_that_do_not_fit_are_refused_before_anything_is_written(site: Site, tmp_path: Path) -> None:
    """Another number of partitions than in the settings, one input with more than the others, one missing."""
    prefix = site.prefix
    assert_refused(site, tmp_path, f"{prefix}purchases has 4 partitions, settings say 8", CHURNWATCH_KAFKA__PARTITIONS="8")
    with admin_client(site.settings) as admin:
        admin.create_partitions({f"{prefix}logins": 6})
    assert_refused(site, tmp_path, f"{prefix}logins has 6 partitions, settings say 4", "churnwatch topics check")
    with admin_client(site.settings) as admin:
        admin.delete_topics([f"{prefix}complaints"])
    assert_refused(site, tmp_path, f"{prefix}complaints does not exist", "`churnwatch topics create`")
    assert [site.meta(partition).epoch for partition in range(PARTITIONS)] == [0] * PARTITIONS


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
