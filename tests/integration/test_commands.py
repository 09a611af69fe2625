"""`customer` and `fit` on a running system: what they tell is what the history's file holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS
from streams.state import PartitionState
from tests.oracle.recount import read_plain
from tests.support.brokers import RunningBroker
from tests.support.redis_servers import RunningRedis
from tests.support.replays import Replayed, Site
from tests.support.workers import Fleet, WorkerProcess, run_command

START_DAY = 20_000


class System:
    """A worker that has read the whole history and goes on running."""

    def __init__(self, site: Site, fleet: Fleet, worker: WorkerProcess, history: Path) -> None:
        self.site, self.fleet, self.worker, self.history = site, fleet, worker, history

    def run(self, *args: str) -> Any:
        """The JSON that a command prints."""
        done = run_command(args, self.site.environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def watermark_day(self) -> int:
        (day,) = {PartitionState.from_bytes(state).watermark_ms // DAY_MS for state in self.site.states().values()}
        return day


@pytest.fixture(scope="module")
def system(real_kafka: RunningBroker, real_redis: RunningRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("commands")
    history = folder / "history.csv"
    events, _ = simulate_customers(200, 150, START_DAY * DAY_MS, seed=3)
    write_history(history, events, "USD", "e")
    site = Site(real_kafka, real_redis, f"{folder.name}.", Replayed(str(history), None, lambda: read_plain(history)))
    site.replay()
    with Fleet(site.environment, folder) as fleet:
        worker = fleet.start()
        fleet.until(site.caught_up, "every row committed")
        fleet.until(worker.ready, "ready")
        yield System(site, fleet, worker, history)


def test_customer_tells_of_everyone_what_pandas_counts_in_the_file(system: System) -> None:
    counted = system.site.replayed.from_pandas
    told_of = counted.index[:: len(counted) // 5]
    assert len(told_of) >= 5
    for customer in told_of:
        told = system.run("customer", customer, "--json")
        assert (told["customer_id"], told["partition"]) == (customer, system.site.replayed.partition_of[customer])
        names = ("purchases", "logins", "complaints", "refunds", "spent_minor", "refunded_minor")
        assert {name: told["facts"][name] for name in names} == counted.loc[customer, list(names)].to_dict()
        assert 0 <= told["risk"] <= 1


def test_customer_knows_which_alerts_are_open(system: System) -> None:
    """As the last message about the customer on `churn.alerts` says."""
    last = {alert["customer_id"]: alert for alert in map(json.loads, system.site.replayed.from_engine.alerts)}
    firing = next(alert for alert in last.values() if alert["status"] == "firing")
    told = system.run("customer", firing["customer_id"], "--json")
    assert (told["tier"], told["alert_id"]) == (firing["tier"], firing["alert_id"])


def test_a_customer_nobody_has_heard_of_is_one_line(system: System) -> None:
    done = run_command(["customer", "nobody"], system.site.environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "churnwatch: customer 'nobody' is unknown; check the id, and that a worker has read its events\n"


def test_fit_from_the_running_system_is_fit_from_the_file_up_to_the_watermarks_day(system: System) -> None:
    until = str(datetime.fromtimestamp((system.watermark_day() + 1) * DAY_MS / 1000, UTC).date())
    from_system, from_file = system.run("fit"), system.run("fit", str(system.history), "--until", until)
    assert from_system["customers"] == from_file["customers"] == int((system.site.replayed.from_pandas["purchases"] > 0).sum())
    for name in ("r", "alpha_days", "a", "b", "log_likelihood"):
        assert from_system[name] == pytest.approx(from_file[name], rel=1e-6), name
    assert from_system["fitted_at_ms"] // DAY_MS == system.watermark_day()


def test_what_fit_publishes_a_running_worker_takes_up(system: System) -> None:
    def in_use(version: str) -> float:
        return system.worker.metric("churnwatch_model_info", version=version)

    assert in_use("shipped-cdnow-1") == 1
    fitted = system.run("fit", "--publish")
    system.fleet.until(lambda: in_use(fitted["version"]) == 1, "the worker says what it uses")
    assert in_use("shipped-cdnow-1") == 0
    assert system.worker.metric("churnwatch_model_age_seconds", model="mbg_nbd") > 0
    customer = system.site.replayed.from_pandas.index[0]
    assert system.run("customer", customer, "--json")["model"] == fitted["version"]
