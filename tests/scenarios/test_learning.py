"""A history is learnt from while it is replayed: what follows a tick is scored by the model that was learnt by then.

Models and alerts are what engine and learner make of the file alone, byte by byte, whoever is killed and whenever.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS
from tests.oracle.journal_repeat import repeat
from tests.oracle.recount import read_plain
from tests.support.brokers import RunningBroker
from tests.support.learning import (
    LEARNER,
    LEARNING,
    Learnt,
    assert_model_alerts_as_from_the_file,
    assert_models_as_from_the_file,
    learnt_to_the_end,
)
from tests.support.left_behind import left_behind
from tests.support.redis_servers import RunningRedis
from tests.support.replays import (
    Site,
    assert_a_backtest_sends_the_same,
    assert_alerts_as_from_the_file,
    assert_as_from_the_file,
    assert_counted_once,
    assert_journal_is_whole,
)
from tests.support.workers import Fleet


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    """About 7,000 events of every type in a quarter of a year."""
    path = tmp_path_factory.mktemp("learnt") / "history.csv"
    events, _ = simulate_customers(400, 90, 20_000 * DAY_MS, seed=9)
    write_history(path, events, "USD", "e")
    return Learnt(str(path), None, lambda: read_plain(path), LEARNING)


def assert_as_learnt_from_the_file(site: Site, learnt: Learnt) -> None:
    assert_counted_once(site)
    assert_as_from_the_file(site)
    assert_alerts_as_from_the_file(site)
    assert_journal_is_whole(site)
    assert_models_as_from_the_file(site, learnt)
    assert_model_alerts_as_from_the_file(site, learnt)


def run_to_the_end(site: Site, learnt: Learnt, fleet: Fleet) -> None:
    """Every row is committed, every message sent, and the last tick learnt."""
    fleet.until(site.caught_up, "every row committed and every message sent")
    fleet.until(lambda: learnt_to_the_end(site, learnt), "the last tick learnt")


def test_a_replay_scores_each_tick_by_what_was_learnt_by_then(
    learnt: Learnt, real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Site(real_kafka, real_redis, prefix, learnt)
    with Fleet(site.environment, tmp_path) as fleet:
        first, second, learner = fleet.start(), fleet.start(), fleet.start(LEARNER)
        fleet.until(lambda: (first.owned(), second.owned()) == (2, 2), "two partitions each")
        fleet.until(learner.ready, "the learner ready")
        site.replay()
        run_to_the_end(site, learnt, fleet)
        assert fleet.stop() == [0, 0, 0]
    assert_as_learnt_from_the_file(site, learnt)
    assert_a_backtest_sends_the_same(site, tmp_path)
    repeated = repeat(left_behind(site.settings, site.meta))
    assert repeated.records == site.records(), "the journal and the models on their topic give the run once more"
    assert len({entry.model for entries in repeated.commits.values() for entry in entries}) > 20


def test_learners_and_a_worker_killed_in_the_middle(
    learnt: Learnt, real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Site(real_kafka, real_redis, prefix, learnt)
    with Fleet(site.environment, tmp_path) as fleet:
        first, second, learner = fleet.start(), fleet.start(), fleet.start(LEARNER)
        fleet.until(lambda: (first.owned(), second.owned()) == (2, 2), "two partitions each")
        site.replay()
        for share in (0.2, 0.4, 0.6):
            fleet.until(lambda: site.committed_rows() > share * learnt.rows, f"{share:g} of the rows committed")  # noqa: B023
            learner.kill()
            learner = fleet.start(LEARNER)
        fleet.until(lambda: site.committed_rows() > 0.7 * learnt.rows, "most rows committed")
        first.kill()
        assert site.committed_rows() < learnt.rows, "it was to be killed in the middle"
        run_to_the_end(site, learnt, fleet)
        assert fleet.stop() == [0, 0]
    assert_as_learnt_from_the_file(site, learnt)
