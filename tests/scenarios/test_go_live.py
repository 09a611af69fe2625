"""A history is loaded, and the system goes on live on the same state: nobody is alerted singly for the past, one digest tells."""

from __future__ import annotations

import importlib.util
import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.alert import Digest
from alerts.ids import rfc3339
from detectors.actions import TIERS
from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS
from streams.customer import read_records
from streams.runtime.topics import ALERTS, DEAD_LETTERS
from tests.oracle.recount import read_cdnow, read_plain
from tests.support.brokers import RunningBroker
from tests.support.going_live import AT_ONCE, System, load
from tests.support.live import now_ms
from tests.support.receiver import Receiver, receiver
from tests.support.redis_servers import RunningRedis
from tests.support.replays import PARTITIONS, Replayed, assert_alerts_as_from_the_file, assert_as_from_the_file
from tests.support.workers import Fleet


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """Some thousand events that ended long ago."""
    path = tmp_path_factory.mktemp("history") / "history.csv"
    events, _ = simulate_customers(80, 150, 20_000 * DAY_MS, seed=2)
    write_history(path, events, "USD", "e")
    return Replayed(str(path), None, lambda: read_plain(path), AT_ONCE)


@pytest.fixture(scope="module")
def cdnow() -> Replayed:
    found = importlib.util.find_spec("lifetimes")
    if found is None or found.origin is None:
        pytest.skip("CDNOW is read from the `lifetimes` wheel, which is not installed")
    path = Path(found.origin).parent / "datasets" / "CDNOW_master.txt"
    return Replayed("cdnow:", None, lambda: read_cdnow(path), AT_ONCE)


@pytest.fixture
def chat() -> Iterator[Receiver]:
    """What people read."""
    with receiver() as made:
        yield made


def named(chat: Receiver) -> set[str]:
    """Customers of whom it was told singly."""
    return {request.json["title"].split()[1] for request in chat.requests if not request.json["title"].startswith("DIGEST")}


def assert_the_past_is_told_by_one_digest(system: System) -> Digest:
    """Nobody but live customers is alerted live; the one digest says what stands on the topic and in Redis."""
    (digest,) = system.digests()
    (record,) = [record for record in system.live.records(ALERTS) if record.key == b"digest"]
    assert record.partition == 0
    past = [alert for alert in system.alerts() if not alert.live]
    assert (digest.kind, digest.alerts) == ("catch_up", len(past))
    assert digest.since == min(alert.as_of for alert in past)
    assert digest.until == rfc3339(max(state.live_after_ms or 0 for state in system.states()))
    assert max(alert.as_of for alert in past) <= digest.until
    rows = {who: read_records([blob])[0] for who, blob in system.site.records().items()}
    tiers = Counter(TIERS[int(row["policy"]["tier"])] for row in rows.values())
    assert digest.by_tier == {tier: tiers[tier] for tier in TIERS[1:]}
    alerted = sorted((-int(row["risk_bp"]), who) for who, row in rows.items() if row["policy"]["tier"])
    assert len(digest.top) == min(10, len(alerted))
    assert [one.tier for one in digest.top] == [TIERS[int(rows[one.customer_id]["policy"]["tier"])] for one in digest.top]
    told_bp = [-int(rows[one.customer_id]["risk_bp"]) for one in digest.top]
    assert told_bp == [less_bp for less_bp, _ in alerted[: len(told_bp)]]
    assert all(one.text for one in digest.top)
    return digest


def assert_live_customers_are_alerted_live(system: System, fleet: Fleet) -> list[str]:
    """Who they are."""
    buyers = [system.live.customer_in(partition, "buyer") for partition in range(PARTITIONS)]
    for buyer in buyers:
        system.live.buys(buyer, now_ms() - 60_000, now_ms())
    fleet.until(lambda: {alert.customer_id for alert in system.alerts() if alert.live} >= set(buyers), "live alerts")
    live = [alert for alert in system.alerts() if alert.live]
    assert min(alert.as_of for alert in live) > system.digests()[0].until
    assert len(system.digests()) == 1
    return buyers


def assert_a_person_reads_the_digest_alone(chat: Receiver, digest: Digest, fleet: Fleet) -> None:
    """Every alert about the past was read by the channel, and kept to itself."""
    counted = "churnwatch_channel_messages_total"
    fleet.until(
        lambda: sum(worker.metric(counted, channel="chat", outcome="past") for worker in fleet.workers) >= digest.alerts,
        "the past, read by the channel",
    )
    fleet.until(lambda: len(chat.requests) > 0, "the digest")
    (title,) = [request.json["title"] for request in chat.requests]
    assert title.startswith("DIGEST"), title


@pytest.mark.parametrize("name", ["simulated", "cdnow"])
def test_a_history_is_loaded_and_the_system_goes_on_live(
    name: str,
    real_kafka: RunningBroker,
    real_redis: RunningRedis,
    prefix: str,
    chat: Receiver,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    system = System(real_kafka, real_redis, prefix, request.getfixturevalue(name))
    early = system.go_live()
    assert (early.returncode, "no worker has committed anything yet" in early.stderr) == (1, True), early.stderr
    told = {"CHURNWATCH_CHANNELS__APPRISE": json.dumps({"chat": chat.url("/hook", "json")})}
    with Fleet(system.site.environment | told, tmp_path) as fleet:
        load(system, fleet)
        assert_as_from_the_file(system.site)
        assert assert_alerts_as_from_the_file(system.site) == 0
        assert {alert.live for alert in system.alerts()} == {False}
        began_ms = now_ms()
        done = system.go_live("--json")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        fleet.until(system.settled, "every message has left")
        digest = assert_the_past_is_told_by_one_digest(system)
        assert (said["switched"], said["digest"], said["alerts"]) == (True, "sent", digest.alerts)
        assert (said["digest_id"], said["by_tier"], said["stamped"]) == (digest.digest_id, digest.by_tier, [])
        assert rfc3339(began_ms) <= said["since"] <= rfc3339(now_ms())
        assert {alert.live for alert in system.alerts()} == {False}, "years were leapt over, and nobody is alerted for them"
        assert digest.alerts > len(system.site.replayed.from_engine.alerts)
        assert_a_person_reads_the_digest_alone(chat, digest, fleet)
        again = system.go_live()
        assert (again.returncode, "already live since " + said["since"] in again.stdout) == (0, True), again.stderr
        assert "its digest was sent before" in again.stdout
        buyers = assert_live_customers_are_alerted_live(system, fleet)
        kept = {alert.customer_id for alert in system.alerts() if alert.live and alert.holdout}
        fleet.until(lambda: named(chat) >= set(buyers) - kept, "a person reads of them")
        assert named(chat).isdisjoint(system.site.replayed.from_engine.records)
        assert len(system.switches()) == PARTITIONS
        assert system.site.messages(DEAD_LETTERS) == []
        assert fleet.stop() == [0, 0]
    idle = system.go_live("--json")  # what is live stays live, and needs no worker to be told so
    assert (idle.returncode, json.loads(idle.stdout)["digest"]) == (0, "before"), idle.stderr


def test_a_worker_and_the_command_that_are_killed_in_the_middle_of_the_switch(
    real_kafka: RunningBroker, own_redis: RunningRedis, prefix: str, tmp_path: Path, simulated: Replayed
) -> None:
    system = System(real_kafka, own_redis, prefix, simulated)
    with Fleet(system.site.environment, tmp_path) as fleet:
        load(system, fleet, CHURNWATCH_REDIS__URL=own_redis.socket_url)
        victim = fleet.workers[1]
        with own_redis.socket_out_of_reach():  # it stays in the group, and commits nothing
            system.live.beat()  # half of it is folded by nobody, and no reason to wait
            going = system.begin_to_go_live()
            try:
                fleet.until(lambda: sum(state.live_after_ms is not None for state in system.states()) == 2, "half of it is live")
                assert system.digests() == []
            finally:
                going.send_signal(signal.SIGKILL)
                going.communicate()
            victim.kill()
        fleet.start()
        done = system.go_live("--json")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        fleet.until(system.settled, "every message has left")
        assert_the_past_is_told_by_one_digest(system)
        assert len(system.switches()) == PARTITIONS, "what was written was found, and not written again"
        assert {rfc3339(state.switched_ms or 0) for state in system.states()} == {said["since"]}
        assert_live_customers_are_alerted_live(system, fleet)


def test_a_history_that_is_not_there_to_its_end_is_not_ended(
    real_kafka: RunningBroker, own_redis: RunningRedis, prefix: str, tmp_path: Path, simulated: Replayed
) -> None:
    system = System(real_kafka, own_redis, prefix, simulated)
    with Fleet(system.site.environment, tmp_path) as fleet:
        fleet.start(CHURNWATCH_REDIS__URL=own_redis.socket_url)
        fleet.until(lambda: all(system.site.meta(partition).exists for partition in range(PARTITIONS)), "first commits")
        empty = system.go_live()
        assert (empty.returncode, "no history has been loaded" in empty.stderr) == (1, True), empty.stderr
        with own_redis.socket_out_of_reach():
            system.site.replay()
            behind = system.go_live()
            assert (behind.returncode, "ticks not folded" in behind.stderr) == (1, True), behind.stderr
        fleet.until(system.site.caught_up, "every row committed and every message sent")
        assert fleet.stop() == [0]
        alone = system.go_live()
        assert (alone.returncode, "no worker of group" in alone.stderr) == (1, True), alone.stderr
        hasty = fleet.start(CHURNWATCH_TIME__CLOCK="wall")
        hasty.may_end = True
        fleet.until(lambda: hasty.exit_code() is not None, "a worker that is told to be live refuses")
        (line,) = hasty.plain_lines()
        assert "run `churnwatch go-live`" in line
    assert system.switches() == []
    assert system.digests() == []
    assert_as_from_the_file(system.site)
