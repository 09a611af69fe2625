"""Retention triggers of a live system: one CloudEvent for who is to be approached, none for the holdout, whatever is killed."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from alerts.stages.holdout import in_holdout
from alerts.trigger_event import Trigger, decode_trigger
from streams.columns import DAY_MS
from streams.runtime.playbook_file import load_playbook
from streams.runtime.topics import TRIGGERS
from tests.oracle.triggers_twin import Triggered, triggers
from tests.support.brokers import RunningBroker
from tests.support.live import Live, days_ago, now_ms
from tests.support.redis_servers import RunningRedis
from tests.support.workers import Fleet, WorkerProcess

PLAYBOOK = """
plays:
  - {name: call, tier: critical, least_value: 200, action: call, message: call-1, every_days: 365}
  - {name: write, tier: watch, action: email, message: mail-1, every_days: 100}
"""
BOOK = load_playbook(PLAYBOOK)
SHARE, SALT = 0.5, "tests"
EVENT_TIME_MAY_RUN_AHEAD = {
    "CHURNWATCH_TIME__SKEW_S": str(3 * 365 * 86_400),
    "CHURNWATCH_POLICY__BREACHES": "1",
    "CHURNWATCH_POLICY__HOLDOUT_SHARE": str(SHARE),
    "CHURNWATCH_POLICY__HOLDOUT_SALT": SALT,
}
CUSTOMERS = [f"customer-{k}" for k in range(40)]
SILENT_BEFORE = "olga"


def system(broker: RunningBroker, redis: RunningRedis, prefix: str, folder: Path, **more: str) -> Live:
    """With a playbook."""
    (folder / "playbook.yaml").write_text(PLAYBOOK)
    path = {"CHURNWATCH_TRIGGERS__PLAYBOOK_FILE": str(folder / "playbook.yaml")}
    return Live(broker, redis, prefix, **(EVENT_TIME_MAY_RUN_AHEAD | path | more))


def buy_and_fall_silent(site: Live, from_ms: int) -> None:
    """Every customer buys on a week's days, and others' purchases take event time two months beyond that."""
    with site.producer() as producer:
        for day in range(7):
            for k, customer in enumerate(CUSTOMERS):
                value = site.purchase(customer, from_ms + day * DAY_MS + k)
                producer.send(site.prefix + "purchases", json.dumps(value).encode(), key=customer.encode())
        for day in range(10, 70, 10):
            value = site.purchase(f"other-{day}", from_ms + day * DAY_MS)
            producer.send(site.prefix + "purchases", json.dumps(value).encode(), key=value["customer_id"].encode())


def published(site: Live) -> list[Trigger]:
    """What stands on `churn.triggers`, each id once; a repeat is the same to the byte."""
    records = site.records(TRIGGERS)
    by_id = {decode_trigger(record.value).id: record for record in records}
    assert all(by_id[decode_trigger(record.value).id].value == record.value for record in records)
    assert all(record.key.decode() == decode_trigger(record.value).subject for record in records)
    return [decode_trigger(record.value) for record in by_id.values()]


def seconds(instant: str) -> int:
    return int(datetime.fromisoformat(instant).timestamp())


def told(found: list[Trigger]) -> list[Triggered]:
    return sorted((trigger.subject, trigger.data.play, seconds(trigger.time)) for trigger in found)


def by_twin(site: Live) -> list[Triggered]:
    """What the alerts on `churn.alerts` set off, told one at a time."""
    alerts = {alert.message_id: alert for alert in site.of_customers()}
    return sorted(triggers([(seconds(alert.as_of), alert) for alert in alerts.values()], BOOK.plays))


def outcome(worker: WorkerProcess, name: str) -> float:
    return worker.metric("churnwatch_triggers_total", outcome=name)


def test_a_live_alert_leads_to_one_trigger_and_one_about_the_past_to_none(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = system(real_kafka, real_redis, prefix, tmp_path)
    site.buys(SILENT_BEFORE, *days_ago(230, 216, 202, 188, 174, 160))
    with Fleet(site.environment, tmp_path) as fleet:
        worker = fleet.start()
        fleet.until(lambda: outcome(worker, "past") > 0, "an alert about the past")
        fleet.until(lambda: site.unsent() == 0, "an empty outbox")
        assert {alert.live for alert in site.of_customers()} == {False}
        assert site.records(TRIGGERS) == []
        buy_and_fall_silent(site, now_ms() + 60_000)
        fleet.until(lambda: told(published(site)) == by_twin(site) != [], "the triggers of the alerts")
        found = published(site)
        held_out = {customer for customer in CUSTOMERS if in_holdout(customer, SHARE, SALT)}
        fleet.until(lambda: site.unsent() == 0, "an empty outbox")
        triggered = {trigger.subject for trigger in found}
        assert triggered & set(CUSTOMERS) == set(CUSTOMERS) - held_out
        assert 5 < len(held_out) < len(CUSTOMERS) - 5
        alerted = {alert.customer_id for alert in site.of_customers() if alert.live and alert.holdout}
        assert alerted >= held_out, "they were alerted like everybody else"
        assert outcome(worker, "triggered") == len(found)
        assert outcome(worker, "holdout") >= len(held_out)
        assert worker.metric("churnwatch_outbox_published_total", topic="churn.triggers") == len(found)
        alerts = {alert.message_id: alert for alert in site.of_customers()}
        for trigger in found:
            alert = alerts[trigger.data.message_id]
            assert (trigger.subject, trigger.time, trigger.data.tier) == (alert.customer_id, alert.as_of, alert.tier)
            assert (trigger.source, trigger.data.playbook) == (f"/churnwatch/{prefix}group", BOOK.hash)
        assert worker.stop() == 0


def test_a_worker_killed_between_its_triggers_triggers_nobody_again_within_the_days(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = system(real_kafka, real_redis, prefix, tmp_path, CHURNWATCH_ENGINE__MAX_ROWS="5")
    with Fleet(site.environment, tmp_path) as fleet:
        first = fleet.start()
        fleet.until(first.ready, "ready")
        start_ms = now_ms() + 60_000
        buy_and_fall_silent(site, start_ms)
        fleet.until(lambda: first.metric("churnwatch_outbox_published_total", topic="churn.triggers") > 0, "the first triggers")
        first.kill()
        second = fleet.start()
        fleet.until(lambda: told(published(site)) == by_twin(site) != [], "the triggers of the alerts")
        fleet.until(lambda: site.folded()["purchases"] == 7 * len(CUSTOMERS) + 6, "all of it folded")
        second.kill()
        third = fleet.start()
        buy_and_fall_silent(site, start_ms + 70 * DAY_MS)  # they come back, and leave again 100 days after they first did at most
        fleet.until(lambda: site.folded()["purchases"] == 2 * (7 * len(CUSTOMERS) + 6), "all of it folded")
        fleet.until(lambda: site.outbox() == [] and third.metric("churnwatch_outbox_depth") == 0, "an empty outbox")
        found = published(site)
        assert told(found) == by_twin(site)
        fired = [alert.customer_id for alert in site.of_customers() if alert.decision == "fired" and not alert.holdout]
        again = {customer for customer in fired if fired.count(customer) > 1}
        assert again & set(CUSTOMERS), "some fired again"
        assert outcome(third, "too_soon") > 0
        assert third.stop() == 0
