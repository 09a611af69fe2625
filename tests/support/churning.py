"""Live alerts at once: event time may run months ahead of the broker's, so that silence need not be waited for.

site = Churning(broker, redis, prefix, CHURNWATCH_CHANNELS__ALERTMANAGER=url)
site.regulars(["anna"])              a purchase every two weeks, the last one just now: no alert, risk 0.15
site.log_in(["anna"], day=20)        20 days later: watch (0.29); at day 60: high (0.63); at day 100: critical
site.buy(["anna"], day=61)           bought again: resolved
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

from kafka import KafkaProducer

from alerts.alert import Alert
from streams.columns import DAY_MS
from tests.support.brokers import RunningBroker
from tests.support.live import Live, now_ms
from tests.support.receiver import Receiver
from tests.support.redis_servers import RunningRedis

EAGER = {
    "CHURNWATCH_TIME__SKEW_S": str(400 * 86_400),
    "CHURNWATCH_POLICY__WATCH": "0.25",
    "CHURNWATCH_POLICY__HIGH": "0.5",
    "CHURNWATCH_POLICY__CRITICAL": "0.75",
    "CHURNWATCH_POLICY__BREACHES": "1",
    "CHURNWATCH_POLICY__BREACH_SPACING_S": "0",
    "CHURNWATCH_POLICY__HOLDOUT_SHARE": "0",
}
DAYS_BOUGHT_ON = (-70, -56, -42, -28, -14, 0)


class Churning(Live):
    """A live system whose customers fall silent when the test says so. Days count from when it was made."""

    def __init__(self, broker: RunningBroker, redis: RunningRedis, prefix: str, *, partitions: int = 1, **more: str) -> None:
        super().__init__(broker, redis, prefix, partitions=partitions, **(EAGER | more))
        self._began_ms = now_ms()
        self._ids = itertools.count()

    def regulars(self, customers: Iterable[str], days: Iterable[float] = DAYS_BOUGHT_ON) -> None:
        """They have bought on these days."""
        ids = list(customers)
        self._send("purchases", ((customer, day) for day in days for customer in ids), {"amount": 25.0, "currency": "USD"})

    def buy(self, customers: Iterable[str], day: float) -> None:
        self.regulars(customers, (day,))

    def log_in(self, customers: Iterable[str], day: float) -> None:
        self._send("logins", ((customer, day) for customer in customers), {})

    def told(self) -> list[tuple[str, str]]:
        """(customer, decision) of each alert on `churn.alerts` that a channel may tell."""
        return [(alert.customer_id, alert.decision) for alert in self.of_customers() if alert.live]

    def _send(self, topic: str, events: Iterable[tuple[str, float]], more: dict[str, Any]) -> None:
        client = KafkaProducer(bootstrap_servers=self.broker.bootstrap, acks="all", linger_ms=20)
        try:
            for customer, day in events:
                at_ms = self._began_ms + round(day * DAY_MS)
                event = {"event_id": f"{topic}-{next(self._ids)}", "customer_id": customer, "occurred_at": at_ms, **more}
                client.send(self.prefix + topic, json.dumps(event).encode(), key=customer.encode())
            client.flush(60)
        finally:
            client.close(5)


def customers_of(hook: Receiver, alerts: Iterable[Alert]) -> list[str]:
    """Who was told to a JSON receiver, in order, of those whom these alerts are about; without digests."""
    known = {alert.customer_id for alert in alerts}
    words = (request.json["title"].split() for request in hook.taken())
    return [word[1] for word in words if len(word) > 1 and word[1] in known]


def digests_of(hook: Receiver) -> list[str]:
    """Titles of the digests that a JSON receiver took."""
    return [request.json["title"] for request in hook.taken() if request.json["title"].startswith("DIGEST")]
