"""Workers are replaced one after another by those of a newer release, while events keep coming.

The newer release stores customers in another version. The older one, which the tests play, cannot read it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS
from streams.customer import VERSION, VERSION_OFFSET, read_records, row_bytes
from streams.runtime.topics import DEAD_LETTERS
from tests.oracle.recount import read_plain
from tests.support.brokers import RunningBroker
from tests.support.previous_release import KNOWN, PREVIOUS_RELEASE
from tests.support.redis_servers import RunningRedis
from tests.support.replays import (
    PARTITIONS,
    Replayed,
    Site,
    assert_alerts_as_from_the_file,
    assert_counted_once,
    assert_journal_is_whole,
)
from tests.support.workers import Fleet, WorkerProcess

AS_THE_OLD_ONES = {"CHURNWATCH_ENGINE__RECORD_VERSION": str(KNOWN)}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """About 20,000 events of every type in one year."""
    path = tmp_path_factory.mktemp("simulated") / "history.csv"
    events, _ = simulate_customers(500, 365, 20_000 * DAY_MS, seed=5)
    write_history(path, events, "USD", "e")
    return Replayed(str(path), None, lambda: read_plain(path))


def test_two_workers_are_replaced_one_after_another_by_those_of_a_newer_release(
    simulated: Replayed, real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    """First by those that store what the old ones read, so that they may take over from each other either way."""
    site = Site(real_kafka, real_redis, prefix, simulated, CHURNWATCH_ENGINE__MAX_ROWS="200")
    with Fleet(site.environment, tmp_path) as fleet:
        first, second = fleet.start(PREVIOUS_RELEASE), fleet.start(PREVIOUS_RELEASE)
        share(fleet, first, second)
        replay = site.begin_replay(days_per_s=3)
        works(fleet, first, second)

        first.ask_to_stop()
        careful = fleet.start(**AS_THE_OLD_ONES)
        share(fleet, second, careful)
        works(fleet, second, careful)
        assert careful.stop() == 0
        fleet.until(lambda: second.owned() == PARTITIONS, "the old one has taken over from the new one")
        works(fleet, second)
        assert versions(site) == {KNOWN}, "so far every worker can read everything"

        bold = fleet.start()
        share(fleet, second, bold)
        works(fleet, second, bold)
        fleet.until(lambda: versions(site) == {KNOWN, VERSION}, "the new one stores customers in its own version")
        second.may_end = True
        assert bold.stop() == 0  # all would now be the old one's, and half of it is more than it can read
        fleet.until(lambda: second.exit_code() is not None, "the old one has ended by itself")
        assert second.exit_code() == 1
        assert any("upgrade churnwatch" in line for line in second.plain_lines())
        assert site.committed_rows() < simulated.rows, "all this was to happen in the middle"

        third, fourth = fleet.start(), fleet.start()
        share(fleet, third, fourth)
        replay.kill()
        replay.wait()
        site.replay()  # the rest, as fast as may be
        fleet.until(site.caught_up, "every row committed and every message sent")
        assert fleet.stop() == [0, 0]
    assert_nothing_lost_or_counted_twice(site)


def share(fleet: Fleet, *two: WorkerProcess) -> None:
    fleet.until(lambda: [worker.owned() for worker in two] == [2, 2], "two partitions each")


def works(fleet: Fleet, *workers: WorkerProcess) -> None:
    """All of these go on applying events."""
    before = [worker.applied() for worker in workers]
    fleet.until(lambda: all(w.applied() > b for w, b in zip(workers, before, strict=True)), "they apply events")


def versions(site: Site) -> set[int]:
    """Of the records in Redis."""
    return {blob[VERSION_OFFSET] for blob in site.records().values()}


def assert_nothing_lost_or_counted_twice(site: Site) -> None:
    assert_counted_once(site)
    expected = site.replayed.from_engine
    found, rows = site.records(), {}
    for customer, blob in expected.records.items():
        row = read_records([blob])
        rows[customer] = {version: row_bytes(row, version)[0] for version in (KNOWN, VERSION)}
    assert found.keys() == rows.keys()
    assert not [customer for customer, blob in found.items() if blob != rows[customer][blob[VERSION_OFFSET]]]
    assert site.states() == expected.states
    assert site.messages(DEAD_LETTERS) == []
    assert_alerts_as_from_the_file(site)
    assert_journal_is_whole(site)
