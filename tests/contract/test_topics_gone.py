"""What brokers and aiokafka say of topics and records that are gone: ids of topics, offsets out of range."""

from __future__ import annotations

from pathlib import Path

from aiokafka import AIOKafkaProducer
from faust.types import TP
from kafka import KafkaAdminClient, TopicPartition

from streams.runtime.topic_ids import ask_topic_ids
from tests.support.brokers import RunningBroker
from tests.support.intake_app import Recorder, made, running, send, until


async def test_a_topic_keeps_its_id_for_life_and_one_made_anew_has_another(broker: RunningBroker, prefix: str) -> None:
    """And to ask for one that is gone does not bring it back."""
    first, *_ = names = made(broker, prefix)
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap, request_timeout_ms=8_000)
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
        before = await ask_topic_ids(producer.client, [*names, f"{prefix}never"])
        assert sorted(before) == sorted(names)
        assert len({topic_id for topic_id in before.values() if len(topic_id) == 22}) == len(names)
        await send(broker, {TP(first, 0): 3})
        assert await ask_topic_ids(producer.client, names) == before
        admin.delete_topics([first])
        assert await ask_topic_ids(producer.client, names) == {name: before[name] for name in names[1:]}
        admin.create_topics({first: {"num_partitions": 4, "replication_factor": 1}}, wait_for_metadata=True)
        after = await ask_topic_ids(producer.client, names)
        assert after.pop(first) not in {"", before[first]}
        assert after == {name: before[name] for name in names[1:]}
    admin.close()


async def test_a_fetch_of_what_retention_has_deleted_is_told_again_and_again_until_it_is_sought(
    real_kafka: RunningBroker, prefix: str, tmp_path: Path
) -> None:
    """Left to itself, aiokafka would go on at the earliest record and say nothing."""
    topics = made(real_kafka, prefix)
    gone, other = TP(topics[0], 0), TP(topics[1], 0)
    await send(real_kafka, {gone: 10, other: 10})
    admin = KafkaAdminClient(bootstrap_servers=real_kafka.bootstrap, request_timeout_ms=8_000)
    admin.delete_records({TopicPartition(*gone): 6})
    admin.close()
    found = Recorder(starts={gone: 3})
    async with running(real_kafka, f"{prefix}group", topics, found, tmp_path):
        for _ in range(2):
            await until(lambda: found.gone == {gone: 3}, "told")
            found.gone.clear()
        await until(lambda: found.offsets(other) == list(range(10)), "the others are read")
        assert found.offsets(gone) == []
        await found.app.consumer.seek(gone, 6)
        await until(lambda: found.offsets(gone) == list(range(6, 10)), "what is left")
