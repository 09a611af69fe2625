"""What challengers make sure of before they read: that churn.labels is there, and has the one partition that they read."""

from __future__ import annotations

import asyncio

import pytest
from kafka import KafkaAdminClient

from streams.runtime.backoff import Backoff
from streams.runtime.entrance import check_labels
from streams.runtime.log_range import partitions_seen
from streams.runtime.settings import Settings, load_settings
from streams.runtime.topics import LABELS, WrongTopics
from tests.support.brokers import RunningBroker


@pytest.mark.parametrize(
    ("partitions", "said"), [(1, ""), (3, r"churn\.labels has 3 partitions, settings say 1"), (0, r"labels does not exist")]
)
def test_labels_have_one_partition_or_nothing_is_read(broker: RunningBroker, prefix: str, partitions: int, said: str) -> None:
    environment = {"CHURNWATCH_KAFKA__BOOTSTRAP": broker.bootstrap, "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix}
    settings: Settings = load_settings(None, environment)
    name = prefix + LABELS
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap, request_timeout_ms=10_000)
    if partitions:
        admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()
    assert asyncio.run(partitions_seen(settings.kafka)).get(name, 0) == partitions
    if not said:
        asyncio.run(check_labels(settings, Backoff()))
        return
    with pytest.raises(WrongTopics, match=said):
        asyncio.run(check_labels(settings, Backoff()))
