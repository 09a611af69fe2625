"""The switch and the digest on a real broker: what is written, found again, and not taken for something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from alerts.alert import Digest
from streams.backtest.history import History, read_histories
from streams.backtest.mapping import find_source
from streams.backtest.replaying import ReplayError, ReplayOptions, replay_history
from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS
from streams.runtime.admin import check_topics, create_topics
from streams.runtime.catch_up import digest_id, find_digest, publish
from streams.runtime.commits import LiveState, PastAlerts, pack_state
from streams.runtime.redis_diagnosis import diagnose_redis
from streams.runtime.settings import Settings, load_settings
from streams.runtime.standing import Standing
from streams.runtime.switching import Unfolded, clock_ends, history_stands, let_broker_stamp, unfolded, write_switches
from streams.state import PartitionState
from tests.support.brokers import RunningBroker
from tests.support.eventually import eventually
from tests.support.live import now_ms
from tests.support.redis_servers import RunningRedis

NEW = Standing(0, {}, 0, None, None, "", PastAlerts(), {})
BOTH = [replace(NEW, offsets={"purchases": 7, "clock": 1}), replace(NEW, partition=1)]


def settings_for(broker: RunningBroker, prefix: str, **more: str) -> Settings:
    """Topics with two partitions that were just made."""
    names = {"KAFKA__BOOTSTRAP": broker.bootstrap, "KAFKA__TOPIC_PREFIX": prefix, "KAFKA__PARTITIONS": "2"}
    settings = load_settings(None, {f"CHURNWATCH_{name}": value for name, value in (names | more).items()})
    create_topics(settings)
    return settings


@contextmanager
def sending(settings: Settings) -> Iterator[Any]:
    producer = KafkaProducer(bootstrap_servers=settings.kafka.bootstrap, batch_size=0)
    yield producer
    producer.flush(10)
    producer.close()


def a_history(directory: Path) -> History:
    events, _ = simulate_customers(5, 20, 20_000 * DAY_MS, seed=2)
    write_history(directory / "h.csv", events, "USD", "e")
    return read_histories([find_source(str(directory / "h.csv"), None, "")])


def test_ticks_and_a_switch_are_found_until_they_are_folded(broker: RunningBroker, prefix: str) -> None:
    settings = settings_for(broker, prefix)
    new = [NEW, replace(NEW, partition=1)]
    with sending(settings) as producer:
        for value in (b'{"type":"tick","at_ms":900000000000}', b"rubbish", b'{"type":"heartbeat","at_ms":900000000001}'):
            producer.send(f"{prefix}churn.clock", value, key=b"0", partition=0)
    ends = clock_ends(settings)
    assert ends == {0: 3, 1: 0}
    assert unfolded(settings, new, ends) == Unfolded(Counter({0: 1}), {})
    assert unfolded(settings, BOTH, ends) == Unfolded(Counter(), {}), "heartbeats and rubbish are no ticks"
    write_switches(settings, BOTH[:1], 1_700_000_000_000)
    ends = clock_ends(settings)
    assert unfolded(settings, BOTH, ends) == Unfolded(Counter(), {0: 1_700_000_000_000})
    folded = [replace(BOTH[0], offsets={"clock": 4}), BOTH[1]]
    assert unfolded(settings, folded, ends) == Unfolded(Counter(), {})


def test_a_switch_under_another_key_is_a_dead_letter_and_no_switch(broker: RunningBroker, prefix: str, tmp_path: Path) -> None:
    settings = settings_for(broker, prefix, TIME__CLOCK="history")
    history = a_history(tmp_path)
    replay_history(history, settings, ReplayOptions())
    with sending(settings) as producer:
        producer.send(f"{prefix}churn.clock", b'{"type":"go_live","at_ms":1700000000000}', key=b"1", partition=0)
    assert unfolded(settings, BOTH, clock_ends(settings)).switches == {}
    assert replay_history(history, settings, ReplayOptions(run_on_days=5)).ticks == 5


def test_only_topics_that_begin_with_a_history_are_taken_for_one(broker: RunningBroker, prefix: str) -> None:
    settings = settings_for(broker, prefix)
    assert not history_stands(settings)
    for value, stands in ((b'{"type":"heartbeat","at_ms":900000000001}', False), (b'{"type":"tick","at_ms":900000000000}', True)):
        with sending(settings) as producer:
            producer.send(f"{prefix}churn.clock", value, key=b"0", partition=0)
        assert history_stands(settings) is stands


def test_nothing_is_replayed_into_topics_that_went_live(broker: RunningBroker, prefix: str, tmp_path: Path) -> None:
    settings = settings_for(broker, prefix, TIME__CLOCK="history")
    history = a_history(tmp_path)
    replay_history(history, settings, ReplayOptions())
    write_switches(settings, BOTH, 1_700_000_000_000)
    with sending(settings) as producer:
        for _ in range(100):
            producer.send(f"{prefix}churn.clock", b'{"type":"heartbeat","at_ms":1700000000000}', key=b"0", partition=0)
    with pytest.raises(ReplayError, match=r"churn\.clock went live at 2023-11-14T22:13:20\.000Z"):
        replay_history(history, settings, ReplayOptions(run_on_days=5))


def test_the_broker_is_made_to_stamp_where_it_does_not(real_kafka: RunningBroker, prefix: str) -> None:
    settings = settings_for(real_kafka, prefix)
    assert let_broker_stamp(settings) == []
    client = KafkaAdminClient(bootstrap_servers=real_kafka.bootstrap)
    by_producer = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
    client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, f"{prefix}logins", configs=by_producer)])
    client.close()
    eventually(lambda: check_topics(settings))
    assert let_broker_stamp(settings) == [f"{prefix}logins"]
    eventually(lambda: check_topics(settings), lambda found: found == [])


def a_digest(settings: Settings, at_ms: int) -> Digest:
    instant = "2023-11-14T22:13:20.000Z"
    return Digest(
        digest_id=digest_id(settings, at_ms), kind="catch_up", since=instant, until=instant, alerts=0, by_tier={}, top=[]
    )


def test_a_digest_that_was_sent_is_found_by_whomever(broker: RunningBroker, prefix: str) -> None:
    settings, at_ms = settings_for(broker, prefix), now_ms()
    assert find_digest(settings, at_ms) == "no"
    with sending(settings) as producer:
        producer.send(f"{prefix}churn.alerts", b"{}", key=b"digest", partition=0)
    publish(settings, a_digest(settings, at_ms - 5_000))
    assert find_digest(settings, at_ms) == "no", "another switch's"
    publish(settings, a_digest(settings, at_ms))
    with sending(settings) as producer:
        producer.send(f"{prefix}churn.alerts", b"{}", key=b"anna", partition=0)
    assert find_digest(settings, at_ms) == "yes"


def test_a_digest_whose_time_has_expired_on_its_topic_is_not_sent_again(real_kafka: RunningBroker, prefix: str) -> None:
    settings, long_ago_ms = settings_for(real_kafka, prefix), now_ms() - 7_200_000
    publish(settings, a_digest(settings, long_ago_ms))
    assert find_digest(settings, long_ago_ms) == "yes"
    client = KafkaAdminClient(bootstrap_servers=real_kafka.bootstrap)
    client.delete_records({TopicPartition(f"{prefix}churn.alerts", 0): 1})
    client.close()
    assert find_digest(settings, long_ago_ms) == "expired"
    assert find_digest(settings, now_ms()) == "no", "what has just been switched cannot have been told"


@pytest.mark.parametrize(
    ("live_after_ms", "clock", "status", "what"),
    [
        (None, "history", "ok", "1 partitions load history, 0 are live"),
        (5, "history", "ok", "0 partitions load history, 1 are live"),
        (5, "wall", "ok", "0 partitions load history, 1 are live"),
        (None, "wall", "error", "time.clock is wall, but history is being loaded into partitions [1]"),
    ],
)
def test_doctor_tells_history_from_live(
    real_redis: RunningRedis, prefix: str, live_after_ms: int | None, clock: str, status: str, what: str
) -> None:
    state = pack_state(LiveState(PartitionState().to_bytes(), b"", live_after_ms=live_after_ms))
    settings = Settings(redis={"url": real_redis.url, "prefix": prefix}, kafka={"partitions": 2}, time={"clock": clock})
    with real_redis.client() as client:
        client.hset(f"{prefix}:{{1}}:meta", "state", state)
        found = {finding.subject: finding for finding in diagnose_redis(settings)}
        client.delete(f"{prefix}:{{1}}:meta")
    assert (found["redis mode"].status, found["redis mode"].what) == (status, what)
    assert bool(found["redis mode"].fix) == (status == "error")
