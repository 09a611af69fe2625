"""The benchmarks run and do all of their work; what they measure is nobody's promise here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.broker_fixtures import real_required

REPO = Path(__file__).resolve().parents[2]
EVENTS = 1_200


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """A short run on the real parts in CI, elsewhere on what is to be had."""
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "--json",
        "--events",
        str(EVENTS),
        "--repeats",
        "1",
        "--batches",
        "100",
        "1000",
    ]
    command += ["--parts", "real" if real_required() else "auto"]
    env = {name: value for name, value in os.environ.items() if name != "CHURNWATCH_CONFIG"}
    done = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_every_part_is_measured_on_both_streams(report: dict[str, Any]) -> None:
    assert [(one["span_days"], one["batch_rows"]) for one in report["engine"]] == [(30, 100), (30, 1000), (365, 100), (365, 1000)]
    assert [one["stream"] for one in report["streams"]] == ["lively", "sparse"]
    for one in report["streams"]:
        assert one["events"] == one["decode"]["events"] == one["worker"]["events"] == EVENTS


def test_the_worker_does_the_work_that_the_engine_does_alone(report: dict[str, Any]) -> None:
    """As many alerts, whoever folds and however the batches are cut: else the two figures would not be of one job."""
    for one in report["streams"]:
        alone = {found["alerts_per_event"] for found in report["engine"] if found["span_days"] == one["span_days"]}
        assert alone == {one["worker"]["alerts_per_event"]}
        assert one["worker"]["alerts_per_event"] > 0


def test_looks_of_silent_customers_are_part_of_it(report: dict[str, Any]) -> None:
    assert all(one["looks_per_event"] > 0.1 for one in report["engine"])


def test_rates_and_ratios_are_positive(report: dict[str, Any]) -> None:
    for one in report["engine"]:
        assert one["events_per_s"] > 0
        assert one["cpu_us_per_event"] > 0
    for one in report["streams"]:
        assert one["decode"]["cpu_us_per_event"] > 0
        assert one["worker"]["cpu_us_per_event"] > one["decode"]["cpu_us_per_event"]
        assert one["worker_to_decode"] == pytest.approx(one["worker"]["cpu_us_per_event"] / one["decode"]["cpu_us_per_event"])
