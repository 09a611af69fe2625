"""Challengers beside a learner: they measure what a backtest of the file measures, whoever is killed, and touch nothing.

The learner learns while they read, and ends as one beside whom nobody reads.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from detectors.parameters import SHIPPED
from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.challenging import Challenging
from streams.columns import DAY_MS
from streams.labels import encode_labels
from streams.runtime.admin import create_topics
from streams.runtime.kafka_client import producer
from streams.runtime.learner_app import desk_rules
from streams.runtime.settings import Settings, load_settings
from streams.runtime.topics import LABELS
from tests.oracle.recount import read_plain
from tests.support.brokers import RunningBroker
from tests.support.label_messages import message
from tests.support.learning import LEARNER, LEARNING, Learnt, assert_models_as_from_the_file, learnt_to_the_end
from tests.support.redis_servers import RunningRedis
from tests.support.replays import PARTITIONS, RUN_ON_DAYS, Site
from tests.support.workers import Fleet, WorkerProcess, run_command

CHALLENGERS = (*LEARNER, "--challengers")
SETTINGS = LEARNING | {"CHURNWATCH_LEARNING__MEASURED_LABELS": "100000"}
"""More labels than there are: then the newest are all, and a process and a backtest measure the same ones."""
MEASURES = ("auc", "pr_auc", "log_loss", "brier", "ece", "lift_at_10", "lift_cap")


class Challenged(Learnt):
    """With challengers who learn from the file."""

    @cached_property
    def challenging(self) -> Challenging:  # type: ignore[override] # never None
        rules = desk_rules(self._rules_settings)
        return Challenging(rules.learner, SHIPPED, champion=True, share=1.0)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Challenged:
    """About 2,000 events in seven weeks."""
    path = tmp_path_factory.mktemp("challenged") / "history.csv"
    events, _ = simulate_customers(200, 50, 20_000 * DAY_MS, seed=9)
    write_history(path, events, "USD", "e")
    return Challenged(str(path), None, lambda: read_plain(path), SETTINGS)


def backtested(learnt: Learnt, out: Path) -> dict[str, Any]:
    """What `churnwatch backtest --challengers` reports of them."""
    asked = ["--challengers", "--partitions", str(PARTITIONS), "--run-on-days", str(RUN_ON_DAYS), "--out", str(out)]
    spans = ["--active-window", "20d", "--every", "10d"]
    done = run_command(["backtest", learnt.file, *asked, *spans], SETTINGS)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((out / "report.json").read_bytes())["learning"]["challengers"]
    return found


def known(process: WorkerProcess) -> int:
    """Labels that it has learnt."""
    return int(process.metric("churnwatch_challengers_labels_known"))


def measured(process: WorkerProcess) -> str:
    """All that it measured, as it shows it."""
    kept = ("labels_known", "labels_judged", "scores_waiting", "newest_timestamp", *(f"{name}{{" for name in MEASURES))
    lines = process.get("/metrics")[1].splitlines()
    return "\n".join(line for line in lines if line.startswith(tuple(f"churnwatch_challengers_{one}" for one in kept)))


def assert_as_from_the_file(process: WorkerProcess, learnt: Challenged, reported: dict[str, Any]) -> None:
    """Every measure is exactly that of the file; so is what a backtest reports, of which some are by steps of 0.1 %."""
    for among, models in learnt.challenging.challengers.measured("rolling").items():
        assert process.metric("churnwatch_challengers_labels_judged", among=among) == models["forest"].n > 100
        for model, one in models.items():
            found = {name: process.metric(f"churnwatch_challengers_{name}", among=among, model=model) for name in MEASURES}
            assert found == {name: getattr(one, name) for name in MEASURES}, (among, model)
            told = reported[among][model]
            exact = ("n", "log_loss", "brier", "base_rate")
            assert {name: told[name] for name in exact} == {name: pytest.approx(getattr(one, name), abs=1e-8) for name in exact}


def learner_of(site: Site) -> bytes:
    with site.redis.client() as client:
        found: bytes = client.hget(f"{site.prefix}state:learner", "learner")
        return found


def test_they_go_on_when_the_broker_comes_back_and_stop_also_while_it_is_away(
    own_kafka: RunningBroker, prefix: str, tmp_path: Path
) -> None:
    settings = {"CHURNWATCH_KAFKA__BOOTSTRAP": own_kafka.bootstrap, "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix} | SETTINGS
    site = load_settings(None, settings)
    create_topics(site)
    with Fleet(settings, tmp_path, command=CHALLENGERS) as fleet:
        challengers = fleet.start()
        _tell(site, days=5)
        fleet.until(lambda: known(challengers) == 5, "five labels learnt")
        own_kafka.kill()
        fleet.until(lambda: challengers.get("/readyz")[0] == 503, "it says that the broker is away")
        own_kafka.start()
        _tell(site, days=9)
        fleet.until(lambda: known(challengers) == 9, "each label learnt once, and the new ones")
        own_kafka.kill()
        assert challengers.stop() == 0


def _tell(site: Settings, days: int) -> None:
    """A label of each day, told by a live partition."""
    with producer(site) as client:
        for day in range(20_000, 20_000 + days):
            one = message(0, day * DAY_MS, [(day, day * DAY_MS)], history=False, horizon_days=site.risk.horizon_days)
            client.send(site.kafka.topic_prefix + LABELS, encode_labels(one), key=b"0")


def test_what_is_missing_is_said(real_kafka: RunningBroker, prefix: str) -> None:
    off = run_command(["learner", "--challengers"], {})
    assert off.returncode == 1
    assert off.stderr.splitlines()[-1].startswith("churnwatch: learning.enabled is false")
    settings = {"CHURNWATCH_KAFKA__BOOTSTRAP": real_kafka.bootstrap, "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix} | SETTINGS
    no_topic = run_command(["learner", "--challengers"], settings | {"CHURNWATCH_HTTP__PORT": "0"})
    assert no_topic.returncode == 1
    assert no_topic.stderr.splitlines()[-1].startswith(f"churnwatch: topic {prefix}churn.labels does not exist")


def test_they_measure_what_a_backtest_measures_killed_or_not_and_the_learner_is_as_without_them(
    learnt: Challenged, real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Site(real_kafka, real_redis, prefix, learnt)
    expected = backtested(learnt, tmp_path / "out")
    with Fleet(site.environment, tmp_path) as fleet:
        fleet.start()
        fleet.start(LEARNER)
        early = fleet.start(CHALLENGERS)
        fleet.until(early.ready, "challengers ready before there is a label")
        site.replay()
        fleet.until(lambda: known(early) > 0.3 * expected["labels"], "some labels learnt")
        early.kill()
        again = fleet.start(CHALLENGERS)
        fleet.until(lambda: learnt_to_the_end(site, learnt), "the last tick learnt")
        fleet.until(lambda: known(again) == expected["labels"], "every label learnt")
        late = fleet.start(CHALLENGERS)
        fleet.until(lambda: measured(late) == measured(again), "who begins when all is there comes to the same")
        assert learner_of(site) == learnt.learner
        assert_as_from_the_file(late, learnt, expected["measured_total"])
        assert (late.metric("churnwatch_challengers_lag_messages"), late.get("/readyz")[0]) == (0, 200)
        assert fleet.stop() == [0, 0, 0, 0]
    assert_models_as_from_the_file(site, learnt)
