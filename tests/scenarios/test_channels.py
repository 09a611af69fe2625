"""Alerts beyond Kafka, with workers, broker, Redis, Alertmanager and receivers as they are in use."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.alertmanager import RunningAlertmanager
from tests.support.brokers import RunningBroker
from tests.support.churning import Churning, customers_of, digests_of
from tests.support.receiver import Receiver, receiver
from tests.support.redis_servers import RunningRedis
from tests.support.workers import Fleet, WorkerProcess


@pytest.fixture
def hooks() -> Iterator[Callable[[], Receiver]]:
    """Makes receivers."""
    with ExitStack() as running:
        yield lambda: running.enter_context(receiver())


def addresses(**receivers: Receiver) -> str:
    """The setting `channels.apprise` that names them."""
    return json.dumps({name: hook.url(f"/{name}-s3cret99", "json") for name, hook in receivers.items()})


def settled(worker: WorkerProcess, channel: str) -> float:
    """Messages that this worker delivered or counted in a digest."""
    return sum(
        worker.metric("churnwatch_channel_messages_total", channel=channel, outcome=how) for how in ("delivered", "digested")
    )


def holds(worker: WorkerProcess) -> bool:
    """Whether it shows a channel's backlog, which only its holder knows; a worker that does not answer may."""
    status, text = worker.get("/metrics")
    return status != 200 or "\nchurnwatch_channel_backlog{" in text


def test_alertmanager_shows_an_alert_its_change_of_tier_and_its_resolution(
    real_kafka: RunningBroker, real_redis: RunningRedis, own_alertmanager: RunningAlertmanager, prefix: str, tmp_path: Path
) -> None:
    site = Churning(real_kafka, real_redis, prefix, CHURNWATCH_CHANNELS__ALERTMANAGER=own_alertmanager.url)
    site.regulars(["anna"])
    with Fleet(site.environment, tmp_path) as fleet:
        worker = fleet.start()
        fleet.until(lambda: site.folded()["purchases"] == 6, "the history")

        def shown() -> list[tuple[str, str]]:
            alerts = own_alertmanager.alerts(alertname="ChurnRisk", customer_id="anna")
            return [(alert["labels"]["tier"], alert["labels"]["severity"]) for alert in alerts]

        site.log_in(["anna"], day=20)
        fleet.until(lambda: shown() == [("watch", "info")], "the alert")
        site.log_in(["anna"], day=60)
        fleet.until(lambda: shown() == [("high", "warning")], "the higher tier, and the lower one no more")
        (alert,) = own_alertmanager.alerts(alertname="ChurnRisk")
        assert alert["annotations"]["summary"].startswith("HIGH  anna  risk 0.")
        site.buy(["anna"], day=61)
        fleet.until(lambda: shown() == [], "its end")
        assert [decision for _, decision in site.told()] == ["fired", "escalated", "resolved_returned"]
        assert worker.metric("churnwatch_channel_messages_total", channel="alertmanager", outcome="delivered") == 3
        assert worker.metric("churnwatch_channel_messages_total", channel="alertmanager", outcome="past") == len(
            site.of_customers()
        ) - len(site.told())
        assert worker.stop() == 0


def test_a_receiver_that_fails_and_one_that_hangs_cost_neither_an_alert_nor_the_others_time(
    real_kafka: RunningBroker, real_redis: RunningRedis, hooks: Callable[[], Receiver], prefix: str, tmp_path: Path
) -> None:
    good, failing, hanging = hooks(), hooks(), hooks()
    failing.status, hanging.hangs = 500, True
    urls = addresses(good=good, failing=failing, hanging=hanging)
    site = Churning(real_kafka, real_redis, prefix, CHURNWATCH_CHANNELS__APPRISE=urls, CHURNWATCH_CHANNELS__TIMEOUT_S="1")
    everybody = [f"c-{k}" for k in range(40)]
    site.regulars(everybody)
    with Fleet(site.environment, tmp_path) as fleet:
        worker = fleet.start()
        fleet.until(lambda: site.folded()["purchases"] == 240, "the history")
        site.log_in(everybody[:1], day=20)  # all are due by then
        fleet.until(lambda: worker.metric("churnwatch_channel_failures_total", channel="failing") >= 1, "a failure")
        fleet.until(lambda: worker.metric("churnwatch_channel_failures_total", channel="hanging") >= 1, "a hang")
        site.buy([f"other-{k}" for k in range(20_000)], day=20)  # one purchase each: nobody is alerted after one
        fleet.until(lambda: site.folded()["purchases"] == 20_240, "everything folded")
        assert failing.taken() == hanging.taken() == [], "folded while they took nothing"
        fleet.until(lambda: len(customers_of(good, site.of_customers())) >= 40, "the good one has them all")
        assert len(site.told()) == 40
        assert failing.taken() == hanging.taken() == []
        failing.status, hanging.hangs = 200, False
        for name, hook in (("failing", failing), ("hanging", hanging)):
            fleet.until(lambda name=name: settled(worker, name) == 40, f"{name} has caught up")  # type: ignore[misc] # bound now
            found = customers_of(hook, site.of_customers())
            assert set(found) == set(everybody)
        assert digests_of(good) == []
        assert "s3cret99" not in worker.get("/metrics")[1]
        failures = worker.metric("churnwatch_channel_failures_total", channel="hanging")
        hanging.hangs = True
        site.log_in(everybody[:5], day=60)
        fleet.until(lambda: worker.metric("churnwatch_channel_failures_total", channel="hanging") > failures, "it hangs again")
        assert worker.stop() == 0, "a receiver that hangs keeps no worker from ending"
    logs = (tmp_path / "worker-0.log").read_text()
    assert "channel does not deliver" in logs
    assert "s3cret99" not in logs, "no address in the log"


def test_five_thousand_alerts_in_a_minute_become_the_cap_and_one_digest(
    real_kafka: RunningBroker, real_redis: RunningRedis, hooks: Callable[[], Receiver], prefix: str, tmp_path: Path
) -> None:
    chat = hooks()
    one_line = {"CHURNWATCH_POLICY__WATCH": "0.5", "CHURNWATCH_POLICY__HIGH": "0.98", "CHURNWATCH_POLICY__CRITICAL": "0.99"}
    site = Churning(real_kafka, real_redis, prefix, partitions=2, CHURNWATCH_CHANNELS__APPRISE=addresses(chat=chat), **one_line)
    everybody = [f"c-{k}" for k in range(5_000)]
    site.regulars(everybody, days=(-20, -10, -0.01))
    with Fleet(site.environment, tmp_path) as fleet:
        worker = fleet.start()
        fleet.until(lambda: site.folded(0)["purchases"] + site.folded(1)["purchases"] == 15_000, "the history")
        fleet.until(lambda: time.time() % 60 < 20, "a minute that has room for all of it", 60.0)
        site.log_in(everybody, day=60)
        fleet.until(lambda: settled(worker, "chat") == 5_000, "all told", 150.0)
        assert Counter(site.told()) == {(customer, "fired"): 1 for customer in everybody}, "all of them on churn.alerts"
        assert len(customers_of(chat, site.of_customers())) == 60
        (title,) = digests_of(chat)
        assert title == "DIGEST  4,940 alerts not told singly  4940 watch"
        assert len(chat.requests) == 61
        (digest,) = [request.json for request in chat.taken() if request.json["title"] == title]
        assert len([line for line in digest["message"].splitlines() if "WATCH  c-" in line]) == 10
        assert worker.metric("churnwatch_channel_messages_total", channel="chat", outcome="delivered") == 60
        assert worker.stop() == 0


def test_when_the_worker_that_tells_is_killed_the_other_goes_on_and_nobody_is_missing(
    real_kafka: RunningBroker, real_redis: RunningRedis, hooks: Callable[[], Receiver], prefix: str, tmp_path: Path
) -> None:
    chat = hooks()
    more = {"CHURNWATCH_CHANNELS__APPRISE": addresses(chat=chat), "CHURNWATCH_CHANNELS__PER_MINUTE": "10000"}
    site = Churning(real_kafka, real_redis, prefix, partitions=2, **more)
    everybody = [f"c-{k}" for k in range(400)]
    site.regulars(everybody)
    with Fleet(site.environment, tmp_path) as fleet:
        workers = [fleet.start(), fleet.start()]
        fleet.until(lambda: site.folded(0)["purchases"] + site.folded(1)["purchases"] == 2_400, "the history")
        fleet.until(lambda: all(worker.ready() for worker in workers), "both at work")
        site.log_in(everybody, day=20)
        fleet.until(lambda: len(chat.requests) >= 20, "some are told")
        (holder,) = [worker for worker in workers if worker.said("channel taken")]
        holder.kill()
        assert len(chat.requests) < 400, "it was killed in the midst of it"
        (heir,) = fleet.running()
        fleet.until(lambda: set(customers_of(chat, site.of_customers())) == set(everybody), "all are told")
        twice = Counter(customers_of(chat, site.of_customers()))
        assert sum(twice.values()) - len(twice) <= 2, "at least once: what was under way"
        assert heir.stop() == 0


def test_a_worker_that_was_frozen_while_it_told_does_not_tell_again_what_another_has_told(
    real_kafka: RunningBroker, real_redis: RunningRedis, hooks: Callable[[], Receiver], prefix: str, tmp_path: Path
) -> None:
    chat = hooks()
    chat.status = 500
    site = Churning(real_kafka, real_redis, prefix, partitions=2, CHURNWATCH_CHANNELS__APPRISE=addresses(chat=chat))
    site.regulars(["anna"])
    with Fleet(site.environment, tmp_path) as fleet:
        workers = [fleet.start(), fleet.start()]
        fleet.until(lambda: all(worker.ready() for worker in workers), "both at work")
        site.log_in(["anna"], day=20)
        fleet.until(lambda: len(chat.requests) > 0, "an attempt")
        fleet.until(lambda: any(holds(worker) for worker in workers), "one of them says that it holds the channel")
        (holder,) = [worker for worker in workers if holds(worker)]
        (heir,) = [worker for worker in workers if worker is not holder]
        failures = "churnwatch_channel_failures_total"
        fleet.until(lambda: holder.metric(failures, channel="chat") >= 3, "a third failure, so two seconds without an attempt")
        holder.freeze()  # in an attempt it would end it when it wakes, and tell once more: nobody could keep it from that
        chat.status = 200
        fleet.until(lambda: settled(heir, "chat") == 1, "told by the other")
        told = len(chat.taken())
        holder.thaw()
        fleet.until(lambda: not holds(holder), "it finds out")
        site.log_in(["anna"], day=60)
        fleet.until(lambda: settled(heir, "chat") == 2, "the next one told by the other")
        assert len(chat.taken()) == told + 1
        assert len(fleet.running()) == 2
