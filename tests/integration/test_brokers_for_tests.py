"""The broker launcher does what other tests rely on."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from tests.support.broker_fixtures import missing
from tests.support.brokers import KafkaMissing, RunningBroker, kafka_broker, kafka_lib, tansu_broker


def _put(broker: RunningBroker, value: bytes) -> int:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all", request_timeout_ms=10_000)
    try:
        offset: int = producer.send("kept", value).get(20).offset
    finally:
        producer.close(0)
    return offset


def _values(broker: RunningBroker) -> list[bytes]:
    with KafkaConsumer("kept", bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=3_000) as c:
        return [m.value for m in c]


def _create(broker: RunningBroker) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap, request_timeout_ms=10_000)
    admin.create_topics({"kept": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()


def test_kafka_keeps_its_data_over_stop_and_sigkill_on_the_same_port(tmp_path: Path) -> None:
    try:
        kafka_lib()
    except KafkaMissing as why:
        missing("Apache Kafka", why)
    with kafka_broker(tmp_path) as broker:
        _create(broker)
        for turn, end in enumerate((broker.stop, broker.kill)):
            before = broker.bootstrap
            assert _put(broker, b"%d" % turn) == turn
            end()
            assert not broker.alive()
            broker.start()
            assert broker.bootstrap == before
        assert _values(broker) == [b"0", b"1"]


def test_the_embedded_broker_comes_back_on_the_same_port_and_has_forgotten(tmp_path: Path) -> None:
    with tansu_broker(tmp_path) as broker:
        _create(broker)
        before = broker.bootstrap
        broker.kill()
        broker.start()
        assert broker.bootstrap == before
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        assert admin.list_topics() == []
        admin.close()


def test_a_frozen_broker_does_not_answer_until_it_is_thawed(broker: RunningBroker) -> None:
    broker.freeze()
    try:
        with pytest.raises((KafkaError, OSError)):
            KafkaAdminClient(bootstrap_servers=broker.bootstrap, request_timeout_ms=1_000, bootstrap_timeout_ms=1_500)
    finally:
        broker.thaw()
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap, request_timeout_ms=20_000)
    assert admin.describe_cluster()["brokers"]
    admin.close()
