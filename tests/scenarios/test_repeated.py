"""A live run, with a worker killed while the wall clock runs, is repeated exactly from its journal."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from alerts.alert import encode
from streams.columns import DAY_MS
from streams.customer import read_records
from streams.runtime.commits import unpack_state
from tests.oracle.journal_repeat import repeat
from tests.oracle.journal_twin import message_ids, twins
from tests.support.brokers import RunningBroker
from tests.support.left_behind import left_behind
from tests.support.live import Live, now_ms
from tests.support.redis_servers import RunningRedis
from tests.support.same_as_twin import assert_same_records
from tests.support.workers import Fleet

PARTITIONS = 2
AT_ONCE = {
    "CHURNWATCH_POLICY__WATCH": "0.001",
    "CHURNWATCH_POLICY__RELEASE_MARGIN": "0.0005",
    "CHURNWATCH_POLICY__BREACH_SPACING_S": "2",
    "CHURNWATCH_TIME__LATENESS_S": "1",
    "CHURNWATCH_ENGINE__MAX_ROWS": "8",
    "CHURNWATCH_ENGINE__CACHED_CUSTOMERS": "40",
}
"""Two seconds of silence are an alert; commits are so small that the silent do not fit into one, and customers leave memory."""


def sales(site: Live, seed: int) -> Iterator[tuple[str, str, bytes]]:
    """(topic, customer, value) for ever: mostly purchases of now, some late, some repeated, some rubbish."""
    chance = random.Random(seed)
    for number in itertools.count():
        customer = f"c{chance.randrange(120)}"
        late_ms = chance.choice([0, 0, 0, 500, 5_000, 40 * DAY_MS])
        event = site.purchase(customer, now_ms() - late_ms)
        topic = chance.choice(["purchases"] * 4 + ["logins", "complaints"])
        value = json.dumps(event).encode() if number % 50 else b"rubbish"
        yield topic, customer, value
        if number % 17 == 0:
            yield topic, customer, value


def all_told(site: Live, sent: Counter[tuple[str, int]]) -> bool:
    """Whether every record is passed by, and every message has left."""
    folded = {(topic, p): count for p in range(PARTITIONS) for topic, count in site.folded(p).items()}
    return all(folded[place] == count for place, count in sent.items()) and not any(site.outbox(p) for p in range(PARTITIONS))


def test_a_live_run_with_a_kill_is_repeated_from_its_journal_byte_by_byte(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Live(real_kafka, real_redis, prefix, partitions=PARTITIONS, **AT_ONCE)
    sent: Counter[tuple[str, int]] = Counter()
    source = sales(site, seed=1)
    with site.producer() as producer, Fleet(site.environment, tmp_path) as fleet:

        def send(count: int) -> None:
            for topic, customer, value in itertools.islice(source, count):
                producer.send(site.prefix + topic, value, key=customer.encode())
                sent[topic, site.partition_of(customer)] += 1
            producer.flush(30)

        send(300)
        first, second = fleet.start(), fleet.start()
        fleet.until(lambda: (first.owned(), second.owned()) == (1, 1), "a partition each")
        send(100)
        fleet.until(lambda: len(site.of_customers()) > 20, "alerts by silence")
        send(100)
        first.kill()
        send(200)
        fleet.until(lambda: second.owned() == 2, "both partitions")
        send(100)
        fleet.until(lambda: all_told(site, sent), "all folded and told")
        assert second.stop() == 0
    left = left_behind(site.settings, site.meta)
    repeated = repeat(left)
    assert repeated.records == {customer: blob for p in range(PARTITIONS) for customer, blob in site.stored(p).items()}
    assert repeated.states == {p: unpack_state(site.meta(p).state or b"").engine for p in range(PARTITIONS)}
    told: dict[str, set[bytes]] = {}
    for alert in site.of_customers():
        told.setdefault(alert.message_id, set()).add(encode(alert))
    assert told == {message_id: {value} for message_id, value in repeated.alerts.items()}
    assert {alert.message_id for alert in site.of_ingestion()} == repeated.ingestion
    assert repeated.orphaned == {}, "Redis lost nothing"
    assert any(alert.event is None for alert in site.of_customers()), "silence told something"
    assert repeated.duplicates > 20
    assert repeated.late > 100
    assert any(entry.looked_at for entries in repeated.commits.values() for entry in entries), "commits in slices"
    assert all(len({entry.epoch for entry in entries}) > 1 for entries in repeated.commits.values()), "owners have changed"
    slow = twins(left)
    assert set(repeated.alerts) == set().union(*(message_ids(twin) for twin in slow.values()))
    assert repeated.duplicates == sum(twin.repeats for twin in slow.values())
    assert repeated.late == sum(twin.late for twin in slow.values())
    for partition, twin in slow.items():
        stored = site.stored(partition)
        assert stored.keys() == twin.customers.keys()
        assert_same_records(list(stored), read_records(list(stored.values())), twin)
