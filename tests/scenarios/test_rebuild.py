"""The remedies that a refusing worker names, to their end: afterwards a worker works and the state is that of the file."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS
from streams.runtime.admin import delete_group
from tests.oracle.recount import read_plain
from tests.support.brokers import RunningBroker
from tests.support.contents import contents
from tests.support.redis_servers import RunningRedis
from tests.support.replays import (
    PARTITIONS,
    Replayed,
    Site,
    assert_alerts_as_from_the_file,
    assert_as_from_the_file,
    assert_counted_once,
    assert_journal_is_whole,
    group_has_committed,
)
from tests.support.workers import Fleet, WorkerProcess, run_command


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """Some thousand events, and silence long enough for alerts."""
    path = tmp_path_factory.mktemp("history") / "history.csv"
    events, _ = simulate_customers(80, 150, 20_000 * DAY_MS, seed=2)
    write_history(path, events, "USD", "e")
    return Replayed(str(path), None, lambda: read_plain(path))


@pytest.fixture
def site(real_kafka: RunningBroker, own_redis: RunningRedis, prefix: str, history: Replayed) -> Site:
    return Site(real_kafka, own_redis, prefix, history)


def rebuild(site: Site, *options: str) -> subprocess.CompletedProcess[str]:
    return run_command(["rebuild", *options], site.environment)


def assert_refused(fleet: Fleet, worker: WorkerProcess, remedy: str) -> None:
    """It ends by itself, and its line names the remedy."""
    worker.may_end = True
    fleet.until(lambda: worker.exit_code() is not None, "the worker gives up")
    assert worker.exit_code() == 1
    (line,) = worker.plain_lines()
    assert remedy in line


def assert_works_to_the_end(fleet: Fleet, site: Site) -> None:
    worker = fleet.start()
    fleet.until(site.caught_up, "every row committed and every message sent")
    fleet.until(worker.ready, "ready")
    assert fleet.stop() == [0]


def test_redis_that_lost_everything_is_rebuilt_from_the_topics(site: Site, own_redis: RunningRedis, tmp_path: Path) -> None:
    """The past's alerts are sent again, under the same ids and with the same bytes."""
    site.replay()
    with Fleet(site.environment, tmp_path) as fleet:
        worker = fleet.start()
        fleet.until(site.caught_up, "every row committed")
        fleet.until(lambda: group_has_committed(site), "offsets committed in Kafka")
        running = rebuild(site, "--yes")
        assert (running.returncode, "stop the workers first" in running.stderr) == (1, True), running.stderr
        assert worker.ready()
        assert fleet.stop() == [0]
        assert assert_alerts_as_from_the_file(site) == 0
        before = contents(site)
        with own_redis.client() as client:
            client.flushall()
        assert_refused(fleet, fleet.start(), "`churnwatch rebuild")
        without = rebuild(site)
        assert (without.returncode, "add --yes" in without.stderr) == (1, True), without.stderr
        assert group_has_committed(site), "refused, so nothing was forgotten"
        done = rebuild(site, "--yes")
        assert (done.returncode, "start the workers" in done.stdout) == (0, True), done.stderr
        assert_works_to_the_end(fleet, site)
    assert contents(site) == before
    assert_counted_once(site)
    assert_as_from_the_file(site)
    sent = len(site.replayed.from_engine.alerts)
    assert sent > 0
    assert assert_alerts_as_from_the_file(site) == sent


def test_state_that_redis_still_has_is_deleted_only_with_yes(site: Site, tmp_path: Path) -> None:
    """As when the topics were made anew, so that the offsets in Redis say nothing of them."""
    site.replay()
    with Fleet(site.environment, tmp_path) as fleet:
        assert_works_to_the_end(fleet, site)
        before = site.records()
        assert rebuild(site).returncode == 1
        assert site.records() == before != {}
        assert rebuild(site, "--yes").returncode == 0
        assert (site.records(), site.states(), site.committed_rows()) == ({}, {}, 0)
        assert not group_has_committed(site)
        assert_works_to_the_end(fleet, site)
    assert_as_from_the_file(site)


def test_a_group_that_was_deleted_goes_on_where_redis_is(site: Site, tmp_path: Path) -> None:
    """In the middle of a history; what had been read is not read again."""
    with Fleet(site.environment, tmp_path) as fleet:
        first, second = fleet.start(), fleet.start()
        fleet.until(lambda: (first.owned(), second.owned()) == (2, 2), "two partitions each")
        first.stop()
        fleet.until(lambda: second.owned() == PARTITIONS, "one has all")
        replay = site.begin_replay(days_per_s=40)
        fleet.until(lambda: second.applied() > site.replayed.events // 4, "a quarter applied")
        replay.send_signal(signal.SIGSTOP)
        assert second.stop() == 0
        committed = site.committed_rows()
        assert 0 < committed < site.replayed.rows, "it was to be stopped in the middle"
        delete_group(site.settings)
        assert_refused(fleet, fleet.start(), "`churnwatch rebuild --keep-state`")
        assert site.committed_rows() == committed
        kept = rebuild(site, "--keep-state")
        assert (kept.returncode, f"in {PARTITIONS} of {PARTITIONS} partitions" in kept.stdout) == (0, True), kept.stderr
        replay.send_signal(signal.SIGCONT)
        third = fleet.start()
        site.finish(replay)
        fleet.until(site.caught_up, "every row committed and every message sent")
        assert 0 < third.applied() < site.replayed.events
        assert fleet.stop() == [0]
    assert_counted_once(site)
    assert_as_from_the_file(site)
    assert assert_alerts_as_from_the_file(site) == 0
    assert_journal_is_whole(site)
