"""What was learnt is deleted where the broker can delete records, and where it cannot, nothing is. Its alert ends with it."""

from __future__ import annotations

import pytest
from kafka import TopicPartition

from alerts.alert import ModelAlert, decode_any
from detectors.parameters import SHIPPED, dumps
from streams.runtime.admin import create_topics
from streams.runtime.backoff import Backoff
from streams.runtime.connect import link_to
from streams.runtime.forgetting import forget_labels_and_models, forget_learnt
from streams.runtime.kafka_client import AdminError, admin_client, ends, producer, reader
from streams.runtime.learner_papers import ALERT_KEY, FORGOTTEN
from streams.runtime.learner_store import LearnerRecord, RedisLearnerStore
from streams.runtime.model_in_use import newest_by_key
from streams.runtime.reading import read_range
from streams.runtime.settings import Settings, load_settings
from streams.runtime.store import System
from streams.runtime.topics import ALERTS, LABELS, MODELS
from streams.serving import CHAMPION_PREFIX, CLOSED_FORM_KEY, CONTROL_KEY, FITTED_PREFIX, SERVING_KEY
from tests.support.brokers import RunningBroker
from tests.support.learners import DAY_0
from tests.support.learning_days import learning, message
from tests.support.redis_servers import RunningRedis

LEARNT = (SERVING_KEY, CONTROL_KEY, CHAMPION_PREFIX + b"v1", FITTED_PREFIX + b"refitted-2024-10-13")


def site(broker: RunningBroker, prefix: str, **more: str) -> Settings:
    """One label and one model of each kind."""
    environment = {"CHURNWATCH_KAFKA__BOOTSTRAP": broker.bootstrap, "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix} | more
    settings = load_settings(None, environment)
    create_topics(settings)
    with producer(settings) as client:
        for key in (*LEARNT, CLOSED_FORM_KEY):
            client.send(prefix + MODELS, dumps(SHIPPED) if key == CLOSED_FORM_KEY else b"{}", key=key).get(10)
        client.send(prefix + LABELS, b"{}", key=b"0").get(10)
    return settings


def alerts(settings: Settings) -> list[ModelAlert]:
    """About the champion."""
    topic = settings.kafka.topic_prefix + ALERTS
    with admin_client(settings) as admin, reader(settings) as client:
        spans = ends(admin, client, [TopicPartition(topic, at) for at in range(settings.kafka.partitions)])
        records = read_range(client, {tp: (span.first, span.end) for tp, span in spans.items()})
        found = [decode_any(record.value) for record in records if record.key == ALERT_KEY]
    return [one for one in found if isinstance(one, ModelAlert)]


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


async def test_the_alert_that_the_champion_is_demoted_ends_before_nobody_knows_of_it(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str
) -> None:
    learner = await learning(20)
    for day in range(20, 32):
        learner.tell(message(DAY_0 + day, leave=True))
        await learner.round()
    (firing,) = map(decode_any, learner.alerts)
    assert isinstance(firing, ModelAlert)
    settings = site(real_kafka, prefix, CHURNWATCH_REDIS__URL=real_redis.url, CHURNWATCH_REDIS__PREFIX=f"{prefix}s")
    link = link_to(settings.redis)
    store = RedisLearnerStore(link, prefix=settings.redis.prefix, backoff=Backoff(patience_s=20.0))
    await store.commit(await store.take(1, "a", System("g", "")), 1, learner.store.record.fields)
    for _ in range(2):
        await forget_learnt(settings)
        (alert,) = alerts(settings)
        assert (alert.status, alert.alert_id, alert.transition) == ("resolved", firing.alert_id, 2)
        assert (alert.live, alert.since, alert.as_of >= firing.as_of) == (True, firing.since, True)
        assert (alert.model, alert.text) == (SHIPPED.version, FORGOTTEN)
        assert await store.read() == LearnerRecord()
    await link.close()
