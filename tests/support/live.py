"""A live system for the tests: topics that the broker stamps, events sent as producers send them, and what comes of them.

site = Live(broker, redis, prefix, CHURNWATCH_TIME__STALLED_AFTER_S="3")
with Fleet(site.environment, folder) as fleet:
    worker = fleet.start()
    site.buys("anna", at_ms)
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.partitioner import murmur2

from alerts.alert import Alert, IngestionAlert, Message, decode_any
from streams.columns import DAY_MS
from streams.runtime.admin import create_topics
from streams.runtime.commits import unpack_state
from streams.runtime.lag import lag
from streams.runtime.redis_wire import meta_of
from streams.runtime.settings import load_settings
from streams.runtime.store import Meta
from streams.runtime.topics import ALERTS, CLOCK, INPUTS
from streams.state import PartitionState
from tests.support.any_redis import RedisForTests
from tests.support.brokers import RunningBroker

SHORT_TIMES = {
    "CHURNWATCH_TIME__CLOCK": "wall",
    "CHURNWATCH_TIME__LATENESS_S": "0",
    "CHURNWATCH_ENGINE__HEARTBEAT_COMMIT_S": "0.5",
    "CHURNWATCH_POLICY__COOL_DOWN_S": "0",
}


def now_ms() -> int:
    """By this host's clock."""
    return time.time_ns() // 1_000_000


class Live:
    """Topics, group and keys of one live system on a broker and a Redis.

    more   settings of its workers beyond SHORT_TIMES, as environment variables
    """

    def __init__(self, broker: RunningBroker, redis: RedisForTests, prefix: str, *, partitions: int = 1, **more: str) -> None:
        self.broker, self.redis, self.prefix, self.partitions = broker, redis, prefix, partitions
        self.environment = SHORT_TIMES | {
            "CHURNWATCH_KAFKA__BOOTSTRAP": broker.bootstrap,
            "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix,
            "CHURNWATCH_KAFKA__GROUP": f"{prefix}group",
            "CHURNWATCH_KAFKA__PARTITIONS": str(partitions),
            "CHURNWATCH_REDIS__PREFIX": f"{prefix}state",
        }
        self.environment |= redis.environment | more
        self.settings = load_settings(None, self.environment)
        create_topics(self.settings)
        self._numbers = itertools.count()

    # -- in ---------------------------------------------------------------------------------------------------------

    def partition_of(self, customer: str) -> int:
        """Where this customer lives, as Kafka's own producers have it."""
        return int((murmur2(customer.encode()) & 0x7FFFFFFF) % self.partitions)

    def customer_in(self, partition: int, name: str = "customer") -> str:
        """A customer id that lives there."""
        return next(name for k in itertools.count() if self.partition_of(name := f"{name}-{k}") == partition)

    @contextmanager
    def producer(self, **options: Any) -> Iterator[Any]:
        """A producer as sources have it; all is acknowledged when the block ends."""
        client = KafkaProducer(bootstrap_servers=self.broker.bootstrap, acks="all", **options)
        try:
            yield client
            client.flush(30)
        finally:
            client.close(5)

    def buys(self, customer: str, *times_ms: int) -> None:
        """Purchases of this customer, acknowledged."""
        with self.producer() as producer:
            for at_ms in times_ms:
                value = self.purchase(customer, at_ms)
                producer.send(self.prefix + "purchases", json.dumps(value).encode(), key=customer.encode())

    def all_buy(self, customers: Iterable[str], at_ms: int) -> None:
        """A purchase of each at this moment, acknowledged."""
        with self.producer() as producer:
            for customer in customers:
                value = json.dumps(self.purchase(customer, at_ms)).encode()
                producer.send(self.prefix + "purchases", value, key=customer.encode())

    def purchase(self, customer: str, at_ms: int) -> dict[str, Any]:
        """A good purchase with an id that no other has."""
        number = next(self._numbers)
        return {"event_id": f"e{number}", "customer_id": customer, "occurred_at": at_ms, "amount": 25.0, "currency": "USD"}

    def beat(self) -> None:
        """One heartbeat of the sources on every partition, acknowledged."""
        message = json.dumps({"type": "heartbeat", "at_ms": now_ms()}).encode()
        with self.producer() as producer:
            for partition in range(self.partitions):
                producer.send(self.prefix + CLOCK, message, key=str(partition).encode(), partition=partition)

    # -- out --------------------------------------------------------------------------------------------------------

    def meta(self, partition: int = 0) -> Meta:
        """What Redis knows of a partition."""
        with self.redis.client() as client:
            return meta_of(client.hgetall(self._key(partition, "meta")))

    def watermark_ms(self, partition: int = 0) -> int:
        """The committed watermark; 0 before the first commit."""
        state = self.meta(partition).state
        return 0 if state is None else PartitionState.from_bytes(unpack_state(state).engine).watermark_ms

    def stored(self, partition: int) -> dict[str, bytes]:
        """Every customer's record in Redis."""
        head = self._key(partition, "c:").encode()
        with self.redis.client() as client:
            keys = list(client.scan_iter(match=head + b"*", count=5000))
            blobs = client.mget(keys) if keys else []
        return {key.removeprefix(head).decode(): blob for key, blob in zip(keys, blobs, strict=True)}

    def folded(self, partition: int = 0) -> dict[str, int]:
        """Per input the number of offsets that are committed."""
        return {topic: self.meta(partition).offsets.get(topic, -1) + 1 for topic in INPUTS}

    def outbox(self, partition: int = 0) -> list[Message]:
        """Alerts that are committed and have not been acknowledged by Kafka."""
        with self.redis.client() as client:
            entries = client.xrange(self._key(partition, "outbox"))
        return [decode_any(fields[b"v"]) for _, fields in entries if fields[b"t"].decode() == self.prefix + ALERTS]

    def looks_due(self, partition: int = 0) -> int:
        """Customers whose look is due by now and is still to come."""
        with self.redis.client() as client:
            return int(client.zcount(self._key(partition, "due"), "-inf", now_ms() // 1000))

    def unsent(self, partition: int = 0) -> int:
        """Messages of all kinds that are committed and have not been acknowledged by Kafka."""
        with self.redis.client() as client:
            return int(client.xlen(self._key(partition, "outbox")))

    def lag(self) -> int:
        """Records that the group has not passed, as its offsets in Kafka say."""
        return sum(row.lag for row in lag(self.settings))

    def alerts(self) -> list[Message]:
        """What stands on `churn.alerts`, in order within a partition."""
        return [decode_any(record.value) for record in self.records(ALERTS)]

    def of_customers(self) -> list[Alert]:
        """Those about customers."""
        return [alert for alert in self.alerts() if isinstance(alert, Alert)]

    def of_ingestion(self) -> list[IngestionAlert]:
        """Those about data that do not arrive."""
        return [alert for alert in self.alerts() if isinstance(alert, IngestionAlert)]

    def records(self, topic: str, partitions: int | None = None, *, committed: bool = False) -> list[Any]:
        """Everything on a topic (without prefix), in order of partition and offset.

        committed   without what transactions wrote that were aborted; none may be open
        """
        consumer = KafkaConsumer(
            bootstrap_servers=self.broker.bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed" if committed else "read_uncommitted",
        )  # fmt: skip
        try:
            tps = [TopicPartition(self.prefix + topic, p) for p in range(partitions or self.partitions)]
            consumer.assign(tps)
            consumer.seek_to_beginning(*tps)
            ends: Mapping[TopicPartition, int] = consumer.end_offsets(tps)
            found: list[Any] = []
            while any(consumer.position(tp) < ends[tp] for tp in tps):
                found += [record for records in consumer.poll(timeout_ms=200).values() for record in records]
            return sorted(found, key=lambda record: (record.partition, record.offset))
        finally:
            consumer.close(autocommit=False)

    def _key(self, partition: int, name: str) -> str:
        return f"{self.prefix}state:{{{partition}}}:{name}"


def days_ago(*days: float) -> list[int]:
    """Instants so many days before now, in the order given, ms since 1970."""
    return [now_ms() - round(ago * DAY_MS) for ago in days]
