"""A site of regular buyers dies out within three weeks, and a new base takes its place: what was learnt of the old one is wrong,
the champion is demoted, and recovers once it has learnt the new one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streams.backtest.simulation import SimulatedEvent
from streams.backtest.simulation_files import write_history
from streams.cli.main import main
from streams.columns import DAY_MS, PURCHASE

START_DAY = 10_046  # 1997-07-04
CUSTOMERS, DAYS = 1_500, 700
DIES_DAY, ANEW_DAY = 250, 330


class Shop:
    """Times are days since the start."""

    def __init__(self, seed: int) -> None:
        self._rng, self.events = np.random.default_rng(seed), list[SimulatedEvent]()

    def live(self, customer: str, joined: float, until: float, leaves: float) -> float:
        """Buys at a rhythm of its own, gaps Gamma(8), and leaves after a purchase with this chance. Returns the end."""
        mean, at = self._rng.uniform(5, 20), joined
        while at < until:
            self.buy(customer, at)
            if self._rng.random() < leaves:
                break
            at += self._rng.gamma(8, mean / 8)
        return at

    def drop_in(self, customer: str, since: float, until: float) -> None:
        """Buys now and then: short gaps and long ones."""
        mean, at = self._rng.uniform(5, 20), since
        while at < until and self._rng.random() >= 0.03:
            self.buy(customer, at)
            at += self._rng.exponential(mean) * (0.3 if self._rng.random() < 0.7 else 2.6)

    def buy(self, customer: str, at: float) -> None:
        time_ms = START_DAY * DAY_MS + int(at * DAY_MS)
        self.events.append(SimulatedEvent(time_ms, customer, PURCHASE, 20.0, 0, "", ""))

    def populate(self) -> list[SimulatedEvent]:
        rng = self._rng
        for k in range(CUSTOMERS):
            end = self.live(f"old-{k}", rng.uniform(0, 0.9 * DIES_DAY), DIES_DAY + rng.uniform(0, 20), 0.06)
            if end >= DIES_DAY and rng.random() < 0.25:
                self.drop_in(f"old-{k}", end + rng.uniform(20, 60), DAYS)
        for k in range(CUSTOMERS):
            self.live(f"new-{k}", rng.uniform(ANEW_DAY, 0.95 * DAYS), DAYS, 0.06)
        return sorted(self.events)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The backtest of it, with a horizon of 30 days."""
    folder: Path = tmp_path_factory.mktemp("site")
    write_history(folder / "site.csv", Shop(seed=11).populate(), "USD", "s-")
    options = ["--horizon", "30d", "--active-window", "60d", "--every", "30d", "--out", str(folder)]
    with pytest.raises(SystemExit) as left:
        main(["backtest", str(folder / "site.csv"), *options])
    assert left.value.code == 0
    return json.loads((folder / "report.json").read_text())


def day_of(told: str) -> int:
    return int(datetime.fromisoformat(told).replace(tzinfo=UTC).timestamp()) // 86_400 - START_DAY


def test_the_champion_serves_is_demoted_and_recovers(report: dict[str, Any]) -> None:
    told = [(event["what"], day_of(event["at"])) for event in report["learning"]["events"]]
    standing = [(what, day) for what, day in told if what != "drift"]
    assert [what for what, _ in standing] == ["serving", "demoted", "recovered"]
    assert standing[0][1] < DIES_DAY
    assert DIES_DAY < standing[1][1] < DIES_DAY + 20 + 60, "it dies in twenty days, and within two horizons that is known"
    assert standing[2][1] > ANEW_DAY
    assert report["learning"]["standing"] == "serving"


def test_drift_is_seen_before_it_and_says_so(report: dict[str, Any]) -> None:
    drifts = [event for event in report["learning"]["events"] if event["what"] == "drift"]
    (demoted,) = (event for event in report["learning"]["events"] if event["what"] == "demoted")
    assert drifts
    assert all(day_of(event["at"]) > DIES_DAY for event in drifts), "nothing drifted before"
    assert drifts[0]["at"] < demoted["at"]
    assert "log loss went from" in drifts[0]["why"]


def test_while_it_is_demoted_risk_is_the_closed_forms_and_when_it_serves_it_is_better(report: dict[str, Any]) -> None:
    changes = {event["what"]: event["at"] for event in report["learning"]["events"] if event["what"] != "drift"}
    out_of_service, served_again = [], []
    for cut_off in report["cutoffs"]:
        risk, closed_form = (cut_off["scores"][name]["log_loss"] for name in ("risk", "btyd"))
        if changes["demoted"] <= cut_off["at"] < changes["recovered"]:
            out_of_service.append(risk - closed_form)
        elif cut_off["at"] >= changes["recovered"]:
            served_again.append(risk - closed_form)
    assert len(out_of_service) >= 2
    assert out_of_service == [0.0] * len(out_of_service)
    assert len(served_again) >= 3
    assert max(served_again) < -0.02
