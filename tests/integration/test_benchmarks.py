"""The benchmarks run and do all of their work; what they measure is nobody's promise here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.jobs import peers_installed
from benchmarks.run import SECTIONS
from benchmarks.summary import JOBS
from benchmarks.targets import TARGETS
from tests.support.broker_fixtures import real_required

REPO = Path(__file__).resolve().parents[2]
EVENTS = 1_200
BASE = 1_000
SIZES = {
    "--events": [EVENTS],
    "--repeats": [1],
    "--batches": [100, 1_000],
    "--nth": [2],
    "--base-customers": [BASE],
    "--none-due": [1_000, 50_000],
    "--latency-s": [2],
    "--latency-rate": [500],
    "--latency-regulars": [500],
}
ALERTS = 2 * 500 // 100
"""Of the seconds that are measured, one event in a hundred."""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a short run writes, on the real parts in CI, elsewhere on what is to be had."""
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "benchmarks", "--json", "--out", str(folder)]
    command += [word for option, values in SIZES.items() for word in (option, *map(str, values))]
    command += ["--parts", "real" if real_required() else "auto"]
    env = {name: value for name, value in os.environ.items() if name != "CHURNWATCH_CONFIG"}
    done = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads(done.stdout) == json.loads((folder / "bench.json").read_text("utf-8"))
    assert ("Quix Streams is LEFT OUT" in done.stderr) == (not peers_installed()), "what is left out is said"
    return folder


@pytest.fixture(scope="module")
def figures(out: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((out / "bench.json").read_text("utf-8"))
    return answer


@pytest.fixture(scope="module")
def report(figures: dict[str, Any]) -> dict[str, Any]:
    details: dict[str, Any] = figures["details"]
    return details


def test_no_figure_is_missing(figures: dict[str, Any]) -> None:
    """But those of Quix Streams, where its environment is not there."""
    left_out = set() if peers_installed() else {"quix"}
    assert {job for job in JOBS if figures[job] is None} == left_out
    for job in set(JOBS) - left_out:
        assert figures[job]["events_per_s"] > 0
        assert figures[job]["cpu_us_per_event"] > 0
    assert figures["worker"]["store_cpu_us_per_event"] >= 0
    for target in TARGETS:
        value = target.found(figures)
        assert (value is None) == (target.path == ("ratios", "vs_quix") and bool(left_out))
        assert value is None or value > 0
    assert figures["alert_latency_ms"]["p50"] <= figures["alert_latency_ms"]["p99"] <= figures["alert_latency_ms"]["worst"]
    assert 0 < figures["commit_ms"]["p50"] <= figures["commit_ms"]["p99"]
    assert set(figures["sweep_none_due_us"]) == {"1000", "50000"}


def test_ratios_are_those_of_the_rates(figures: dict[str, Any]) -> None:
    others = {"vs_quix": "quix", "vs_conventional": "conventional", "of_ceiling": "ceiling"}
    for ratio, job in others.items():
        if figures[job] is not None:
            rates = figures["worker"]["events_per_s"] / figures[job]["events_per_s"]
            assert figures["ratios"][ratio] == pytest.approx(rates)


def test_all_implementations_have_kept_the_same(report: dict[str, Any]) -> None:
    same = report["streams"][0]["equality"]
    assert same["between"] == ["worker", "conventional", *(["quix"] if peers_installed() else [])]
    assert same["customers"] > 40
    windows = {f"{what}_{days}d" for what in ("purchases", "spent", "logins", "complaints") for days in (7, 30, 90, 365)}
    rhythm = {"recent_days", "usual_gap_days", "longest_gap_days", "decayed_purchases_15d", "decayed_spent_120d"}
    assert windows | rhythm | {"purchases", "spent_minor", "logins", "risk"} <= set(same["fields"])


def test_every_part_is_measured_on_both_streams(report: dict[str, Any]) -> None:
    assert [(one["span_days"], one["batch_rows"]) for one in report["engine"]] == [(30, 100), (30, 1000), (365, 100), (365, 1000)]
    assert [one["stream"] for one in report["streams"]] == ["lively", "sparse"]
    for one in report["streams"]:
        assert one["events"] == one["ceiling"]["events"] == one["worker"]["events"] == EVENTS
        assert one["worker_to_ceiling"] == pytest.approx(one["worker"]["cpu_us_per_event"] / one["ceiling"]["cpu_us_per_event"])


def test_the_worker_does_the_work_that_the_engine_does_alone(report: dict[str, Any]) -> None:
    """As many alerts, whoever folds and however the batches are cut: else the two figures would not be of one job."""
    for one in report["streams"]:
        alone = {found["alerts_per_event"] for found in report["engine"] if found["span_days"] == one["span_days"]}
        assert alone == {one["alerts_per_event"]}
        assert one["alerts_per_event"] > 0


def test_looks_of_silent_customers_are_part_of_it(report: dict[str, Any]) -> None:
    assert all(one["looks_per_event"] > 0.1 for one in report["engine"])


def test_every_customer_of_the_base_is_in_redis_and_swept(report: dict[str, Any]) -> None:
    base = report["base"]
    assert base["footprint"]["customers"] == BASE
    assert base["engine"]["due"] == base["cold"]["due"] >= BASE
    assert base["engine"]["looks_per_due"] == base["cold"]["looks_per_due"] >= 1
    assert base["engine"]["alerts_per_due"] == base["cold"]["alerts_per_due"]
    assert base["footprint"]["bytes_per_customer"] > 512, "the record alone"


def test_all_was_committed_in_the_sizes_that_are_told(report: dict[str, Any]) -> None:
    small, large = report["commits"]
    assert (small["rows"], large["rows"]) == (1_000, 20_000)
    assert small["commits"] >= large["commits"] >= 4


def test_every_event_that_must_alert_was_heard_of(report: dict[str, Any]) -> None:
    assert report["latency"]["alerts"] >= ALERTS


def test_nothing_of_the_machine_but_what_compares(figures: dict[str, Any], out: Path) -> None:
    assert set(figures["machine"]) == {"cores", "cpu", "kernel", "python", "load", "versions"}
    text = (out / "bench.json").read_text("utf-8")
    assert os.uname().nodename not in text
    assert str(REPO) not in text


def test_the_picture_is_drawn_where_something_draws(out: Path) -> None:
    picture = out / "bench.png"
    assert picture.exists() == peers_installed()
    assert not picture.exists() or picture.read_bytes().startswith(b"\x89PNG")


def test_the_sections_are_all_of_the_run(report: dict[str, Any]) -> None:
    assert set(SECTIONS) <= set(report)
