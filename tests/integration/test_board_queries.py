"""The board against what it is for: a real Prometheus that scrapes real workers, while customers buy and fall silent.

Every expression of every panel is asked, and the numbers that a reader acts on are those of the events that were sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from streams.runtime.metrics import CLOCK_STATES
from streams.segments import SEGMENTS
from tests.support.board import COMING, expressions, filled, metrics_in
from tests.support.broker_fixtures import missing
from tests.support.brokers import RunningBroker
from tests.support.eventually import eventually
from tests.support.live import Live, days_ago
from tests.support.prometheus import PrometheusMissing, RunningPrometheus, prometheus_server
from tests.support.redis_servers import RunningRedis
from tests.support.workers import Fleet, WorkerProcess

SILENT, LIVELY, REFUSED = 6, 3, 2
MONTHS_OF_SILENCE = (230.0, 216.0, 202.0, 188.0, 174.0, 160.0)
"""Days ago: a purchase every two weeks, the last one five months ago."""

SOON = {"CHURNWATCH_TIME__LATENESS_S": "60", "CHURNWATCH_POLICY__BREACHES": "1"}
"""The past arrives late, so the first look at a customer is now; a second breach would take hours."""

CHALLENGERS = [title for title, expr in expressions() if "churnwatch_challengers_" in expr]
LEARNERS = [title for title, expr in expressions() if "churnwatch_learner_" in expr]
EMPTY_IN_HEALTH = {
    "Alerts to channels, by channel and outcome": "no channel is set up here",
    "Attempts that a channel's receiver did not take": "no channel is set up here",
    "Waiting for a channel": "no channel is set up here",
    "Age of the parameters in use": "the parameters that ship have no date, so no age",
    **dict.fromkeys(LEARNERS, "no learner runs here"),
    **dict.fromkeys(CHALLENGERS, "nobody challenges here"),
}
"""Panels that rightly show nothing here, each with the reason."""


@dataclass(frozen=True)
class Scene:
    """Workers that have folded everything, and the Prometheus that watched them from before the first event."""

    prometheus: RunningPrometheus
    workers: list[WorkerProcess]
    alerts: int

    def ask(self, title: str) -> list[dict[str, float]]:
        """The panel's queries, each as value by all labels joined."""
        exprs = [filled(expr) for name, expr in expressions() if name == title]
        assert exprs, title
        answers = (self.prometheus.query(expr) for expr in exprs)
        return [{"/".join(one["metric"].values()): float(one["value"][1]) for one in found} for found in answers]


def about(count: int) -> Any:
    """At least so many, and at most a half more: Prometheus adds what it supposes before the first scrape and after the last."""
    return pytest.approx(1.25 * count, abs=0.25 * count)


@pytest.fixture(scope="module")
def scene(real_kafka: RunningBroker, real_redis: RunningRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("board")
    site = Live(real_kafka, real_redis, "board.", partitions=2, **SOON)
    with Fleet(site.environment, folder) as fleet:
        workers = [fleet.start(), fleet.start()]
        fleet.until(lambda: [worker.owned() for worker in workers] == [1, 1], "a partition each")
        targets = [worker.address.removeprefix("http://") for worker in workers if worker.address]
        try:
            with prometheus_server(folder / "prometheus", targets) as prometheus:
                eventually(prometheus.up, lambda up: up == 2)
                eventually(
                    lambda: prometheus.value("min(count_over_time(churnwatch_batches_total[1m]))"), lambda n: (n or 0) >= 3
                )
                _tell(site)
                fleet.until(lambda: len(site.of_customers()) >= SILENT, "an alert about each silent customer")
                fleet.until(lambda: fleet.applied() == SILENT * len(MONTHS_OF_SILENCE) + LIVELY, "every event applied")
                eventually(lambda: prometheus.value("sum(churnwatch_events_total)"), lambda n: n == fleet.applied())
                yield Scene(prometheus, workers, len(site.of_customers()))
        except PrometheusMissing as why:
            missing("Prometheus", why)


def _tell(site: Live) -> None:
    """Customers who fell silent and others who did not, one event twice, and records that are no events."""
    with site.producer() as producer:
        again = site.purchase("lively-0", days_ago(0.5)[0])
        told = [site.purchase(f"silent-{n}", at_ms) for at_ms in days_ago(*MONTHS_OF_SILENCE) for n in range(SILENT)]
        told += [again, again] + [site.purchase(f"lively-{n}", days_ago(0.5)[0]) for n in range(1, LIVELY)]
        for event in told:
            producer.send(site.prefix + "purchases", json.dumps(event).encode(), key=event["customer_id"].encode())
        for _ in range(REFUSED):
            producer.send(site.prefix + "logins", b"no event", key=b"somebody")


@pytest.mark.parametrize(("title", "expr"), expressions(), ids=[f"{title} {n}" for n, (title, _) in enumerate(expressions())])
def test_every_query_finds_something(scene: Scene, title: str, expr: str) -> None:
    if metrics_in(expr) & COMING:
        assert scene.prometheus.query(filled(expr)) == []
        return
    found = eventually(lambda: scene.prometheus.query(filled(expr)), lambda rows: bool(rows) != (title in EMPTY_IN_HEALTH))
    values = [float(one["value"][1]) for one in found]
    assert not [value for value in values if value < 0], "nothing here can be below 0"
    if "quantile" not in expr:  # of no batch in the last seconds there is no quantile
        assert not [value for value in values if value != value], "a division by nothing"


def test_customers_are_shown_with_their_tier_and_segment(scene: Scene) -> None:
    (matrix,) = scene.ask("Customers now, by segment and tier")
    assert len(matrix) == len(SEGMENTS) * 4
    assert sum(matrix.values()) == SILENT + LIVELY
    (total,) = scene.ask("Customers")
    assert list(total.values()) == [SILENT + LIVELY]
    (shares,) = scene.ask("Share of customers at risk, by tier")
    assert set(shares) == {"watch", "high", "critical"}
    assert sum(shares.values()) == pytest.approx(SILENT / (SILENT + LIVELY))


def test_alerts_are_counted_by_decision_and_tier(scene: Scene) -> None:
    begun, escalated = scene.ask("Alerts begun and escalated, by tier")
    assert sum(begun.values()) == about(SILENT)
    assert sum(begun.values()) + sum(escalated.values()) == about(scene.alerts)
    (glance,) = scene.ask("Alerts begun")
    assert sum(glance.values()) == about(SILENT)
    (reasons,) = scene.ask("Why evaluations ended as they did")
    assert reasons["fired"] == about(SILENT)


def test_what_was_refused_and_what_came_twice_is_shown(scene: Scene) -> None:
    (refused,) = scene.ask("Records refused, by reason")
    assert refused["not_json"] == about(REFUSED)
    assert sum(refused.values()) == refused["not_json"]
    twice = scene.prometheus.values("sum by (topic) (churnwatch_duplicates_total)", "topic")
    assert twice == {"purchases": 1.0, "complaints": 0.0, "logins": 0.0, "cancellations": 0.0}


def test_freshness_is_that_of_a_live_system(scene: Scene) -> None:
    (slowest,) = scene.ask("Slowest partition")
    assert 55 <= next(iter(slowest.values())) <= 120, "time.lateness_s, and what a commit takes"
    (states,) = scene.ask("Partitions, by state of their clock")
    assert set(states) == set(CLOCK_STATES)
    assert states["advance"] == sum(states.values()) == 2
    (lag,) = scene.ask("Lag, by partition")
    assert lag == {"0": 0, "1": 0}


def test_the_machine_is_shown_by_worker(scene: Scene) -> None:
    addresses = {worker.address.removeprefix("http://") for worker in scene.workers if worker.address}
    (owned,) = scene.ask("Partitions owned, by worker")
    assert owned == dict.fromkeys(addresses, 1.0)
    (runs,) = scene.ask("What runs")
    assert len(runs) == 2
    (cached,) = scene.ask("Customers in memory, by worker")
    assert sum(cached.values()) == SILENT + LIVELY


def test_the_deployed_rules_can_be_evaluated_and_none_of_them_fires(scene: Scene) -> None:
    health = eventually(scene.prometheus.rules, lambda rules: "unknown" not in rules.values())
    assert health
    assert set(health.values()) == {"ok"}
    (alarms,) = scene.ask("Alarms about churnwatch")
    assert list(alarms.values()) == [0]
