"""The deployment files are sound as far as they can be judged without a container engine: none runs them here."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from streams.runtime.challengers_metrics import ChallengersMetrics
from streams.runtime.learner_metrics import LearnerMetrics
from streams.runtime.metrics import Metrics
from streams.runtime.settings import load_settings
from tests.support.broker_fixtures import missing

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


COMPOSE = load("docker-compose.yml")
RULES = [rule for group in load("deploy/prometheus/rules.yml")["groups"] for rule in group["rules"]]


def test_compose_has_the_parts_that_the_design_names() -> None:
    ours, around = {"topics", "worker", "learner", "challengers"}, {"kafka", "redis", "prometheus", "alertmanager", "grafana"}
    assert set(COMPOSE["services"]) == ours | around
    assert COMPOSE["services"]["kafka"]["image"] == "apache/kafka:4.1.0"


def test_redis_keeps_what_it_holds_and_evicts_nothing() -> None:
    command = COMPOSE["services"]["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"


def test_every_service_that_stays_has_a_health_check_and_a_fixed_version() -> None:
    for name, service in COMPOSE["services"].items():
        if name != "topics":
            assert service["healthcheck"]["test"][0] == "CMD", name
        if service["image"] != "churnwatch":
            assert re.search(r":v?\d", service["image"]), name


def test_services_wait_only_for_services_that_can_say_they_are_there() -> None:
    for name, service in COMPOSE["services"].items():
        for other, how in service.get("depends_on", {}).items():
            target = COMPOSE["services"][other]
            wanted = "service_healthy" if "healthcheck" in target else "service_completed_successfully"
            assert how == {"condition": wanted}, f"{name} waits for {other}"


def test_ports_are_open_to_this_machine_only_and_volumes_are_declared_or_in_the_repository() -> None:
    for name, service in COMPOSE["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).is_dir() if source.startswith("./") else source in COMPOSE["volumes"], volume


def test_the_worker_gets_settings_that_it_accepts_and_that_name_the_other_services() -> None:
    env = COMPOSE["services"]["worker"]["environment"]
    settings = load_settings(None, env)
    assert settings.kafka.bootstrap.split(":")[0] in COMPOSE["services"]
    assert f"INSIDE://{settings.kafka.bootstrap}" in COMPOSE["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert settings.redis.url.get_secret_value() == "redis://redis:6379/0"
    scrape = load("deploy/prometheus/prometheus.yml")["scrape_configs"][0]["dns_sd_configs"][0]
    assert (scrape["names"], scrape["port"]) == (["worker"], settings.http.port)


def test_no_file_carries_a_secret() -> None:
    for service in COMPOSE["services"].values():
        assert not [key for key in service.get("environment", {}) if re.search("PASSWORD|SECRET|TOKEN", key)]


def test_the_image_runs_as_a_user_and_installs_by_hash_only() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    last_stage = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert "USER 10001" in last_stage
    assert last_stage.index("USER 10001") < last_stage.index('ENTRYPOINT ["churnwatch"]')
    installs = [line for line in lines if "pip install" in line]
    assert len(installs) == 2
    assert all("--require-hashes" in line or ("--no-deps" in line and "--no-build-isolation" in line) for line in installs)
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", "\n".join(lines), re.M):
        allowed = (ROOT / ".dockerignore").read_text().splitlines()
        assert all(f"!{name}" in allowed for name in source.split()), source


def test_rules_name_only_metrics_that_there_are() -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    LearnerMetrics(registry)
    ChallengersMetrics(registry)
    known = {f"{family.name}{end}" for family in registry.collect() for end in ("", "_total", "_bucket", "_sum", "_count")}
    used = {name for rule in RULES for name in re.findall(r"churnwatch_\w+", rule["expr"])}
    assert used
    assert used - known == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "action"}


def test_the_workers_file_is_accepted_as_it_is_and_with_every_line_taken_in() -> None:
    env = COMPOSE["services"]["worker"]["environment"]
    inside, outside = env["CHURNWATCH_CONFIG"], [v.split(":") for v in COMPOSE["services"]["worker"]["volumes"]]
    path = next(ROOT / source / inside.removeprefix(f"{target}/") for source, target, _ in outside if inside.startswith(target))
    text = path.read_text("utf-8")
    assert load_settings(text, env) == load_settings(None, env)
    taken_in = yaml.safe_load(re.sub(r"^# (?=(?:  )?[a-z_]+:(?: |$))", "", text, flags=re.M))
    assert {"policy", "money", "learning", "channels", "triggers"} == set(taken_in)
    assert load_settings(yaml.safe_dump(taken_in), env) != load_settings(None, env)


def test_docker_compose_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("the docker client here has no `compose`")
    command = [docker, "compose", "--file", str(ROOT / "docker-compose.yml"), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr.lower()


def amtool(*command: str) -> str:
    """What amtool says of the deployed Alertmanager's file."""
    found = shutil.which("amtool")
    if found is None:
        missing("amtool", "install prometheus-alertmanager")
    folder = ROOT / "deploy" / "alertmanager"
    done = subprocess.run([found, *command], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_alertmanager_accepts_its_file() -> None:
    assert "2 receivers" in amtool("check-config", "alertmanager.yml")


@pytest.mark.parametrize(
    ("alert", "receiver"),
    [
        (["alertname=ChurnRisk", "tier=critical", "severity=critical", "customer_id=anna"], "retention"),
        (["alertname=ChurnRisk", "tier=watch", "severity=info"], "retention"),
        (["alertname=ChurnDigest", "severity=info"], "retention"),
        (["alertname=ChurnIngestion", "severity=warning"], "operations"),
        *(([f"alertname={rule['alert']}"], "operations") for rule in RULES),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_alerts_about_customers_and_about_churnwatch_go_to_different_people(alert: list[str], receiver: str) -> None:
    assert amtool("config", "routes", "test", "--config.file=alertmanager.yml", *alert).strip() == receiver


def test_an_alert_about_churnwatch_never_hides_one_about_a_customer() -> None:
    for rule in load("deploy/alertmanager/alertmanager.yml")["inhibit_rules"]:
        hidden = [matcher.split('"')[1] for matcher in rule["target_matchers"] if matcher.startswith("alertname=~")]
        assert hidden
        assert not [name for name in ("ChurnRisk", "ChurnDigest", "ChurnIngestion") for one in hidden if re.fullmatch(one, name)]


def test_reminders_come_before_alertmanager_forgets_that_it_told() -> None:
    """It keeps what it told for 120 h by default; a reminder later than that would be a second first message."""
    route = load("deploy/alertmanager/alertmanager.yml")["route"]
    repeats = [each["repeat_interval"] for each in (route, *route["routes"])]
    hours = [int(text[:-1]) * {"h": 1, "d": 24}[text[-1]] for text in repeats]
    assert max(hours) < 120


@pytest.mark.parametrize("command", [["check", "config", "prometheus.yml"], ["test", "rules", "rules_test.yml"]], ids=" ".join)
def test_promtool_accepts_them(command: list[str]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("promtool", "install prometheus")
    done = subprocess.run([promtool, *command], cwd=PROMETHEUS, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
