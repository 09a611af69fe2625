"""A live system that begins on a backlog of months learns, goes on where it was killed, does as people say, and is repeated."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from kafka import TopicPartition

from alerts.alert import encode
from detectors.learner import Learner
from detectors.parameters import SHIPPED
from streams.columns import DAY_MS
from streams.label_order import LabelOrder
from streams.labels import decode_labels
from streams.runtime.commits import unpack_state
from streams.runtime.kafka_client import admin_client, ends, reader
from streams.runtime.learner_app import desk_rules
from streams.runtime.model_shelf import read_shelf
from streams.runtime.reading import read_range
from streams.runtime.topics import LABELS
from tests.oracle.journal_repeat import repeat
from tests.support.brokers import RunningBroker
from tests.support.learning import LEARNER, LEARNING
from tests.support.left_behind import left_behind
from tests.support.live import Live, now_ms
from tests.support.redis_servers import RunningRedis
from tests.support.workers import Fleet, WorkerProcess, run_command

PARTITIONS = 2
SETTINGS = LEARNING | {
    "CHURNWATCH_LEARNING__PUBLISH_S": "0.5",
    "CHURNWATCH_LEARNING__REFIT_DAYS": "3650",
    "CHURNWATCH_ENGINE__MAX_ROWS": "20",
}


def purchases(seed: int) -> Iterator[tuple[int, str]]:
    """(days ago, customer), oldest first: half of the customers buy every other day, the others now and then."""
    chance = random.Random(seed)
    found = []
    for number in range(120):
        rate = 0.5 if number % 2 else 0.08
        found += [(day + chance.random(), f"c{number}") for day in range(1, 60) if chance.random() < rate]
    yield from ((day, customer) for day, customer in sorted(found, reverse=True))  # type: ignore[misc] # parts of days


def send(site: Live, events: list[tuple[int, str]]) -> None:
    with site.producer() as producer:
        for days_ago, customer in events:
            value = site.purchase(customer, now_ms() - round(days_ago * DAY_MS))
            producer.send(site.prefix + "purchases", json.dumps(value).encode(), key=customer.encode())


def labels_topic(site: Live) -> list[bytes]:
    tp = TopicPartition(site.prefix + LABELS, 0)
    with admin_client(site.settings) as admin, reader(site.settings) as client:
        bounds = {one: (bound.first, bound.end) for one, bound in ends(admin, client, [tp]).items()}
        return [record.value for record in read_range(client, bounds)]


def learnt_from(site: Live) -> Learner:
    """What a learner makes of churn.labels as it stands, message after message."""
    order, learner = LabelOrder(PARTITIONS), Learner(desk_rules(site.settings).learner, SHIPPED)
    for offset, value in enumerate(labels_topic(site)):
        for release in order.push(offset, decode_labels(value)):
            newest_ms = max(int(release.labels.known_ms.max(initial=0)), *(at_ms for at_ms, _ in release.scored), 0)
            tick_ms = max(learner.tick_ms, -(-newest_ms // DAY_MS) * DAY_MS)
            learner.scored([scored for _, scored in release.scored], tick_ms)
            learner.learn(release.labels, tick_ms)
    return learner


def folded(site: Live) -> int:
    return sum(site.folded(partition)["purchases"] for partition in range(PARTITIONS))


def stored(site: Live) -> dict[bytes, bytes]:
    with site.redis.client() as client:
        found: dict[bytes, bytes] = client.hgetall(f"{site.prefix}state:learner")
        return found


def learnt_as_by_one(site: Live) -> bool:
    """Whether all of the topic is learnt, and the state is, byte by byte, that of a learner whom nobody disturbed."""
    found = stored(site)
    if int(found.get(b"next_offset", b"0")) < len(labels_topic(site)):
        return False
    return found[b"learner"] == learnt_from(site).to_bytes()


def is_quiet(site: Live) -> bool:
    """Whether nobody is to be looked at before the day ends, and all that was found out has left."""
    return not any(site.looks_due(partition) or site.unsent(partition) for partition in range(PARTITIONS))


def is_learner(process: WorkerProcess) -> bool:
    return process.metric("churnwatch_learner_owned") == 1


def models(site: Live, *args: str) -> str:
    done = run_command(["models", *args], site.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def uses(worker: WorkerProcess, version: str) -> bool:
    return worker.metric("churnwatch_model_info", version=version) == 1


def test_a_live_system_learns_goes_on_where_it_was_killed_and_does_as_people_say(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Live(real_kafka, real_redis, prefix, partitions=PARTITIONS, **SETTINGS)
    events = list(purchases(seed=4))
    send(site, events)  # before there is a worker, whose clock would go on to this day
    with Fleet(site.environment, tmp_path) as fleet:
        learner, worker = fleet.start(LEARNER), fleet.start()
        for share in (0.2, 0.5, 0.8):
            fleet.until(lambda: folded(site) > share * len(events), f"{share:g} folded")  # noqa: B023
            worker.freeze()
            learner.kill()
            learner = fleet.start(LEARNER)
            fleet.until(lambda: is_learner(learner), "the next learner has taken over")  # noqa: B023
            worker.thaw()
        fleet.until(lambda: folded(site) == len(events), "all folded")
        fleet.until(lambda: is_quiet(site), "all found out that the past holds")
        fleet.until(lambda: learnt_as_by_one(site), "what was learnt is what one process would have learnt")
        expected = learnt_from(site)
        assert expected.logit.labels > 500
        fleet.until(lambda: uses(worker, expected.served().version), "the worker scores by the newest model")

        assert expected.served().version in models(site, "list")
        models(site, "freeze", "--by", "ann")
        shelf = read_shelf(site.settings)
        assert shelf.serving is not None
        assert (shelf.serving.hold, shelf.serving.tick_ms) == ("frozen", None)
        earlier = next(iter(shelf.champions))
        models(site, "rollback", earlier)
        fleet.until(lambda: uses(worker, earlier), "the worker scores by the earlier model")
        learner.kill()
        learner = fleet.start(LEARNER)
        models(site, "thaw")
        fleet.until(lambda: uses(worker, expected.served().version), "and by the newest again")
        fleet.until(learner.ready, "the learner ready")
        assert learner.metric("churnwatch_learner_labels_known") == expected.logit.labels
        fleet.until(lambda: not any(site.outbox(partition) for partition in range(PARTITIONS)), "all told")
        assert fleet.stop() == [0, 0]
    assert_repeated_with_every_model(site)


def assert_repeated_with_every_model(site: Live) -> None:
    """The journal, the inputs and the models on their topic give the run once more, byte by byte."""
    repeated = repeat(left_behind(site.settings, site.meta))
    assert repeated.records == {customer: blob for p in range(PARTITIONS) for customer, blob in site.stored(p).items()}
    assert repeated.states == {p: unpack_state(site.meta(p).state or b"").engine for p in range(PARTITIONS)}
    assert {(one.message_id, encode(one)) for one in site.of_customers()} == set(repeated.alerts.items())
    scored_by = {entry.model for entries in repeated.commits.values() for entry in entries}
    assert len(scored_by) > 3, "closed form, earlier and newest model"


def test_a_second_learner_stands_by_and_takes_over(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Live(real_kafka, real_redis, prefix, partitions=PARTITIONS, **SETTINGS)
    send(site, list(purchases(seed=4)))
    with Fleet(site.environment, tmp_path) as fleet:
        first, second = fleet.start(LEARNER), fleet.start(LEARNER)
        fleet.until(lambda: first.ready() and second.ready(), "both ready")
        fleet.until(lambda: is_learner(first) != is_learner(second), "one of them is the learner")
        owner, other = (first, second) if is_learner(first) else (second, first)
        owner.freeze()
        fleet.until(lambda: is_learner(other), "the other takes over")
        owner.thaw()
        fleet.start()
        fleet.until(lambda: len(labels_topic(site)) > 0 and learnt_as_by_one(site), "all learnt, once")
        assert set(fleet.stop()) == {0}


def test_without_learning_the_learner_says_what_is_missing() -> None:
    told = run_command(["learner"], {})
    assert told.returncode == 1
    assert told.stderr.splitlines()[-1].startswith("churnwatch: learning.enabled is false, so workers take nothing down")
