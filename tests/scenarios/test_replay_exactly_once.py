"""Nothing is counted twice and nothing is lost, whatever happens to workers, Redis and broker in the middle of a history.

Every scenario replays a history through a real broker to real worker processes and ends with the same assertions: counts and
sums of every customer are what pandas finds in the file; records, partition states and alerts are byte by byte what the engine
makes of the file without Kafka and Redis; the journal's commits are numbered without a gap.
"""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path

import pytest

from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS
from tests.oracle.recount import read_cdnow, read_online_retail, read_plain
from tests.support.brokers import RunningBroker
from tests.support.redis_servers import RunningRedis
from tests.support.replays import (
    PARTITIONS,
    Replayed,
    Site,
    assert_a_backtest_sends_the_same,
    assert_alerts_as_from_the_file,
    assert_as_from_the_file,
    assert_counted_once,
    assert_journal_is_whole,
)
from tests.support.workers import REPO, Fleet

SMALL_COMMITS = {"CHURNWATCH_ENGINE__MAX_ROWS": "500"}
"""Many commits, so that what happens in the middle meets them at many places."""


@pytest.fixture(scope="module")
def cdnow() -> Replayed:
    found = importlib.util.find_spec("lifetimes")
    if found is None or found.origin is None:
        pytest.skip("CDNOW is read from the `lifetimes` wheel, which is not installed")
    path = Path(found.origin).parent / "datasets" / "CDNOW_master.txt"
    return Replayed("cdnow:", None, lambda: read_cdnow(path))


@pytest.fixture(scope="module")
def online_retail() -> Replayed:
    path = REPO.parent / "shared" / "data" / "online_retail_ii_invoices.csv.gz"
    if not path.is_file():
        pytest.skip(f"Online Retail II is not beside the repository: no {path.name} in ../shared/data")
    settings = {"CHURNWATCH_MONEY__BASE_CURRENCY": "GBP", "CHURNWATCH_MONEY__RATES": '{"GBP": 1}'}
    return Replayed(str(path), "online-retail-ii", lambda: read_online_retail(path), settings)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """About 50,000 events of every type in one year."""
    path = tmp_path_factory.mktemp("simulated") / "history.csv"
    events, _ = simulate_customers(1300, 365, 20_000 * DAY_MS, seed=4)
    write_history(path, events, "USD", "e")
    return Replayed(str(path), None, lambda: read_plain(path))


def assert_nothing_lost_or_counted_twice(site: Site, *, redis_lost_commits: bool = False) -> int:
    """Returns how many alerts were sent more than once."""
    assert_counted_once(site)
    assert_as_from_the_file(site)
    repeats = assert_alerts_as_from_the_file(site)
    assert_journal_is_whole(site, redis_lost_commits=redis_lost_commits)
    return repeats


def run_to_the_end(site: Site, fleet: Fleet) -> None:
    """Every row is committed, every message sent, and every worker that lives is well."""
    fleet.until(site.caught_up, "every row committed and every message sent")
    fleet.until(lambda: all(worker.ready() for worker in fleet.running()), "every worker ready")


@pytest.mark.parametrize("name", ["cdnow", "online_retail"])
def test_two_workers_make_of_a_real_history_what_the_file_holds(
    name: str, request: pytest.FixtureRequest, real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Site(real_kafka, real_redis, prefix, request.getfixturevalue(name))
    with Fleet(site.environment, tmp_path) as fleet:
        first, second = fleet.start(), fleet.start()
        fleet.until(lambda: first.ready() and second.ready(), "both ready")
        fleet.until(lambda: (first.owned(), second.owned()) == (2, 2), "two partitions each")
        site.replay()
        run_to_the_end(site, fleet)
        assert fleet.applied() == site.replayed.events
        assert min(first.applied(), second.applied()) > 0
        assert fleet.stop() == [0, 0]
    assert assert_nothing_lost_or_counted_twice(site) == 0
    assert_a_backtest_sends_the_same(site, tmp_path)


def test_a_worker_killed_and_another_joining_in_the_middle(
    simulated: Replayed, real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Site(real_kafka, real_redis, prefix, simulated, **SMALL_COMMITS)
    with Fleet(site.environment, tmp_path) as fleet:
        victim, other = fleet.start(), fleet.start()
        fleet.until(lambda: (victim.owned(), other.owned()) == (2, 2), "two partitions each")
        replay = site.begin_replay(days_per_s=40)
        fleet.until(lambda: fleet.applied() > simulated.events // 5, "a fifth applied")
        replay.send_signal(signal.SIGSTOP)  # on a slow machine the history would be over before a worker has started
        joined = fleet.start()
        # both may keep two partitions each, and the third stand by until one is killed
        fleet.until(lambda: joined.ready() and victim.owned() > 0, "the third worker has joined")
        replay.send_signal(signal.SIGCONT)
        fleet.until(lambda: fleet.applied() > simulated.events // 2, "half of all applied")
        victim.kill()
        assert site.committed_rows() < simulated.rows, "it was to be killed in the middle"
        fleet.until(lambda: joined.owned() > 0, "the third worker has taken over")
        successor = fleet.start()
        site.finish(replay)
        run_to_the_end(site, fleet)
        assert joined.applied() + successor.applied() > 0
        assert fleet.stop() == [0, 0, 0]
    assert_nothing_lost_or_counted_twice(site)


def test_a_frozen_worker_that_lost_its_partitions_writes_nothing_when_it_wakes(
    simulated: Replayed, real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    """Its tasks have events buffered and know nothing of the time that has passed."""
    site = Site(real_kafka, real_redis, prefix, simulated, CHURNWATCH_ENGINE__MAX_ROWS="50")
    with Fleet(site.environment, tmp_path) as fleet:
        zombie, other = fleet.start(), fleet.start()
        fleet.until(lambda: (zombie.owned(), other.owned()) == (2, 2), "two partitions each")
        replay = site.begin_replay()
        fleet.until(lambda: zombie.applied() > simulated.events // 20, "a twentieth applied by the one to be frozen")
        zombie.freeze()
        assert site.committed_rows() < simulated.rows, "it was to be frozen in the middle"
        epochs = [site.meta(p).epoch for p in range(PARTITIONS)]
        fleet.until(lambda: other.owned() == PARTITIONS, "the other has taken over")
        fleet.until(lambda: sum(site.meta(p).epoch > epochs[p] for p in range(PARTITIONS)) == PARTITIONS, "new epochs")
        zombie.thaw()
        site.finish(replay)
        run_to_the_end(site, fleet)
        fleet.until(lambda: zombie.said("partition lost to a newer owner"), "the zombie has noticed")
        fleet.until(lambda: (zombie.owned(), other.owned()) == (2, 2), "the zombie is back in the group")
        assert fleet.stop() == [0, 0]
    assert_nothing_lost_or_counted_twice(site)


@pytest.mark.parametrize("lost_bytes", [0, 1 << 20], ids=["keeps_all", "goes_back"])
def test_redis_killed_and_started_again_in_the_middle(
    lost_bytes: int, simulated: Replayed, real_kafka: RunningBroker, own_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    """`goes_back`: as after a power cut, the newest commits that Redis had confirmed are gone, alerts sent meanwhile are not."""
    site = Site(real_kafka, own_redis, prefix, simulated, **SMALL_COMMITS)
    with Fleet(site.environment, tmp_path) as fleet:
        first, second = fleet.start(), fleet.start()
        fleet.until(lambda: (first.owned(), second.owned()) == (2, 2), "two partitions each")
        replay = site.begin_replay(days_per_s=40)
        fleet.until(lambda: min(first.applied(), second.applied()) > simulated.events // 8, "an eighth applied by each")
        own_redis.kill()
        cut_append_only_file(tmp_path / "redis", lost_bytes)
        own_redis.start()
        assert site.committed_rows() < simulated.rows, "it was to be killed in the middle"
        site.finish(replay)
        run_to_the_end(site, fleet)
        assert not lost_bytes or any(worker.said("redis lost commits; reading them again") for worker in (first, second))
        assert fleet.stop() == [0, 0]
    assert_nothing_lost_or_counted_twice(site, redis_lost_commits=lost_bytes > 0)


def cut_append_only_file(folder: Path, nbytes: int) -> None:
    """Take away what Redis wrote last; it starts from the last whole transaction before."""
    (path,) = folder.glob("appendonlydir/*.incr.aof")
    assert path.stat().st_size > 2 * nbytes, "so much would take the beginning away too"
    os.truncate(path, path.stat().st_size - nbytes)


def test_the_broker_killed_and_started_again_in_the_middle(
    simulated: Replayed, own_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    """Workers that give up are started again, as a supervisor would."""
    site = Site(own_kafka, real_redis, prefix, simulated, **SMALL_COMMITS)
    site.replay()
    with Fleet(site.environment, tmp_path, supervised=True) as fleet:
        fleet.start()
        fleet.start()
        fleet.until(lambda: fleet.applied() > simulated.events // 8, "an eighth applied")
        own_kafka.kill()
        assert site.committed_rows() < simulated.rows, "it was to be killed in the middle"
        own_kafka.start()
        run_to_the_end(site, fleet)
        assert set(fleet.stop()) == {0}
    assert_nothing_lost_or_counted_twice(site)
