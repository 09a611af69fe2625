"""Two hundred customers are erased while events go on and a worker dies: nothing is left of them, nothing of others is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from streams.erasure import decode_notice
from streams.runtime.topics import ERASURES
from tests.support.brokers import RunningBroker
from tests.support.erasing import Flow, buried, buy, folded, purchases, traces
from tests.support.eventually import DEADLINE_S
from tests.support.live import Live, days_ago, now_ms
from tests.support.redis_servers import RunningRedis
from tests.support.workers import COMMAND, REPO, Fleet, environment, run_command

MARK = "erased-person"
GONE = [f"{MARK}-{number:03}" for number in range(200)]
STAY = [f"customer-{number:03}" for number in range(250)]
RETURNED = GONE[::9]
SETTINGS = {"CHURNWATCH_ERASURE__KEY": "a secret of the tests", "CHURNWATCH_POLICY__BREACH_SPACING_S": "0"}


def test_erased_customers_leave_no_trace_whatever_comes_and_dies_meanwhile(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Live(real_kafka, real_redis, prefix, partitions=4, **SETTINGS)
    past = days_ago(230, 216, 202, 188, 174, 160)
    with Fleet(site.environment, tmp_path) as fleet:
        victim, other = fleet.start(), fleet.start()
        fleet.until(lambda: (victim.owned(), other.owned()) == (2, 2), "two partitions each")
        buy(site, dict.fromkeys([*GONE, *STAY], past))
        fleet.until(lambda: folded(site), "all folded")
        assert purchases(site) == dict.fromkeys([*GONE, *STAY], 6)
        fleet.until(lambda: MARK in str(site.alerts()), "alerts about them")
        with Flow(site, STAY, GONE) as flow:
            fleet.until(lambda: len(flow.sent) == len(GONE) + len(STAY), "events of everybody")
            victim.freeze()
            erasing = begin_erasing(site, tmp_path)
            fleet.until(lambda: buried(site) > 0, "erasures by the one that works")
            assert 0 < buried(site) < len(GONE), "it was to be killed in the middle"
            victim.kill()
            third = fleet.start()
            receipts = finish(erasing)
        assert Counter(receipt["customer_id"] for receipt in receipts) == Counter(GONE)
        assert all(receipt["removed"]["record"] for receipt in receipts)
        kept_for = {rest["where"]: rest["until"] for rest in receipts[0]["remains"]}
        assert kept_for[f"{prefix}purchases"] == "for ever: retention.ms is -1"
        buy(site, dict.fromkeys(GONE, past))
        returns = {customer: [now_ms() + k for k in range(1 + number % 3)] for number, customer in enumerate(RETURNED)}
        fleet.until(lambda: folded(site), "all folded")
        expected = {customer: 6 + flow.sent[customer] for customer in STAY}
        assert purchases(site) == expected
        assert traces(site, MARK.encode()) == []
        assert other.metric("churnwatch_events_erased_total") + third.metric("churnwatch_events_erased_total") > len(GONE)
        buy(site, returns)
        fleet.until(lambda: folded(site), "all folded")
        expected |= {customer: len(times) for customer, times in returns.items()}
        assert purchases(site) == expected
        assert_shown(site)
        assert set(fleet.stop()) == {0}
        told = notices(site)
        assert {customer for customer, _ in told} == set(GONE)
        assert_rebuilt(site, fleet, expected)
        assert notices(site) == told, "nobody is told again of what was done"
        assert not [worker.name for worker in fleet.workers if MARK in worker.log.read_text()]


def begin_erasing(site: Live, folder: Path) -> subprocess.Popen[str]:
    (folder / "ids.txt").write_text("\n".join(GONE))
    command = [*COMMAND, "erase", "--file", str(folder / "ids.txt"), "--yes", "--json"]
    return subprocess.Popen(
        command, env=environment(site.environment), cwd=REPO, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
    )


def finish(erasing: subprocess.Popen[str]) -> list[dict[str, object]]:
    out, _ = erasing.communicate(timeout=DEADLINE_S)
    assert erasing.returncode == 0
    return json.loads(out)


def assert_shown(site: Live) -> None:
    """`churnwatch customer` says of an erased one that it is, and of one who returned what came since."""
    gone = run_command(["customer", GONE[1]], site.environment)
    assert (gone.returncode, f"customer '{GONE[1]}' was erased" in gone.stderr, gone.stdout) == (1, True, ""), gone.stderr
    again = run_command(["customer", RETURNED[1], "--json"], site.environment)
    assert json.loads(again.stdout)["facts"]["purchases"] == 2, again.stderr


def assert_rebuilt(site: Live, fleet: Fleet, expected: dict[str, int]) -> None:
    """All read again from the beginning, the same is there."""
    done = run_command(["rebuild", "--yes"], site.environment)
    assert done.returncode == 0, done.stderr
    assert purchases(site) == {}
    worker = fleet.start()
    fleet.until(lambda: folded(site), "all folded again")
    assert purchases(site) == expected
    never = [customer for customer in GONE if customer not in RETURNED]
    assert [customer for customer in never if traces(site, customer.encode())] == []
    assert worker.stop() == 0


def notices(site: Live) -> list[tuple[str, str]]:
    """(customer, command) of each notice."""
    found = [decode_notice(record.value) for record in site.records(ERASURES)]
    return [(notice.customer_id, notice.command_id) for notice in found]
