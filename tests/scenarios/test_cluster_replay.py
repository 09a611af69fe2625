"""A history replayed to workers whose Redis is a cluster: slots move all the while, nodes die, replicas are promoted.

Every scenario ends with the assertions of `test_replay_exactly_once`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from redis.crc import key_slot
from redis.exceptions import RedisError

from tests.support.brokers import RunningBroker
from tests.support.eventually import wait_until
from tests.support.moving_slots import moving
from tests.support.orphans import orphaned_commits
from tests.support.redis_servers import RunningCluster, RunningRedis, follows_or_leads
from tests.support.replays import (
    PARTITIONS,
    Replayed,
    Site,
    assert_alerts_as_from_the_file,
    assert_as_from_the_file,
    assert_counted_once,
    assert_journal_is_whole,
)
from tests.support.workers import Fleet

SETTINGS = {"CHURNWATCH_ENGINE__MAX_ROWS": "200", "CHURNWATCH_REDIS__TIMEOUT_S": "2"}
SLOTS = [key_slot(b"{%d}" % partition) for partition in range(PARTITIONS)]


def test_slots_move_while_a_worker_and_a_node_are_killed(
    year: Replayed, real_kafka: RunningBroker, own_cluster: Callable[[int], RunningCluster], prefix: str, tmp_path: Path
) -> None:
    """Customers come that no node has seen yet, so that commits meet slots of which one half is here and one half there."""
    cluster = own_cluster(0)
    site = Site(real_kafka, cluster, prefix, year, **SETTINGS | {"CHURNWATCH_ENGINE__MAX_ROWS": "50"})
    with Fleet(site.environment, tmp_path) as fleet:
        victim, other = fleet.start(), fleet.start()
        fleet.until(lambda: (victim.owned(), other.owned()) == (2, 2), "two partitions each")
        slowly = site.begin_replay(days_per_s=20)
        fleet.until(lambda: min(victim.applied(), other.applied()) > 0, "both have begun")
        with moving(cluster, SLOTS) as mover:
            for said, least in (("TRYAGAIN", 10), ("MOVED", 10), ("ASK", 1)):
                fleet.until(lambda said=said, least=least: cluster.redirections(said) >= least, f"{least} times {said}")
            victim.kill()
            successor = fleet.start()
            killed = cluster.agreed_owner(SLOTS[0])
            killed.kill()
            fleet.until(lambda: mover.interrupted > 0, "the mover has met the dead node")
            killed.start()
            slowly.kill()  # the history is not to end before the victim's partitions are taken over
            slowly.communicate()
            fleet.until(lambda: successor.owned() == 2 == other.owned(), "the victim's partitions are taken over")
            assert site.committed_rows() < year.rows, "all of it was to happen in the middle"
            before = mover.moves
            replay = site.begin_replay(days_per_s=80)  # goes on where the other was
            fleet.until(lambda: mover.moves >= before + 2 * PARTITIONS, "every slot has moved twice more")
        site.finish(replay)
        fleet.until(site.caught_up, "every row committed and every message sent", 120)
        fleet.until(lambda: other.ready() and successor.ready(), "both ready")
        assert fleet.stop() == [0, 0]
    assert_counted_once(site)
    assert_as_from_the_file(site)
    assert_alerts_as_from_the_file(site)
    assert_journal_is_whole(site)


@pytest.mark.long
def test_a_primary_of_the_cluster_is_killed_and_its_replica_promoted(
    year: Replayed, real_kafka: RunningBroker, own_cluster: Callable[[int], RunningCluster], prefix: str, tmp_path: Path
) -> None:
    """WAIT must be asked of the slot's owner, before and after: no message of a commit leaves that the failover takes back."""
    cluster = own_cluster(1)
    more = SETTINGS | {"CHURNWATCH_REDIS__WAIT_REPLICAS": "1", "CHURNWATCH_REDIS__WAIT_MS": "300"}
    site = Site(real_kafka, cluster, prefix, year, **more)
    with Fleet(site.environment, tmp_path) as fleet:
        worker = fleet.start()
        replay = site.begin_replay(days_per_s=40)
        fleet.until(lambda: worker.applied() > year.events // 8, "an eighth applied")
        killed = cluster.owner(SLOTS[0])
        assert site.committed_rows() < year.rows, "it was to be killed in the middle"
        killed.kill()
        fleet.until(lambda: owner_of(cluster, SLOTS[0]) not in (None, killed), "a replica is promoted")
        killed.start()
        site.finish(replay)
        fleet.until(site.caught_up, "every row committed and every message sent", 120)
        fleet.until(worker.ready, "the worker is ready")
        wait_until(lambda: follows_or_leads(killed) and cluster.agreed_owner(SLOTS[0]) is not killed, "the former one follows")
        assert fleet.stop() == [0]
    assert orphaned_commits(site) == 0
    assert_counted_once(site)
    assert_as_from_the_file(site)
    assert_alerts_as_from_the_file(site)
    assert_journal_is_whole(site)


def owner_of(cluster: RunningCluster, slot: int) -> RunningRedis | None:
    try:
        return cluster.owner(slot)
    except (RedisError, AssertionError):
        return None
