"""What churnwatch and Faust need of a broker, held against Apache Kafka and the embedded one; and where they differ."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as AioTopicPartition
from aiokafka.errors import KafkaError as AioKafkaError
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetSpec, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError
from kafka.partitioner import murmur2
from kafka.structs import OffsetAndMetadata

from tests.support.brokers import RunningBroker
from tests.support.eventually import eventually

PARTITIONS = 4


@contextlib.contextmanager
def admin_of(broker: RunningBroker) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap, request_timeout_ms=8_000)
    try:
        yield client
    finally:
        client.close()


@contextlib.contextmanager
def producer_of(broker: RunningBroker, **options: object) -> Iterator[KafkaProducer]:
    client = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all", **options)
    try:
        yield client
    finally:
        client.close(5)


@pytest.fixture
def topic(broker: RunningBroker, prefix: str) -> str:
    """A fresh topic of four partitions."""
    name = f"{prefix}events"
    with admin_of(broker) as admin:
        admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1}}, wait_for_metadata=True)
    return name


def read(broker: RunningBroker, topic: str, count: int) -> list:
    """`count` records from the beginning."""
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    found: list = []

    def more() -> list:
        found.extend(record for records in consumer.poll(timeout_ms=500).values() for record in records)
        return found

    try:
        consumer.assign([TopicPartition(topic, p) for p in range(PARTITIONS)])
        consumer.seek_to_beginning()
        eventually(more, lambda records: len(records) >= count)
    finally:
        consumer.close(autocommit=False)
    return found


async def until(holds: Callable[[], bool], deadline_s: float) -> None:
    """Let the clients' tasks run until `holds()`. Raises TimeoutError."""
    async with asyncio.timeout(deadline_s):
        while not holds():
            await asyncio.sleep(0.02)


def test_a_topic_has_the_partitions_it_was_made_with(broker: RunningBroker, topic: str) -> None:
    with admin_of(broker) as admin:
        (found,) = (each for each in admin.describe_topics() if each["name"] == topic)
    assert sorted(p["partition_index"] for p in found["partitions"]) == list(range(PARTITIONS))
    assert all(p["leader_id"] >= 0 for p in found["partitions"])


async def test_both_clients_put_a_key_where_murmur2_says(broker: RunningBroker, topic: str) -> None:
    keys = [f"customer-{i}".encode() for i in range(50)] + ["客户".encode(), b"\x00", b"x" * 512]
    wanted = {key: (murmur2(key) & 0x7FFFFFFF) % PARTITIONS for key in keys}
    with producer_of(broker) as producer:
        assert {key: producer.send(topic, b"v", key=key).get(10).partition for key in keys} == wanted
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all") as aio:
        assert {key: (await aio.send_and_wait(topic, b"v", key=key)).partition for key in keys} == wanted
    assert {record.key: record.partition for record in read(broker, topic, 2 * len(keys))} == wanted


def test_records_come_back_as_sent_in_order_with_offsets_from_zero(broker: RunningBroker, topic: str) -> None:
    headers = [("trace", b"\x00\xff"), ("empty", b"")]
    with producer_of(broker, linger_ms=50) as producer:
        for i in range(20):
            producer.send(topic, b"%d" % i, key=b"k", partition=2, timestamp_ms=852_076_800_000 + i, headers=headers)
        producer.send(topic, None, key=b"k", partition=2)
    records = read(broker, topic, 21)
    assert [r.offset for r in records] == list(range(21))
    assert [r.value for r in records] == [b"%d" % i for i in range(20)] + [None]
    assert [r.timestamp for r in records[:20]] == [852_076_800_000 + i for i in range(20)]
    assert list(records[0].headers) == headers


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_message_of_900_kb_passes(broker: RunningBroker, topic: str, compression: str | None) -> None:
    value = bytes(range(256)) * 3_600
    with producer_of(broker, max_request_size=2_000_000, compression_type=compression) as producer:
        producer.send(topic, value, partition=0).get(20)
    (record,) = read(broker, topic, 1)
    assert record.value == value


def test_a_groups_commit_is_kept_and_read_by_the_next_member(broker: RunningBroker, topic: str, prefix: str) -> None:
    group, tp = f"{prefix}group", TopicPartition(topic, 1)
    with producer_of(broker) as producer:
        for _ in range(5):
            producer.send(topic, b"v", partition=1)
    for offset in (3, 4):
        member = KafkaConsumer(bootstrap_servers=broker.bootstrap, group_id=group, enable_auto_commit=False)
        member.assign([tp])
        member.commit({tp: OffsetAndMetadata(offset, "", -1)})
        assert member.committed(tp) == offset
        member.close()
    with admin_of(broker) as admin:
        assert {tp: at.offset for tp, at in admin.list_group_offsets({group: None})[group].items()} == {tp: 4}


async def test_two_members_share_the_partitions_and_who_stays_gets_all(broker: RunningBroker, topic: str, prefix: str) -> None:
    options = {"group_id": f"{prefix}group", "session_timeout_ms": 6_000, "heartbeat_interval_ms": 500}
    async with AIOKafkaConsumer(topic, bootstrap_servers=broker.bootstrap, **options) as first:
        async with AIOKafkaConsumer(topic, bootstrap_servers=broker.bootstrap, **options) as second:
            await until(lambda: len(first.assignment()) == len(second.assignment()) == 2, 60.0)
            assert not first.assignment() & second.assignment()
        await until(lambda: len(first.assignment()) == PARTITIONS, 60.0)


async def test_after_a_fetch_the_worker_knows_how_much_more_is_coming(broker: RunningBroker, topic: str) -> None:
    """The merge waits for a topic whose high watermark says that more is coming; it takes it from the fetch."""
    with producer_of(broker, linger_ms=100) as producer:
        for i in range(10):
            producer.send(topic, b"%d" % i, partition=0)
    tp = AioTopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, enable_auto_commit=False) as consumer:
        consumer.assign([tp])
        consumer.seek(tp, 0)
        first = await consumer.getone()
        assert (first.offset, consumer.highwater(tp)) == (0, 10)
        consumer.seek(tp, 7)
        assert [(await consumer.getone()).offset for _ in range(3)] == [7, 8, 9]
        assert await consumer.position(tp) == consumer.highwater(tp)


# Where a broker is not like Kafka. Each probe answers "is it like Kafka here?".


def _names_the_end(admin: KafkaAdminClient, broker: RunningBroker, topic: str) -> bool:
    with producer_of(broker, linger_ms=200) as producer:
        for _ in range(10):
            producer.send(topic, b"v", partition=0)
    tp = TopicPartition(topic, 0)
    return admin.list_partition_offsets({tp: OffsetSpec.LATEST})[tp].offset == 10


def _stamps_records(admin: KafkaAdminClient, broker: RunningBroker, topic: str) -> bool:
    name = f"{topic}.stamped"
    config = {"message.timestamp.type": "LogAppendTime"}
    spec = {"num_partitions": PARTITIONS, "replication_factor": 1, "configs": config}
    admin.create_topics({name: spec}, wait_for_metadata=True)
    with producer_of(broker) as producer:
        producer.send(name, b"v", partition=0, timestamp_ms=1_000).get(10)
    (record,) = read(broker, name, 1)
    return record.timestamp_type == 1 and record.timestamp > 1_000


def _reports_all_settings(admin: KafkaAdminClient, _broker: RunningBroker, topic: str) -> bool:
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    return {"retention.ms", "cleanup.policy", "max.message.bytes"} <= set(found["topic"][topic])


def _validates_without_creating(admin: KafkaAdminClient, _broker: RunningBroker, topic: str) -> bool:
    admin.create_topics({f"{topic}.dry": {"num_partitions": 1, "replication_factor": 1}}, validate_only=True)
    return f"{topic}.dry" not in admin.list_topics()


def _deletes_records(admin: KafkaAdminClient, broker: RunningBroker, topic: str) -> bool:
    tp = TopicPartition(topic, 1)
    with producer_of(broker) as producer:
        producer.send(topic, b"v", partition=1).get(10)
    admin.delete_records({tp: 1})
    return admin.list_partition_offsets({tp: OffsetSpec.EARLIEST})[tp].offset == 1


def _adds_partitions(admin: KafkaAdminClient, _broker: RunningBroker, topic: str) -> bool:
    admin.create_partitions({topic: PARTITIONS + 1})
    return True


def _describes_groups(admin: KafkaAdminClient, broker: RunningBroker, topic: str) -> bool:
    member = KafkaConsumer(bootstrap_servers=broker.bootstrap, group_id=f"{topic}.g", enable_auto_commit=False)
    tp = TopicPartition(topic, 0)
    member.assign([tp])
    member.commit({tp: OffsetAndMetadata(0, "", -1)})
    member.close()
    return admin.describe_groups([f"{topic}.g"])[f"{topic}.g"]["group_state"] == "Empty"


def _takes_an_idempotent_aiokafka(_admin: KafkaAdminClient, broker: RunningBroker, topic: str) -> bool:
    async def send() -> int:
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, enable_idempotence=True) as producer:
            return (await producer.send_and_wait(topic, b"v", partition=3)).offset

    try:
        return asyncio.run(send()) == 0
    except AioKafkaError:
        return False


PROBES: dict[str, Callable[[KafkaAdminClient, RunningBroker, str], bool]] = {
    "names the end offset after a batch": _names_the_end,
    "stamps records with LogAppendTime": _stamps_records,
    "reports all topic settings": _reports_all_settings,
    "validates a topic without creating it": _validates_without_creating,
    "deletes records": _deletes_records,
    "describes groups": _describes_groups,
    "takes aiokafka's idempotent producer": _takes_an_idempotent_aiokafka,
    "adds partitions": _adds_partitions,
}
DIFFERENT = {"kafka": set(), "tansu": set(PROBES)}


@pytest.mark.parametrize("name", PROBES)
def test_the_embedded_broker_differs_from_kafka_just_where_we_know(broker: RunningBroker, topic: str, name: str) -> None:
    """A failure here is news: the embedded broker has learnt something, and a workaround or a sentence in the docs can go."""
    with admin_of(broker) as admin:
        try:
            like_kafka = PROBES[name](admin, broker, topic)
        except (KafkaError, ValueError):  # ValueError: kafka-python cannot read an answer
            like_kafka = False
    assert like_kafka == (name not in DIFFERENT[broker.kind])
