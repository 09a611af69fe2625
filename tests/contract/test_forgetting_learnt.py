"""What was learnt is deleted where the broker can delete records, and where it cannot, nothing is."""

from __future__ import annotations

import pytest
from kafka import TopicPartition

from streams.runtime.admin import create_topics
from streams.runtime.forgetting import forget_labels_and_models
from streams.runtime.kafka_client import AdminError, admin_client, ends, producer, reader
from streams.runtime.model_in_use import newest_by_key
from streams.runtime.settings import Settings, load_settings
from streams.runtime.topics import LABELS, MODELS
from streams.serving import CHAMPION_PREFIX, CLOSED_FORM_KEY, CONTROL_KEY, FITTED_PREFIX, SERVING_KEY
from tests.support.brokers import RunningBroker

LEARNT = (SERVING_KEY, CONTROL_KEY, CHAMPION_PREFIX + b"v1", FITTED_PREFIX + b"refitted-2024-10-13")


def site(broker: RunningBroker, prefix: str) -> Settings:
    """One label and one model of each kind."""
    environment = {"CHURNWATCH_KAFKA__BOOTSTRAP": broker.bootstrap, "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix}
    settings = load_settings(None, environment)
    create_topics(settings)
    with producer(settings) as client:
        for key in (*LEARNT, CLOSED_FORM_KEY):
            client.send(prefix + MODELS, b"{}", key=key).get(10)
        client.send(prefix + LABELS, b"{}", key=b"0").get(10)
    return settings


def labels(settings: Settings) -> int:
    tp = TopicPartition(settings.kafka.topic_prefix + LABELS, 0)
    with admin_client(settings) as admin, reader(settings) as client:
        found = ends(admin, client, [tp])[tp]
    return found.end - found.first


def test_labels_and_what_was_learnt_are_gone_and_a_persons_parameters_stay(real_kafka: RunningBroker, prefix: str) -> None:
    settings = site(real_kafka, prefix)
    for _ in range(2):
        forget_labels_and_models(settings)
        assert labels(settings) == 0
        assert newest_by_key(settings).keys() == {CLOSED_FORM_KEY}


def test_a_broker_that_deletes_no_records_keeps_all_of_it(embedded_kafka: RunningBroker, prefix: str) -> None:
    settings = site(embedded_kafka, prefix)
    with pytest.raises(AdminError, match=r"to delete the records of .*churn\.labels; .* embedded one cannot"):
        forget_labels_and_models(settings)
    assert labels(settings) == 1
    assert newest_by_key(settings).keys() == {CLOSED_FORM_KEY, *LEARNT}
