"""Refused purchases of a real worker, sent again once their currency has a rate: each counts once,
whatever is killed and repeated.

Their customers have bought more since than a customer's memory of event ids holds, so nothing but the marks keeps them from
counting twice.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from streams.customer import DEDUP_EVENTS, read_records
from streams.runtime.topics import DEAD_LETTERS
from tests.support.brokers import RunningBroker
from tests.support.eventually import DEADLINE_S
from tests.support.live import Live, days_ago
from tests.support.redis_servers import RunningRedis
from tests.support.workers import REPO, Fleet, environment, run_command

CUSTOMERS, REFUSED_EACH, GOOD_EACH = 30, 8, DEDUP_EVENTS + 2
DOLLARS = {"CHURNWATCH_MONEY__RATES": '{"USD": 1}'}
EUROS = {"CHURNWATCH_MONEY__RATES": '{"USD": 1, "EUR": 2}'}
POUNDS = {"CHURNWATCH_MONEY__RATES": '{"USD": 1, "EUR": 2, "GBP": 4}'}
WORTH = {"USD": 1, "EUR": 2, "GBP": 4}
RUBBISH = 3
Counted = dict[str, tuple[int, int]]


def purchases() -> list[dict[str, Any]]:
    """Of every customer some in euros and then more in dollars, and of one a purchase in pounds; each at its own instant."""
    number = 0
    found = []
    for currency, each in (("EUR", REFUSED_EACH), ("GBP", 1), ("USD", GOOD_EACH)):
        for _ in range(each):
            for customer in range(1 if currency == "GBP" else CUSTOMERS):
                number += 1
                at_ms = days_ago(100)[0] + number * 60_000
                event = {"event_id": f"p{number}", "customer_id": f"c{customer}", "occurred_at": at_ms}
                found.append(event | {"amount": number, "currency": currency})
    return found


def send(site: Live, events: list[dict[str, Any]]) -> None:
    with site.producer(linger_ms=20) as producer:
        for event in events:
            producer.send(site.prefix + "purchases", json.dumps(event).encode(), key=event["customer_id"].encode())
        for _ in range(RUBBISH):
            producer.send(site.prefix + "logins", b"no event", key=b"c1")


def expected(events: list[dict[str, Any]], *currencies: str) -> Counted:
    """Purchases and their sum in cents per customer, of what these currencies paid."""
    found: dict[str, list[int]] = defaultdict(list)
    for event in events:
        if event["currency"] in currencies:
            found[event["customer_id"]].append(event["amount"] * WORTH[event["currency"]] * 100)
    return {customer: (len(cents), sum(cents)) for customer, cents in found.items()}


def counted(site: Live) -> Counted:
    """The same from Redis."""
    found = {}
    with site.redis.client() as client:
        for key in client.scan_iter(match=f"{site.prefix}state:*:c:*", count=1000):
            row = read_records([client.get(key)])[0]
            found[key.decode().split(":c:", 1)[1]] = int(row["purchases"]), int(row["spent_minor"])
    return found


def sent_again(site: Live) -> Counter[bytes]:
    """How often each refused record was sent again."""
    headers = (dict(record.headers) for record in site.records("purchases", committed=True))
    return Counter(found["churnwatch-redrive"] for found in headers if "churnwatch-redrive" in found)


def killed_at(site: Live, step: str, number: int, rates: dict[str, str]) -> None:
    """A redrive that dies there."""
    command = [sys.executable, "-m", "tests.support.killed_redrive", step, str(number)]
    done = subprocess.run(command, env=environment(site.environment | rates), cwd=REPO, timeout=DEADLINE_S, check=False)
    assert done.returncode == -signal.SIGKILL


def letters(site: Live, rates: dict[str, str], *args: str) -> tuple[int, Any]:
    """`churnwatch dead-letters ARGS --json`."""
    done = run_command(["dead-letters", *args, "--json"], site.environment | rates)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_redriven_events_count_once_whatever_is_killed_repeated_and_rebuilt(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site, events = Live(real_kafka, real_redis, prefix, partitions=2), purchases()
    refused = CUSTOMERS * REFUSED_EACH
    send(site, events)
    with Fleet(site.environment, tmp_path) as fleet:
        first = fleet.start(**DOLLARS)
        fleet.until(lambda: counted(site) == expected(events, "USD"), "the dollars")
        fleet.until(lambda: len(site.records(DEAD_LETTERS)) == refused + 1 + RUBBISH, "the letters")
        first.stop()

        second = fleet.start(**EUROS)
        for step, number in (("sent", 1), ("marked", 2), ("committed", 1)):
            killed_at(site, step, number, EUROS)
        code, done = letters(site, EUROS, "redrive", "--yes")
        assert (code, done["outcomes"]["refused_again"]) == (1, 1 + RUBBISH)
        assert 0 < done["outcomes"]["redriven"] < refused, "the killed had sent some"
        assert sent_again(site) == dict.fromkeys(sent_again(site), 1)
        assert len(sent_again(site)) == refused
        in_euros = expected(events, "USD", "EUR")
        fleet.until(lambda: counted(site) == in_euros, "the euros")

        code, done = letters(site, EUROS, "redrive", "--yes", "--reason", "unknown_currency", "--topic", "purchases")
        assert (code, done["outcomes"], done["left_out"]) == (1, {"refused_again": 1}, {"redriven": refused})
        code, done = letters(site, EUROS, "redrive", "--yes", "--force", "--reason", "not_json", "--limit", "1")
        assert (code, done["outcomes"]) == (0, {"redriven": 1})
        fleet.until(lambda: len(site.records(DEAD_LETTERS)) == refused + 1 + RUBBISH + 1, "the letter of the second attempt")
        _, listed = letters(site, EUROS, "list", "--topic", "logins")
        assert Counter((one["attempt"], one["redrive_of"]) for one in listed) == {
            (1, None): RUBBISH - 1,
            (2, done["letters"][0]["id"]): 1,
        }
        assert counted(site) == in_euros
        assert second.stop() == 0

        rebuilt = run_command(["rebuild", "--yes"], site.environment | POUNDS)
        assert rebuilt.returncode == 0, rebuilt.stderr
        third = fleet.start(**POUNDS)
        fleet.until(lambda: counted(site) == expected(events, "USD", "EUR", "GBP"), "the same again, and the pounds")
        fleet.until(lambda: site.lag() == 0, "no lag, though transactions' markers stand at the ends")
        fleet.until(lambda: third.metric("churnwatch_lag_events") == 0, "and the gauge says so")
        code, done = letters(site, POUNDS, "redrive", "--yes", "--reason", "unknown_currency")
        assert (code, done["letters"], done["left_out"]) == (0, [], {"redriven": refused, "outdated": 1})
        assert counted(site) == expected(events, "USD", "EUR", "GBP")
        assert third.said("passed over what was redriven or dropped")
