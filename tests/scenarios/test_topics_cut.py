"""Topics that no longer fit what was read of them: made anew, they are refused; events deleted unread are told and passed by."""

from __future__ import annotations

import json
from pathlib import Path

from kafka import TopicPartition

from streams.runtime.admin import create_topics
from streams.runtime.kafka_client import admin_client
from streams.runtime.settings import load_settings
from tests.support.brokers import RunningBroker
from tests.support.live import Live, now_ms
from tests.support.redis_servers import RunningRedis
from tests.support.workers import Fleet

BATCH = 10


def buys_in_one_batch(site: Live, customer: str, purchases: int) -> None:
    with site.producer(linger_ms=500, batch_size=1_000_000) as producer:
        for _ in range(purchases):
            value = json.dumps(site.purchase(customer, now_ms())).encode()
            producer.send(site.prefix + "purchases", value, key=customer.encode())


def work_until_folded(site: Live, folder: Path, purchases: int) -> None:
    folder.mkdir()
    with Fleet(site.environment, folder) as fleet:
        worker = fleet.start()
        fleet.until(lambda: worker.ready() and site.folded()["purchases"] == purchases, f"{purchases} purchases folded")
        assert worker.stop() == 0


def test_a_topic_that_was_made_anew_is_refused_and_a_restart_is_not(
    broker: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    """The embedded broker names the end of a batch too low: that alone is no reason to refuse."""
    site = Live(broker, real_redis, prefix)
    buys_in_one_batch(site, "anna", BATCH)
    work_until_folded(site, tmp_path / "first", BATCH)
    work_until_folded(site, tmp_path / "again", BATCH)
    before = site.meta()
    settings = load_settings(None, site.environment)
    with admin_client(settings) as admin:
        admin.delete_topics([f"{prefix}purchases"])
    create_topics(settings)
    site.buys("anna", now_ms())
    (tmp_path / "anew").mkdir()
    with Fleet(site.environment, tmp_path / "anew") as fleet:
        worker = fleet.start()
        worker.may_end = True
        fleet.until(lambda: worker.exit_code() is not None, "the worker gives up")
        assert worker.exit_code() == 1
        (line,) = worker.plain_lines()
    assert f"partition 0 of {prefix}purchases ends at offset 1, but was read up to {BATCH} before" in line
    assert "`churnwatch rebuild`" in line
    assert site.meta() == before


def test_events_that_retention_deleted_before_they_were_read_are_counted_and_the_rest_is_read(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Live(real_kafka, real_redis, prefix)
    site.buys("anna", *[now_ms()] * 3)
    work_until_folded(site, tmp_path / "first", 3)
    site.buys("anna", *[now_ms()] * 5)
    with admin_client(load_settings(None, site.environment)) as admin:
        admin.delete_records({TopicPartition(f"{prefix}purchases", 0): 6})
    with Fleet(site.environment, tmp_path) as fleet:
        worker = fleet.start()
        fleet.until(lambda: site.folded()["purchases"] == 8, "the rest folded")
        assert worker.metric("churnwatch_events_lost_total", topic="purchases") == 3
        assert worker.applied() == 2
        (told,) = [entry for entry in worker.entries() if entry["event"].startswith("events were deleted before")]
        assert (told["level"], told["topic"], told["first_offset"], told["events"]) == ("error", f"{prefix}purchases", 3, 3)
        assert worker.stop() == 0
