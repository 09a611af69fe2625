"""The clock of a worker's host is set by a month, or by hours, while customers buy: nobody is accused, and time goes on from the
broker's clock as soon as the two agree again."""

from __future__ import annotations

from pathlib import Path

from alerts.ids import rfc3339
from streams.columns import DAY_MS
from streams.customer import read_records
from streams.runtime.topics import ALERTS, DEAD_LETTERS
from tests.oracle.journal_repeat import repeat
from tests.support.brokers import RunningBroker
from tests.support.host_clock import HostClock
from tests.support.left_behind import left_behind
from tests.support.live import Live, days_ago, now_ms
from tests.support.redis_servers import RunningRedis
from tests.support.workers import Fleet, WorkerProcess

HOURS_S, MONTH_S = 7_200, 30 * 86_400
LIVELY = [f"lively-{number}" for number in range(10)]
EVERY_THREE_DAYS = range(90, 0, -3)
"""Days ago. Who buys so is at a risk of .03, and of .93 after a month of silence."""
LONG_GONE = (120, 117, 114, 111, 108, 105)


def state(worker: WorkerProcess, name: str) -> bool:
    return worker.metric("churnwatch_clock_state", partition="0", state=name) == 1.0


def test_no_set_of_a_hosts_clock_accuses_anybody_or_moves_the_watermark_beyond_the_truth(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    host, began_ms = HostClock(tmp_path), now_ms()
    site = Live(real_kafka, real_redis, prefix, CHURNWATCH_POLICY__BREACHES="1")
    bought = len(EVERY_THREE_DAYS)
    for day in EVERY_THREE_DAYS:
        site.all_buy(LIVELY, *days_ago(day))
    host.set_wrong(HOURS_S)  # and so from the beginning
    with Fleet(site.environment | host.environment, tmp_path) as fleet:
        worker = fleet.start()

        def all_buy() -> None:
            nonlocal bought
            bought += 1
            site.all_buy(LIVELY, now_ms())
            fleet.until(lambda: site.folded()["purchases"] == bought * len(LIVELY), "what they bought")

        def held() -> None:
            fleet.until(lambda: state(worker, "clocks_apart"), "a clock that is held")
            all_buy()
            target = site.meta().seq + 3
            fleet.until(lambda: site.meta().seq >= target, "three more commits")
            assert state(worker, "clocks_apart")
            assert site.watermark_ms() <= now_ms()

        def right_again() -> None:
            host.set_wrong(0)
            since_ms = now_ms()
            fleet.until(lambda: site.watermark_ms() > since_ms, "a watermark that the wall clock moves")
            assert state(worker, "advance")
            assert site.watermark_ms() <= now_ms()

        held()
        right_again()
        for jump_s in (MONTH_S, -MONTH_S):
            host.set_wrong(jump_s)
            held()
            right_again()
        assert site.of_customers() == []
        site.buys("gone", *days_ago(*LONG_GONE))
        fleet.until(lambda: len(site.of_customers()) > 0, "an alert about one who is gone indeed")
        assert worker.stop() == 0
    (gone,) = {alert.customer_id for alert in site.of_customers()}
    assert gone == "gone"
    told = site.of_ingestion()
    assert [alert.status for alert in told] == ["firing", "resolved"] * 3
    assert {alert.reason for alert in told if alert.status == "firing"} == {"clocks_apart"}
    words = ["2.0 hours ahead", "30.0 days ahead", "30.0 days behind"]
    assert all(part in alert.text for part, alert in zip(words, told[::2], strict=True))
    assert all(rfc3339(now_ms() - DAY_MS) < alert.as_of <= rfc3339(now_ms()) for alert in told), "messages carry the right time"
    stored = site.stored(0)
    assert read_records([stored[customer] for customer in LIVELY])["purchases"].tolist() == [bought] * len(LIVELY)
    assert site.records(DEAD_LETTERS) == []
    assert all(began_ms <= record.timestamp <= now_ms() for record in site.records(ALERTS)), "and so have records"
    repeated = repeat(left_behind(site.settings, site.meta))
    assert repeated.records == stored
    assert all(now_ms() - 600_000 < entry.live_after_ms <= now_ms() for entry in repeated.commits[0][1:] if entry.live_after_ms)
