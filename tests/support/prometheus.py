"""A real Prometheus for the tests, with the configuration of deploy/ and other targets.

    with prometheus_server(folder, ["127.0.0.1:8780"]) as server:
        server.value('sum(churnwatch_customers)')

It scrapes four times a second, so that a rate has its samples within seconds.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from streams.runtime import child
from tests.support.eventually import eventually
from tests.support.ports import own_port

DEPLOYED = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
SCRAPE_S = 0.25


class PrometheusMissing(Exception):
    """The program is not to be had here; says which."""


class PromQLError(AssertionError):
    """Prometheus refused an expression; says which and why."""


def program(name: str) -> str:
    """Path of a program of Debian's prometheus package. Raises PrometheusMissing."""
    found = shutil.which(name)
    if found is None:
        raise PrometheusMissing(f"{name} is not in PATH: install prometheus")
    return found


class RunningPrometheus:
    """One server."""

    def __init__(self, address: str) -> None:
        self._address = address

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series of an instant query, each {"metric": labels, "value": [time, text]}. Raises PromQLError."""
        found: list[dict[str, Any]] = self._get("query", query=expr)["result"]
        return found

    def values(self, expr: str, label: str) -> dict[str, float]:
        """Value of each series by one of its labels."""
        return {one["metric"].get(label, ""): float(one["value"][1]) for one in self.query(expr)}

    def value(self, expr: str) -> float | None:
        """The value of an expression that has one series; None: it has none."""
        found = self.query(expr)
        assert len(found) < 2, f"{expr}: {len(found)} series"
        return float(found[0]["value"][1]) if found else None

    def rules(self) -> dict[str, str]:
        """Health of each rule by name: ok, unknown (not evaluated yet) or err."""
        return {rule["name"]: rule["health"] for group in self._get("rules")["groups"] for rule in group["rules"]}

    def up(self) -> int:
        """Targets whose last scrape succeeded."""
        return sum(target["health"] == "up" for target in self._get("targets")["activeTargets"])

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._address}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _get(self, page: str, **parameters: str) -> dict[str, Any]:
        url = f"{self._address}/api/v1/{page}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                data: dict[str, Any] = json.load(answer)["data"]
                return data
        except urllib.error.HTTPError as refusal:
            raise PromQLError(f"{parameters}: {json.load(refusal)['error']}") from None


def configuration(targets: Sequence[str]) -> dict[str, Any]:
    """The deployed configuration, for these targets (host:port) instead of compose's, and without an Alertmanager."""
    found: dict[str, Any] = yaml.safe_load((DEPLOYED / "prometheus.yml").read_text())
    found["global"] = {"scrape_interval": f"{SCRAPE_S * 1000:g}ms", "evaluation_interval": "1s"}
    found["rule_files"] = [str(DEPLOYED / name) for name in found["rule_files"]]
    del found["alerting"]
    job, *_others = found["scrape_configs"]
    found["scrape_configs"] = [job]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": list(targets)}]
    return found


@contextmanager
def prometheus_server(folder: Path, targets: Sequence[str]) -> Iterator[RunningPrometheus]:
    """One Prometheus that scrapes these targets (host:port). Raises PrometheusMissing."""
    command = [program("prometheus"), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    folder.mkdir(parents=True)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration(targets)))
    address = f"127.0.0.1:{own_port()}"
    process = child.spawn([*command, f"--web.listen-address={address}"], folder / "log", cwd=folder)
    server = RunningPrometheus(f"http://{address}")
    try:
        eventually(lambda: process.poll() is not None or server.ready())
        assert process.poll() is None, (folder / "log").read_text()[-2000:]
        yield server
    finally:
        child.end(process)


def check_rules(expressions: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """What promtool says of these expressions: exit code 0 when all are PromQL. Raises PrometheusMissing."""
    rules = [{"record": f"expr:{number}", "expr": expr} for number, expr in enumerate(expressions)]
    path = folder / "expressions.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "expressions", "rules": rules}]}))
    command = [program("promtool"), "check", "rules", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
