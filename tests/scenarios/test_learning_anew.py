"""A history is learnt from, the system goes live with silent sources, and is rebuilt with all that was learnt forgotten."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition

from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS
from streams.labels import LabelMessage, decode_labels
from streams.runtime.admin import create_topics
from streams.runtime.kafka_client import admin_client, ends, producer, reader
from streams.runtime.learner_task import TOPIC_ID
from streams.runtime.model_shelf import read_shelf
from streams.runtime.reading import read_range
from streams.runtime.topics import LABELS, MODELS
from streams.serving import SERVING_KEY, decode_serving
from tests.oracle.recount import read_plain
from tests.support.brokers import RunningBroker
from tests.support.going_live import AT_ONCE, System, load
from tests.support.learning import LEARNER, LEARNING, Learnt, learnt_to_the_end
from tests.support.redis_servers import RunningRedis
from tests.support.replays import PARTITIONS, Site
from tests.support.workers import Fleet, WorkerProcess, run_command


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    path = tmp_path_factory.mktemp("anew") / "history.csv"
    events, _ = simulate_customers(250, 60, 20_000 * DAY_MS, seed=9)
    write_history(path, events, "USD", "e")
    return Learnt(str(path), None, lambda: read_plain(path), LEARNING | AT_ONCE)


def records(site: Site, topic: str) -> list[Any]:
    """What a topic of one partition holds."""
    tp = TopicPartition(site.prefix + topic, 0)
    with admin_client(site.settings) as admin, reader(site.settings) as client:
        return list(read_range(client, {one: (bound.first, bound.end) for one, bound in ends(admin, client, [tp]).items()}))


def labels(site: Site) -> list[LabelMessage]:
    return [decode_labels(record.value) for record in records(site, LABELS)]


def known(site: Site) -> set[str]:
    return {one.label_id for message in labels(site) for one in message.labels}


def ticks_served(site: Site) -> list[int]:
    """Ticks of which a model was sent since what serves was last taken away."""
    told = [record.value for record in records(site, MODELS) if record.key == SERVING_KEY]
    told = told[max((at for at, value in enumerate(told) if value is None), default=-1) + 1 :]
    return [tick_ms for tick_ms in (decode_serving(value).tick_ms for value in told) if tick_ms is not None]


def stored(site: Site) -> dict[bytes, bytes]:
    with site.redis.client() as client:
        found: dict[bytes, bytes] = client.hgetall(f"{site.prefix}state:learner")
        return found


def serves_live(system: System, learner: WorkerProcess) -> bool:
    """Whether every partition is live, and the learner has learnt all of it and knows."""
    serving = read_shelf(system.site.settings).serving
    read = learner.metric("churnwatch_learner_labels_known") == len(known(system.site)) > 100
    return read and serving is not None and serving.tick_ms is None and learner.metric("churnwatch_learner_lag_messages") == 0


def assert_the_end_of_history_is_told_once(site: Site) -> None:
    """Nothing happens live, so what a partition tells without outcomes and scores is that history has ended."""
    empty = [one.partition for one in labels(site) if not one.history and not one.labels and one.scored is None]
    live = {one.partition for one in labels(site) if not one.history}
    assert live == set(range(PARTITIONS))
    assert max(Counter(empty).values(), default=0) <= 1


def test_it_goes_live_is_rebuilt_and_learns_all_of_it_anew(
    learnt: Learnt, real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    system = System(real_kafka, real_redis, prefix, learnt)
    site = system.site
    with Fleet(site.environment, tmp_path) as fleet:
        learner = fleet.start(LEARNER)
        load(system, fleet)
        fleet.until(lambda: learnt_to_the_end(site, learnt), "the last tick learnt")
        other = run_command(["go-live"], site.environment | {"CHURNWATCH_RISK__HORIZON_DAYS": "8"})
        assert (other.returncode, other.stdout) == (1, ""), other.stderr
        assert "horizon of 6 days, risk.horizon_days is 8" in other.stderr.splitlines()[0]
        assert system.switches() == [], "refused before it switched"
        done = system.go_live()
        assert done.returncode == 0, done.stderr
        fleet.until(lambda: serves_live(system, learner), "what serves is live, though no source sends anything")
        assert_the_end_of_history_is_told_once(site)
        assert fleet.stop() == [0, 0, 0]

        before = {one.label_id for message in labels(site) if message.history for one in message.labels}
        alone = fleet.start(LEARNER)
        fleet.until(lambda: alone.metric("churnwatch_learner_owned") == 1, "it is the learner")
        rebuild = ["rebuild", "--yes", "--forget-learnt"]
        running = run_command(rebuild, site.environment)
        assert (running.returncode, "stop the learner first" in running.stderr) == (1, True), running.stderr
        assert labels(site) != []
        assert fleet.stop() == [0]
        done = run_command(rebuild, site.environment)
        assert done.returncode == 0, done.stderr
        shelf = read_shelf(site.settings)
        assert (labels(site), stored(site), shelf.serving, shelf.champions, shelf.fits) == ([], {}, None, {}, {})

        learner, _ = fleet.start(LEARNER), fleet.start()
        fleet.until(lambda: len(ticks_served(site)) == len(learnt.models), "every tick learnt and waited for")
        fleet.until(lambda: serves_live(system, learner), "and live again, by the switch that stands on the clock")
        again = {one.label_id for message in labels(site) if message.history for one in message.labels}
        assert again == before
        sent = {record.value for record in records(site, MODELS) if record.key == SERVING_KEY}
        assert set(learnt.models.values()) <= sent, "as from the file"
        assert fleet.stop() == [0, 0]

        _read_a_topic_made_anew(site, fleet)


def _read_a_topic_made_anew(site: Site, fleet: Fleet) -> None:
    """It is longer than the old one, and begins with the same: nothing of it counts twice."""
    before, values = stored(site), [record.value for record in records(site, LABELS)]
    with admin_client(site.settings) as admin:
        admin.delete_topics([site.prefix + LABELS])
    create_topics(site.settings)
    with producer(site.settings) as client:
        for value in [*values, *values[-3:]] * 3:
            client.send(site.prefix + LABELS, value, key=b"0")
    fleet.start(LEARNER)
    fleet.until(lambda: stored(site)[TOPIC_ID.encode()] != before[TOPIC_ID.encode()], "it knows that it is another one")
    fleet.until(lambda: int(stored(site)[b"next_offset"]) > 2 * len(values), "all of it is read")
    assert stored(site)[b"learner"] == before[b"learner"]
    assert fleet.stop() == [0]
