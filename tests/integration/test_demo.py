"""`churnwatch demo` from end to end on the embedded parts: its numbers, its end, and what it says when it cannot go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.alert import decode
from detectors.parameters import SHIPPED
from streams.backtest.history import find_source, read_histories
from streams.backtest.payloads import to_columns
from streams.backtest.run import run_history
from streams.cli.demo_parts.bad_events import BAD_EVENTS
from streams.dead_letters import DeadReason
from streams.runtime.lag import lag
from streams.runtime.rules import engine_rules, event_rules
from streams.runtime.settings import Settings, load_settings
from tests.support.eventually import DEADLINE_S, eventually

REPO = Path(__file__).parents[2]
SMALL = ("--customers", "150", "--days", "200")


@contextmanager
def demo(data: Path, *args: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process of its own, in a shell's stead; killed at the end."""
    env = os.environ | {"PYTHONPATH": str(REPO), "CHURNWATCH_KAFKA__BOOTSTRAP": "production.invalid:9092"}
    command = [sys.executable, "-m", "streams.cli.main", "demo", "--data", str(data), *args]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=data.parent)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def children(process: subprocess.Popen[str]) -> dict[str, int]:
    """What the demo has started, by name."""
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in listed.splitlines():
        pid, parent, command = line.split(None, 2)
        if int(parent) == process.pid:
            found[next((n for n in ("valkey", "tansu", "worker") if n in command), command)] = int(pid)
    return found


def all_three(process: subprocess.Popen[str]) -> dict[str, int]:
    wanted = {"valkey", "tansu", "worker"}
    return eventually(lambda: children(process), lambda found: found.keys() == wanted, 90.0)


def assert_gone(pids: dict[str, int]) -> None:
    """A child of a killed demo is reaped by another process, so it may linger for a moment."""
    for pid in pids.values():
        eventually(lambda pid=pid: not alive(pid))  # type: ignore[misc]  # the default binds the loop's value


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def line_of(process: subprocess.Popen[str], beginning: str) -> str:
    """The first line of its output that begins so."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return line
    raise AssertionError(
        f"no line begins with {beginning!r}; exit code {process.wait()}: {process.stderr and process.stderr.read()}"
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The data folder and the summary of one whole demo."""
    data = tmp_path_factory.mktemp("demo") / "data"
    with demo(data, "--once", "--json", *SMALL) as process:
        out, err = process.communicate(timeout=2 * DEADLINE_S)
        assert (process.returncode, err) == (0, "")
    return data, json.loads(out)


def rules() -> Settings:
    return load_settings("time: {clock: history}", {})


def test_every_event_is_applied_once_and_the_alerts_are_those_of_the_files(finished: tuple[Path, dict[str, Any]]) -> None:
    """The same events straight from the files through the engine: no Kafka, no Redis, no bad events between them."""
    data, summary = finished
    history = read_histories([find_source(str(data / "simulated-customers.csv")), find_source("cdnow:", id_prefix="cdnow-")])
    result = run_history(to_columns(history, event_rules(rules()), 4), engine_rules(rules()), SHIPPED)
    expected = Counter(decode(message).decision for message in result.alerts)
    assert summary["events"]["sent"] == summary["events"]["applied"] == len(history) == result.events
    assert summary["events"]["cdnow"] == 69_659
    assert summary["alerts"]["messages"] == len(result.alerts) > 10_000
    found = {decision: sum(tiers.values()) for decision, tiers in summary["alerts"]["by_decision"].items()}
    assert found == {decision: expected[decision] for decision in found}
    assert set(expected) <= set(found)
    assert summary["example"] in [json.loads(message) for message in result.alerts]


def test_the_alert_shown_has_its_reasons_in_words(finished: tuple[Path, dict[str, Any]]) -> None:
    shown = finished[1]["example"]
    assert shown["customer_id"].startswith("sim-")
    assert shown["reasons"]
    assert all(" " in reason["text"] for reason in shown["reasons"])


def test_every_bad_event_is_a_dead_letter_with_the_reason_that_it_was_made_for(finished: tuple[Path, dict[str, Any]]) -> None:
    letters = finished[1]["dead_letters"]
    assert letters["bad_events_sent"] == letters["refused"] == len(BAD_EVENTS) == 12
    assert letters["by_reason"] == {event.reason.value: 1 for event in BAD_EVENTS}
    assert {letter["reason"] for letter in letters["letters"]} <= set(DeadReason)
    assert all(letter["message"] for letter in letters["letters"])


def test_the_comparison_with_the_truth_adds_up(finished: tuple[Path, dict[str, Any]]) -> None:
    data, summary = finished
    told = summary["simulated"]
    truth = (data / "simulated-truth.csv").read_text().splitlines()
    left = truth[0].split(",").index("left")
    assert told["customers"] == len(truth) - 1 == 150
    assert told["left"] == sum(line.split(",")[left] == "1" for line in truth[1:])
    assert told["serious_alerts"] == told["had_left"] + told["had_not_left"] > 0
    assert 0 < told["found"] <= told["due"] <= told["left"]
    assert sum(sum(segments.values()) for segments in summary["customers"].values()) == 23_570 + 150


def test_it_serves_until_ctrl_c_and_refuses_a_second_one_on_its_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with demo(data, *SMALL) as process:
        started = all_three(process)
        with demo(data, "--once") as second:
            out, err = second.communicate(timeout=DEADLINE_S)
            assert (second.returncode, out) == (1, "")
            assert err == (
                f"churnwatch: {data} is in use by another churnwatch (process {process.pid}) or by servers it left behind; "
                "end them or choose another data folder\n"
            )
        line_of(process, " Now live")
        settings = data / "churnwatch.yaml"
        port = yaml.safe_load(settings.read_text())["http"]["port"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            assert answer.status == 200
        running = load_settings(settings.read_text(), {})
        eventually(lambda: sum(row.lag for row in lag(running)), lambda behind: behind == 0)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, err) == (0, "")
        assert "nothing is left running" in out
        assert "\x1b" not in out
    assert_gone(started)


def test_ctrl_c_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    with demo(tmp_path / "data", *SMALL) as process:
        started = all_three(process)
        line_of(process, "worker ready")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, err) == (130, "")
        assert "nothing is left running" in out
    assert_gone(started)


@pytest.mark.parametrize(("victim", "log"), [("worker", "worker.log"), ("tansu", "broker.log"), ("valkey", "valkey.log")])
def test_the_death_of_a_part_ends_it_with_one_line_that_names_the_log(tmp_path: Path, victim: str, log: str) -> None:
    data = tmp_path / "data"
    with demo(data, *SMALL) as process:
        started = all_three(process)
        line_of(process, "worker ready")
        os.kill(started[victim], signal.SIGKILL)
        _, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 1
        assert err.startswith("churnwatch: the ")
        assert err.endswith(f"; read {data / log}\n")
        assert err.count("\n") == 1
    assert_gone(started)
