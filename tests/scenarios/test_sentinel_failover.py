"""The primary of Redis dies or freezes under load, sentinels promote a replica, and workers go on: nothing lost or counted twice.

Replicas are cut off before, so that what the primary took last is lost for certain. Then `redis.wait_replicas` decides whether
anybody has seen what is gone: with 1 no message of a lost commit has left.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.brokers import RunningBroker
from tests.support.eventually import wait_until
from tests.support.orphans import orphaned_commits
from tests.support.redis_sentinels import WatchedRedis
from tests.support.redis_servers import RunningRedis
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


@pytest.mark.parametrize("wait_replicas", [pytest.param(0, marks=pytest.mark.long), 1])
def test_a_primary_killed_with_commits_that_no_replica_has(
    wait_replicas: int, year: Replayed, real_kafka: RunningBroker, own_sentinels: WatchedRedis, prefix: str, tmp_path: Path
) -> None:
    more = SETTINGS | {"CHURNWATCH_REDIS__WAIT_REPLICAS": str(wait_replicas), "CHURNWATCH_REDIS__WAIT_MS": "300"}
    site = Site(real_kafka, own_sentinels, prefix, year, **more)
    with Fleet(site.environment, tmp_path) as fleet:
        worker = fleet.start()
        replay = site.begin_replay(days_per_s=80)
        fleet.until(lambda: all(seq > 0 for seq, _ in numbers(site)), "every partition has committed")
        own_sentinels.caught_up()  # a partition that a failover takes back to nothing is refused, as from an empty Redis
        own_sentinels.cut_off()
        cut = numbers(site)
        fleet.until(lambda: all(now >= then + 2 for (now, _), (then, _) in zip(numbers(site), cut, strict=True)), "more commits")
        lost = numbers(site)
        if not wait_replicas:
            fleet.until(lambda: any(left(site, p) > last for p, (_, last) in enumerate(lost)), "some of their messages have left")
        former = own_sentinels.primary()
        former.kill()
        fleet.until(lambda: worker.said("redis lost commits; reading them again"), "the loss is noticed")
        fleet.until(lambda: own_sentinels.primary() is not former, "the sentinels name it too")  # the worker may know it before
        site.finish(replay)
        fleet.until(site.caught_up, "every row committed and every message sent", 120)
        fleet.until(worker.ready, "the worker is ready")
        assert fleet.stop() == [0]
    orphaned = orphaned_commits(site)
    print(f"wait_replicas={wait_replicas}: messages of {orphaned} lost commits had left")  # noqa: T201 # pytest shows it with -rP
    assert (orphaned == 0) == (wait_replicas > 0)
    assert_counted_once(site)
    assert_as_from_the_file(site)
    assert_alerts_as_from_the_file(site)
    assert_journal_is_whole(site, redis_lost_commits=not wait_replicas)


def numbers(site: Site) -> list[tuple[int, int]]:
    """Last commit and last message of each partition."""
    metas = [site.meta(p) for p in range(PARTITIONS)]
    return [(meta.seq, meta.outbox_no) for meta in metas]


def left(site: Site, partition: int) -> int:
    """The first message that waits in the outbox, or beyond the last one."""
    with site.redis.client() as client:
        waiting = client.xrange(f"{site.prefix}state:{{{partition}}}:outbox", count=1)
    return int(waiting[0][0].split(b"-")[0]) if waiting else site.meta(partition).outbox_no + 1


@pytest.mark.long
def test_a_frozen_primary_that_wakes_when_another_has_taken_over_is_written_to_no_more(
    year: Replayed, real_kafka: RunningBroker, own_sentinels: WatchedRedis, prefix: str, tmp_path: Path
) -> None:
    """It calls itself the primary, and would take every commit, until sentinels demote it seconds later."""
    more = SETTINGS | {"CHURNWATCH_REDIS__WAIT_REPLICAS": "1", "CHURNWATCH_REDIS__WAIT_MS": "300"}
    site = Site(real_kafka, own_sentinels, prefix, year, **more)
    with Fleet(site.environment, tmp_path) as fleet:
        first, second = fleet.start(), fleet.start()
        fleet.until(lambda: (first.owned(), second.owned()) == (2, 2), "two partitions each")
        replay = site.begin_replay(days_per_s=40)
        fleet.until(lambda: min(first.applied(), second.applied()) > year.events // 16, "a sixteenth applied by each")
        former = own_sentinels.primary()
        former.freeze()
        fleet.until(lambda: own_sentinels.primary() is not former, "a replica is promoted")
        former.thaw()
        replay.send_signal(signal.SIGSTOP)
        fleet.until(lambda: callers(former) == set(), "workers have left the former primary")
        assert role(former) == "master", "it does not know yet"
        seqs = [former_seq(site, former, p) for p in range(PARTITIONS)]
        replay.send_signal(signal.SIGCONT)
        fleet.until(lambda: all(site.meta(p).seq > seq for p, seq in enumerate(seqs)), "commits go on elsewhere")
        assert (role(former), callers(former)) == ("master", set())
        assert [former_seq(site, former, p) for p in range(PARTITIONS)] == seqs
        site.finish(replay)
        fleet.until(site.caught_up, "every row committed and every message sent", 120)
        fleet.until(lambda: first.ready() and second.ready(), "both ready")
        wait_until(lambda: role(former) == "slave", "the former primary is demoted")
        assert fleet.stop() == [0, 0]
    assert orphaned_commits(site) == 0
    assert_counted_once(site)
    assert_as_from_the_file(site)
    assert_alerts_as_from_the_file(site)
    assert_journal_is_whole(site)


def role(server: RunningRedis) -> str:
    with server.client() as client:
        return str(client.info("replication")["role"])


def callers(server: RunningRedis) -> set[str]:
    """What clients other than sentinels, replicas and ourselves asked of it last."""
    with server.client() as client:
        clients = client.client_list()
        mine = str(client.client_id())
    strangers = [one for one in clients if not one["name"].startswith("sentinel") and "S" not in one["flags"]]
    return {one["cmd"] for one in strangers if one["id"] != mine}


def former_seq(site: Site, server: RunningRedis, partition: int) -> int:
    with server.client() as client:
        return int(client.hget(f"{site.prefix}state:{{{partition}}}:meta", "seq") or 0)
