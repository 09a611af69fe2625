"""Live: customers fall silent, and the wall clock notices; where silence proves nothing, it waits and says so once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from alerts.alert import Alert, IngestionAlert
from alerts.ids import rfc3339
from streams.columns import DAY_MS
from streams.runtime.topics import DEAD_LETTERS
from tests.support.brokers import RunningBroker
from tests.support.live import Live, days_ago, now_ms
from tests.support.redis_servers import RunningRedis
from tests.support.workers import Fleet, WorkerProcess

MONTHS_OF_SILENCE = (195.0, 188.0, 181.0, 174.0, 167.0, 160.0)
"""Days ago: a purchase every week, the last one five months ago.

With two weeks between them the risk just before the third is .497 at one time of day and above the line of .5 at another.
"""

SECOND_BREACH_S = 8
SOON = {
    "CHURNWATCH_POLICY__WATCH": "0.001",
    "CHURNWATCH_POLICY__RELEASE_MARGIN": "0.0005",
    "CHURNWATCH_POLICY__BREACH_SPACING_S": str(SECOND_BREACH_S),
}
"""A purchase is the first breach, and silence of SECOND_BREACH_S the second: an alert that comes due while a test looks on."""


def moves_on(site: Live, commits: int = 3, partition: int = 0) -> Callable[[], bool]:
    """Whether the partition has committed so many times from now on."""
    target = site.meta(partition).seq + commits
    return lambda: site.meta(partition).seq >= target


def holds(worker: WorkerProcess, reason: str, partition: int = 0) -> bool:
    return worker.metric("churnwatch_clock_state", partition=str(partition), state=reason) == 1.0


def test_a_customer_is_alerted_by_the_clock_alone_when_the_stream_is_quiet_altogether(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Live(real_kafka, real_redis, prefix)
    times_ms = days_ago(*MONTHS_OF_SILENCE)
    site.buys("anna", *times_ms)
    with Fleet(site.environment, tmp_path) as fleet:
        worker = fleet.start()
        fleet.until(lambda: len(site.of_customers()) >= 1, "an alert")
        fleet.until(lambda: site.watermark_ms() > now_ms() - 60_000, "the watermark follows the wall clock")
        assert holds(worker, "advance")
        assert site.folded() == {"purchases": len(times_ms), "complaints": 0, "logins": 0}
        first = site.of_customers()[0]
        assert (first.customer_id, first.status, first.decision) == ("anna", "firing", "fired")
        assert first.event is None, "no event moved it: silence did"
        assert rfc3339(times_ms[-1]) < first.as_of < rfc3339(now_ms())
        assert first.idle_days is not None
        assert first.idle_days > 14
        assert all(alert.event is None for alert in site.of_customers())
        assert site.of_ingestion() == []
        assert worker.stop() == 0


@pytest.mark.parametrize("outage", ["frozen", "killed"])
def test_while_the_broker_is_out_of_reach_silence_alerts_are_held_and_it_is_told_once(
    outage: str, real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Live(real_kafka, real_redis, prefix, **SOON, CHURNWATCH_TIME__STALLED_AFTER_S="3")
    with Fleet(site.environment, tmp_path) as fleet:
        worker = fleet.start()
        fleet.until(lambda: holds(worker, "advance"), "a clock that runs")
        bought_ms = now_ms()
        site.buys("anna", bought_ms - 20 * DAY_MS, bought_ms)
        fleet.until(lambda: site.folded()["purchases"] == 2, "both purchases folded")
        due_ms = bought_ms + SECOND_BREACH_S * 1000
        real_kafka.freeze() if outage == "frozen" else real_kafka.kill()
        try:
            assert now_ms() < due_ms, "the outage begins before the alert comes due"
            fleet.until(lambda: len(site.outbox()) > 0, "an ingestion alert in the outbox")
            fleet.until(lambda: now_ms() > due_ms, "the time at which silence would have told")
            fleet.until(moves_on(site), "three more commits")
            assert holds(worker, "broker_unreachable")
            assert site.watermark_ms() < due_ms
            (told,) = site.outbox()
            assert isinstance(told, IngestionAlert)
            assert (told.status, told.reason, told.transition) == ("firing", "broker_unreachable", 1)
            fleet.until(lambda: worker.metric("churnwatch_waiting_seconds", server="broker") > 1, "it says for whom it waits")
            status, body = worker.get("/readyz")
            assert (status, json.loads(body)["checks"]["broker"]["ok"]) == (503, False)
            assert worker.get("/healthz")[0] == 200
        finally:
            real_kafka.thaw() if outage == "frozen" else real_kafka.start()
        fleet.until(lambda: len(site.of_customers()) > 0, "the alert that was held")
        sent = list({alert.message_id: alert for alert in site.alerts()}.values())  # the broker may take one twice, when it dies
        anna = next(at for at, alert in enumerate(sent) if isinstance(alert, Alert))
        told_of = [alert for alert in sent[:anna] if isinstance(alert, IngestionAlert)]
        assert told_of[0] == told
        assert (told_of[1].alert_id, told_of[1].status, told_of[1].transition) == (told.alert_id, "resolved", 2)
        # a broker that has just come back may fall silent once more; of that it is told again, and she is held again
        assert [alert.status for alert in told_of] == ["firing", "resolved"] * (len(told_of) // 2)
        assert site.of_customers()[0].event is None
        assert site.of_customers()[0].as_of >= rfc3339(due_ms // 1000 * 1000)


def test_without_heartbeats_silence_alerts_are_held_until_one_arrives(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Live(real_kafka, real_redis, prefix, partitions=2, CHURNWATCH_TIME__HEARTBEAT_TIMEOUT_S="3600")
    silent = [site.customer_in(partition, "silent") for partition in range(2)]
    for customer in silent:
        site.buys(customer, *days_ago(*MONTHS_OF_SILENCE))
    with Fleet(site.environment, tmp_path) as fleet:
        worker = fleet.start()
        for partition in range(2):
            fleet.until(lambda p=partition: holds(worker, "heartbeat_missing", p), "a clock that is held")
        # the events of others move event time on by months, and prove nothing about those who are silent
        others = [site.customer_in(partition, "other") for partition in range(2)]
        for customer in others:
            site.buys(customer, now_ms())
        for partition in range(2):
            fleet.until(lambda p=partition: site.folded(p)["purchases"] == 7, "the others' events folded")
            fleet.until(moves_on(site, partition=partition), "three more commits")
        assert site.of_customers() == []
        assert worker.stop() == 0
    (tmp_path / "heir").mkdir()
    with Fleet(site.environment, tmp_path / "heir") as fleet:
        heir = fleet.start()  # holds on, and does not tell again
        fleet.until(lambda: heir.owned() == 2, "a new owner")
        for partition in range(2):
            fleet.until(moves_on(site, partition=partition), "three more commits")
            assert holds(heir, "heartbeat_missing", partition)
        assert [(alert.partition, alert.status, alert.reason) for alert in site.of_ingestion()] == [
            (0, "firing", "heartbeat_missing"),
            (1, "firing", "heartbeat_missing"),
        ]
        assert site.of_customers() == []
        site.beat()
        fleet.until(lambda: {alert.customer_id for alert in site.of_customers()} >= set(silent), "the alerts that were held")
        for partition in range(2):
            assert holds(heir, "advance", partition)
            told = [alert for alert in site.of_ingestion() if alert.partition == partition]
            assert [(alert.status, alert.transition) for alert in told] == [("firing", 1), ("resolved", 2)]
            assert len({alert.alert_id for alert in told}) == 1
        assert all(alert.event is None for alert in site.of_customers())


def test_what_is_too_far_ahead_is_judged_by_when_the_broker_took_it(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Live(real_kafka, real_redis, prefix, CHURNWATCH_TIME__SKEW_S="600")
    sent_ms = now_ms()
    site.buys("anna", sent_ms + 3_600_000, sent_ms + 590_000, sent_ms)
    with Fleet(site.environment, tmp_path) as fleet:
        fleet.start()
        fleet.until(lambda: site.folded()["purchases"] == 3, "all three passed")
        fleet.until(lambda: len(site.records(DEAD_LETTERS)) == 1, "a dead letter")
        (letter,) = (json.loads(record.value) for record in site.records(DEAD_LETTERS))
        assert (letter["reason"], letter["offset"]) == ("too_far_ahead", 0)
        assert sent_ms <= letter["record_time_ms"] <= now_ms()
        assert site.watermark_ms() < sent_ms + 600_000
