"""Customers who cancel: loaded from a history, and live, where the topic is turned on in a system that runs."""

from __future__ import annotations

import json
from collections import Counter
from itertools import groupby
from pathlib import Path

import msgspec
import pytest

from streams.backtest.simulation import SimulatedEvent, simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import CANCELLATION, DAY_MS, PURCHASE
from streams.customer import read_records
from streams.labels import decode_labels
from streams.record_marks import ended
from streams.runtime.admin import check_topics, create_topics
from streams.runtime.lag import lag
from streams.runtime.settings import load_settings
from streams.runtime.topics import ALERTS, DEAD_LETTERS, LABELS
from tests.oracle.recount import read_plain
from tests.support.brokers import RunningBroker
from tests.support.live import Live, days_ago, now_ms
from tests.support.redis_servers import RunningRedis
from tests.support.replays import (
    Replayed,
    Site,
    assert_alerts_as_from_the_file,
    assert_as_from_the_file,
    assert_counted_once,
)
from tests.support.workers import Fleet, run_command

ON = {"CHURNWATCH_KAFKA__CANCELLATIONS": "true"}
SILENT_MONTHS = (195.0, 188.0, 181.0, 174.0, 167.0, 160.0)
"""Days ago: a purchase every week, the last one five months ago."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """Half of the customers cancel: 40 days after their last purchase but one, so that some come back, or after the last."""
    path = tmp_path_factory.mktemp("history") / "history.csv"
    events, _ = simulate_customers(80, 220, 20_000 * DAY_MS, seed=4)
    bought = sorted((event for event in events if event.kind == PURCHASE), key=lambda event: (event.customer, event.time_ms))
    cancelled = []
    for number, (customer, found) in enumerate(groupby(bought, key=lambda event: event.customer)):
        times_ms = [event.time_ms for event in found]
        if number % 2 == 0:
            at_ms = times_ms[-2 if number % 4 and len(times_ms) > 1 else -1] + 40 * DAY_MS
            cancelled.append(SimulatedEvent(at_ms, customer, CANCELLATION, 0.0, 0, "", ""))
    last_ms = max(event.time_ms for event in events)
    whole = sorted([*events, *(one for one in cancelled if one.time_ms <= last_ms)], key=lambda event: event.time_ms)
    write_history(path, whole, "USD", "e")
    return Replayed(str(path), None, lambda: read_plain(path), ON)


def test_a_history_with_cancellations_is_lived_through_as_from_the_file_and_again_after_a_rebuild(
    real_kafka: RunningBroker, own_redis: RunningRedis, prefix: str, history: Replayed, tmp_path: Path
) -> None:
    site = Site(real_kafka, own_redis, prefix, history)
    site.replay()
    with Fleet(site.environment, tmp_path) as fleet:
        worker = fleet.start()
        for _ in range(2):
            fleet.until(site.caught_up, "every row committed and every message sent")
            fleet.until(worker.ready, "ready")
            assert fleet.stop() == [0]
            assert_counted_once(site)
            assert_as_from_the_file(site)
            assert_alerts_as_from_the_file(site)
            rebuilt = run_command(["rebuild", "--yes"], site.environment)
            assert rebuilt.returncode == 0, rebuilt.stderr
            worker = fleet.start()
    over = int(ended(read_records(list(history.from_engine.records.values()))).sum())
    decided = Counter(msgspec.json.decode(record.value)["decision"] for record in site.messages(ALERTS))
    assert 5 < over < len(site.messages("cancellations")), "some stayed away, and some came back"
    assert decided["resolved_cancelled"] > 0


def test_the_topic_is_turned_on_in_a_system_that_runs_and_a_cancellation_is_known_at_once(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Live(real_kafka, real_redis, prefix, CHURNWATCH_LEARNING__ENABLED="true")
    site.buys("anna", *days_ago(*SILENT_MONTHS))
    with Fleet(site.environment, tmp_path) as fleet:
        fleet.start()
        fleet.until(lambda: any(alert.status == "firing" for alert in site.of_customers()), "an alert")
        assert fleet.stop() == [0]
    assert "cancellations" not in {finding.subject.removeprefix(prefix) for finding in check_topics(site.settings)}
    with_topic = site.environment | ON
    (missing,) = [found for found in check_topics(load_settings(None, with_topic)) if found.status == "error"]
    assert (missing.subject, missing.what) == (f"{prefix}cancellations", "does not exist")
    assert create_topics(load_settings(None, with_topic)) == [f"{prefix}cancellations"]
    cancelled_ms = now_ms() - 1_000
    with site.producer() as producer:
        event = {"event_id": "x1", "customer_id": "anna", "occurred_at": cancelled_ms, "reason": "moved away"}
        for value in (event | {"reason": 7}, event, event):
            producer.send(f"{prefix}cancellations", json.dumps(value).encode(), key=b"anna")
    (tmp_path / "on").mkdir()
    with Fleet(with_topic, tmp_path / "on") as fleet:
        worker = fleet.start()
        fleet.until(lambda: site.meta().offsets.get("cancellations") == 2, "the cancellations are folded")
        fleet.until(lambda: bool(site.outbox() == [] and site.of_customers()[-1].status == "resolved"), "the alert resolves")
        counted = {"churnwatch_events_total": 1.0, "churnwatch_duplicates_total": 1.0}
        for name, value in counted.items():
            fleet.until(lambda: worker.metric(name, topic="cancellations") == value, name)  # noqa: B023 - called at once
        fleet.until(lambda: sum(row.lag for row in lag(load_settings(None, with_topic))) == 0, "no lag")
        assert fleet.stop() == [0]
    last = site.of_customers()[-1]
    assert (last.decision, last.resolved_by, last.tier) == ("resolved_cancelled", "cancellation", "none")
    assert last.event is not None
    assert (last.event.kind, last.event.event_id) == ("cancellation", "x1")
    (letter,) = site.records(DEAD_LETTERS)
    assert json.loads(letter.value)["reason"] == "wrong_type"
    labels = [label for record in site.records(LABELS) for label in decode_labels(record.value).labels]
    early = [label for label in labels if label.known_ms < label.at_ms + 90 * DAY_MS]
    assert len(early) == 3, "one for each snapshot that waited"
    assert all(label.left and label.known_ms >= cancelled_ms for label in early)
    assert len({label.label_id for label in labels}) == len(labels)
