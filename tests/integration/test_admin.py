"""Administration against both brokers."""

from __future__ import annotations

import contextlib
import logging
from typing import NamedTuple

import msgspec
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.structs import OffsetAndMetadata

from streams.dead_letters import DeadReason, dead_letter
from streams.letter_filter import LetterFilter
from streams.runtime import admin
from streams.runtime.findings import Finding, has_error
from streams.runtime.settings import Settings
from tests.support.brokers import RunningBroker
from tests.support.eventually import eventually


def settings_for(broker: RunningBroker, prefix: str, **more: object) -> Settings:
    kafka = {"bootstrap": broker.bootstrap, "topic_prefix": prefix, "group": f"{prefix}g", "partitions": 3}
    return Settings(kafka=kafka | more.pop("kafka", {}), **more)  # type: ignore[operator]


@contextlib.contextmanager
def raw_admin(broker: RunningBroker):
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap, request_timeout_ms=10_000)
    try:
        yield client
    finally:
        client.close()


def produce(broker: RunningBroker, topic: str, values: list[bytes], partition: int) -> None:
    """All values in as few batches as the client can make: that is what the embedded broker misjudges."""
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all", linger_ms=100)
    for value in values:
        producer.send(topic, value, partition=partition)
    producer.flush()
    producer.close()


def errors(findings: list[Finding]) -> dict[str, str]:
    return {f.subject: f.what for f in findings if f.status == "error"}


def test_topics_are_created_once_and_then_pass_the_check(broker: RunningBroker, prefix: str) -> None:
    settings = settings_for(broker, prefix)
    before = admin.check_topics(settings)
    wanted = {spec.name for spec in admin.wanted_topics(settings)}
    assert {f.subject for f in before} == wanted
    assert {f.what for f in before} == {"does not exist"}
    assert set(admin.create_topics(settings)) == wanted
    assert admin.create_topics(settings) == []
    after = admin.check_topics(settings)
    assert not has_error(after)
    assert [f.status for f in after] == ([] if broker.kind == "kafka" else ["unknown"])


def test_only_what_is_missing_is_created(broker: RunningBroker, prefix: str) -> None:
    settings = settings_for(broker, prefix)
    with raw_admin(broker) as client:
        client.create_topics({f"{prefix}logins": {"num_partitions": 3, "replication_factor": 1}}, wait_for_metadata=True)
    assert f"{prefix}logins" not in admin.create_topics(settings)
    assert not errors(admin.check_topics(settings))


def test_unequal_partition_counts_are_errors_that_name_the_topics(broker: RunningBroker, prefix: str) -> None:
    settings = settings_for(broker, prefix)
    with raw_admin(broker) as client:
        client.create_topics({f"{prefix}complaints": {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True)
    admin.create_topics(settings)
    found = errors(admin.check_topics(settings))
    assert set(found) == {"partitions", f"{prefix}complaints"}
    assert f"{prefix}complaints 2" in found["partitions"]
    assert found[f"{prefix}complaints"] == "has 2 partitions, settings say 3"


def test_topics_of_another_equal_partition_count_say_what_to_set(broker: RunningBroker, prefix: str) -> None:
    admin.create_topics(settings_for(broker, prefix))
    findings = admin.check_topics(settings_for(broker, prefix, kafka={"partitions": 5}))
    assert {f.fix for f in findings if f.status == "error"} == {"set kafka.partitions to 3"}


@pytest.mark.parametrize(
    ("topic", "config", "clock", "status", "words"),
    [
        ("purchases", {"retention.ms": "604800000"}, "wall", "warning", "retention.ms is 604800000"),
        ("purchases", {"retention.ms": "604800000"}, "history", "warning", "retention.ms is 604800000"),
        ("churn.clock", {"retention.bytes": "1000000"}, "history", "warning", "retention.bytes is 1000000"),
        ("logins", {"cleanup.policy": "compact"}, "wall", "error", "cleanup.policy is compact"),
        ("churn.journal", {"cleanup.policy": "compact"}, "wall", "error", "cleanup.policy is compact"),
        ("churn.models", {"cleanup.policy": "delete"}, "wall", "error", "cleanup.policy is delete"),
        ("churn.dead-letter-marks", {"cleanup.policy": "compact,delete"}, "wall", "error", "cleanup.policy is compact,delete"),
        ("complaints", {"message.timestamp.type": "CreateTime"}, "wall", "warning", "message.timestamp.type is CreateTime"),
        ("churn.journal", {"message.timestamp.type": "CreateTime"}, "wall", "warning", "message.timestamp.type is CreateTime"),
    ],
)
def test_topic_settings_that_lose_history_are_found(
    real_kafka: RunningBroker, prefix: str, topic: str, config: dict[str, str], clock: str, status: str, words: str
) -> None:
    settings = settings_for(real_kafka, prefix, time={"clock": clock})
    admin.create_topics(settings)
    assert admin.check_topics(settings) == []
    with raw_admin(real_kafka) as client:
        client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, prefix + topic, configs=config)])
    findings = eventually(lambda: admin.check_topics(settings))  # brokers learn of it through the metadata log
    assert [(f.subject, f.status) for f in findings] == [(prefix + topic, status)]
    assert findings[0].what.startswith(words)
    assert findings[0].fix


def test_too_many_replicas_is_one_line_with_the_setting(real_kafka: RunningBroker, prefix: str) -> None:
    settings = settings_for(real_kafka, prefix, kafka={"replication": 3})
    with pytest.raises(admin.AdminError, match=r"^topic .*; kafka\.replication is more than there are brokers"):
        admin.create_topics(settings)


def test_lag_is_what_was_sent_less_what_was_committed(broker: RunningBroker, prefix: str) -> None:
    settings = settings_for(broker, prefix)
    admin.create_topics(settings)
    topic = f"{prefix}purchases"
    produce(broker, topic, [b"x"] * 10, partition=1)
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, group_id=settings.kafka.group, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, 1)])
    consumer.commit({TopicPartition(topic, 1): OffsetAndMetadata(4, "", -1)})
    consumer.close()
    produce(broker, topic, [b"x"] * 3, partition=0)
    rows = {(row.topic, row.partition): row for row in admin.lag(settings)}
    read = ("purchases", "complaints", "logins", "churn.commands", "churn.clock")
    assert set(rows) == {(prefix + topic, partition) for topic in read for partition in range(3)}
    assert all(row.exact for row in rows.values())
    assert (rows[topic, 1].committed, rows[topic, 1].end, rows[topic, 1].lag) == (4, 10, 6)
    assert (rows[topic, 0].committed, rows[topic, 0].end, rows[topic, 0].lag) == (None, 3, 3)
    assert sum(row.lag for row in rows.values()) == 9


def test_lag_without_topics_says_which_are_missing(broker: RunningBroker, prefix: str) -> None:
    with pytest.raises(admin.AdminError, match=rf"{prefix}purchases.* do not exist; run `churnwatch topics create`"):
        admin.lag(settings_for(broker, prefix))


class Record(NamedTuple):
    """A streams.contract.RawRecord."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[()] = ()


def letters(count: int, reason: DeadReason) -> list[bytes]:
    records = [Record("purchases", 0, i, 1_000_000 + i, 0, b"c", b'{"n":%d}' % i) for i in range(count)]
    return [msgspec.json.encode(dead_letter(record, reason, f"number {record.offset}")) for record in records]


def test_dead_letters_come_newest_first_once_each_and_by_reason(broker: RunningBroker, prefix: str) -> None:
    settings = settings_for(broker, prefix)
    admin.create_topics(settings)
    topic = f"{prefix}churn.dead-letters"
    assert admin.read_dead_letters(settings) == admin.DeadLetterPage([], 0)
    produce(broker, topic, [*letters(600, DeadReason.NOT_JSON), *letters(600, DeadReason.NOT_JSON)[-5:]], partition=0)
    other = msgspec.json.encode(dead_letter(Record("logins", 2, 7, 1, 0, None, b"x"), DeadReason.EMPTY, "old one"))
    produce(broker, topic, [other, b"rubbish"], partition=2)
    page = admin.read_dead_letters(settings, limit=3)
    assert [stored.letter.message for stored in page.letters] == ["number 599", "number 598", "number 597"]
    assert page.unreadable == 1
    empty, no_json = (LetterFilter(reasons=frozenset((reason,))) for reason in ("empty", "not_json"))
    assert [stored.letter.id for stored in admin.read_dead_letters(settings, empty, 3).letters] == ["logins-2-7"]
    assert len(admin.read_dead_letters(settings, no_json, 1000).letters) == 600
    first = admin.find_dead_letter(settings, "purchases-0-0")
    assert first is not None
    assert first.letter.message == "number 0"
    assert admin.find_dead_letter(settings, "purchases-0-600") is None


def test_a_limit_below_one_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="limit: 0 is too low"):
        admin.read_dead_letters(Settings(kafka={"topic_prefix": prefix}), limit=0)


def test_no_broker_is_one_line_without_noise_and_without_the_password(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("streams.runtime.kafka_client.REQUEST_TIMEOUT_MS", 500)
    secret = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "username": "u", "password": "hush-hush"}
    settings = Settings(kafka={"bootstrap": "127.0.0.1:1", **secret})
    with caplog.at_level(logging.DEBUG), pytest.raises(admin.AdminError) as failure:
        admin.create_topics(settings)
    text = str(failure.value)
    assert text.startswith("kafka.bootstrap 127.0.0.1:1: no broker answered within 0.5 s; start the broker")
    assert "\n" not in text
    assert "hush-hush" not in text + caplog.text
    assert [r for r in caplog.records if r.name.startswith("kafka") and r.levelno < logging.CRITICAL] == []


def test_the_options_carry_login_and_certificate_only_where_they_are_set() -> None:
    plain = admin.kafka_client_options(Settings(kafka={"bootstrap": "a:1, b:2"}))
    assert plain["bootstrap_servers"] == ["a:1", "b:2"]
    assert not {"sasl_plain_password", "ssl_context"} & set(plain)
    login = {"sasl_mechanism": "SCRAM-SHA-512", "username": "u", "password": "p"}
    options = admin.kafka_client_options(Settings(kafka={"security_protocol": "SASL_SSL"} | login))
    assert {k: options[k] for k in ("sasl_mechanism", "sasl_plain_username", "sasl_plain_password")} == {
        "sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": "u", "sasl_plain_password": "p",
    }  # fmt: skip
    assert options["ssl_context"].check_hostname
