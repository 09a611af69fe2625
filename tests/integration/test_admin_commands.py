"""`topics`, `dead-letters` and `doctor` as an operator runs them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import msgspec
import pytest
import typer
from kafka import KafkaConsumer, KafkaProducer
from typer.testing import CliRunner

from detectors.parameters import SHIPPED, dumps
from streams.cli.dead_letters import dead_letters_app
from streams.cli.doctor import doctor
from streams.cli.errors import CommandError
from streams.cli.topics import topics_app
from streams.dead_letters import DeadLetter, DeadReason
from streams.runtime import diagnosis
from streams.runtime.redis_diagnosis import clock_finding, diagnose_redis
from streams.runtime.settings import Settings
from streams.serving import SERVING_KEY, encode_serving, serving_of
from tests.support.brokers import RunningBroker
from tests.support.eventually import eventually
from tests.support.learners import a_learner
from tests.support.letters import Refusals
from tests.support.redis_servers import RunningCluster, RunningRedis

app = typer.Typer()
app.add_typer(topics_app, name="topics")
app.add_typer(dead_letters_app, name="dead-letters")
app.command()(doctor)

DAY_MS = 86_400_000


def run(env: dict[str, str], *args: str):
    return CliRunner().invoke(app, list(args), env={"COLUMNS": "200"} | env)


def env_for(broker: RunningBroker, prefix: str) -> dict[str, str]:
    return {"CHURNWATCH_KAFKA__BOOTSTRAP": broker.bootstrap, "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix}


def test_create_then_check_then_lag(broker: RunningBroker, prefix: str) -> None:
    env = env_for(broker, prefix)
    missing = run(env, "topics", "check", "--json")
    assert missing.exit_code == 1
    assert {f["what"] for f in json.loads(missing.stdout)} == {"does not exist"}
    made = run(env, "topics", "create")
    assert made.exit_code == 0, made.output
    assert f"{prefix}purchases" in made.stdout
    assert "there already" in run(env, "topics", "create").stdout
    assert run(env, "topics", "check").exit_code == 0
    lag = run(env, "topics", "lag", "--json")
    assert lag.exit_code == 0, lag.output
    assert {row["lag"] for row in json.loads(lag.stdout)} == {0}
    assert "total 0" in run(env, "topics", "lag").stdout


def test_no_broker_is_two_short_lines_on_stderr_and_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.runtime.kafka_client.REQUEST_TIMEOUT_MS", 500)
    result = run({"CHURNWATCH_KAFKA__BOOTSTRAP": "127.0.0.1:1"}, "topics", "check")
    assert result.exit_code == 1
    assert result.stdout == ""
    first, second = result.stderr.splitlines()
    assert first == "error: kafka.bootstrap 127.0.0.1:1: no broker answered within 0.5 s"
    assert second.startswith("  fix: start the broker, or set CHURNWATCH_KAFKA__BOOTSTRAP")


def test_wrong_settings_end_with_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("kafka: {partitions: none}\n")
    result = run({}, "topics", "check", "--config", str(file))
    assert result.exit_code == 2
    assert "partitions" in result.stderr


def letter(offset: int, reason: DeadReason, original: str, message: str = "m") -> bytes:
    dead = DeadLetter(f"purchases-0-{offset}", "purchases", 0, offset, reason, message, "Yw==", False, original, 5, False, 0)
    return msgspec.json.encode(dead)


def test_dead_letters_are_listed_by_reason_and_shown_without_steering_the_terminal(broker: RunningBroker, prefix: str) -> None:
    env = env_for(broker, prefix)
    assert run(env, "topics", "create").exit_code == 0
    assert run(env, "dead-letters", "list").stdout == "no dead letters\n"
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    hostile = "G1szMW3/"  # ESC [31m and a byte that is no UTF-8
    for value in (letter(1, DeadReason.NOT_JSON, hostile, "[red]x\x1b[31m"), letter(2, DeadReason.EMPTY, "")):
        producer.send(f"{prefix}churn.dead-letters", value, key=b"c")
    producer.flush()
    producer.close()
    table = run(env, "dead-letters", "list")
    assert "purchases-0-1" in table.stdout
    assert "[red]x\\x1b[31m" in table.stdout
    listed = run(env, "dead-letters", "list", "--reason", "empty", "--json")
    assert [each["id"] for each in json.loads(listed.stdout)] == ["purchases-0-2"]
    shown = run(env, "dead-letters", "show", "purchases-0-1").stdout
    assert "\x1b" not in shown
    assert shown.rstrip().endswith("\\x1b[31m\\xff")
    gone = run(env, "dead-letters", "show", "purchases-0-9")
    assert gone.exit_code == 1
    assert "there is no dead letter purchases-0-9" in gone.stderr
    refused = run(env, "dead-letters", "list", "--since", "yesterday")
    assert isinstance(refused.exception, CommandError)


def test_letters_are_sent_again_and_dropped_from_the_command_line(
    embedded_kafka: RunningBroker, prefix: str, tmp_path: Path
) -> None:
    site = Refusals(embedded_kafka, prefix)
    env = site.environment
    (first,), (second,) = site.in_euro(1), site.in_euro(2, customer="bert")
    (third,) = site.refuse(site.send("logins", b"\xff[red]"))
    asked = run(env, "dead-letters", "redrive")
    assert isinstance(asked.exception, CommandError), "nobody said yes"
    tried = json.loads(run(env, "dead-letters", "redrive", "--dry-run", "--json").stdout)
    assert (tried["dry_run"], tried["outcomes"]) == (True, {"redriven": 2, "refused_again": 1})
    one = run(env, "dead-letters", "redrive", "--customer", "bert", "--topic", "purchases", "--yes", "--by", "carla")
    assert (one.exit_code, one.stdout) == (0, "1 redriven\n")
    repeated = run(env, "dead-letters", "redrive", "--id", second.id, "--yes", "--json")
    assert (repeated.exit_code, json.loads(repeated.stdout)["left_out"]) == (0, {"redriven": 1})
    left = run(env, "dead-letters", "redrive", "--topic", "logins", "--yes")
    assert left.exit_code == 1
    assert "refused_again" in left.stdout
    assert "not_json" in left.stdout
    missing = run(env, "dead-letters", "redrive", "--id", "purchases-0-99", "--yes")
    assert (missing.exit_code, missing.stderr.splitlines()[0]) == (1, "error: there is no dead letter purchases-0-99")

    dropped = run(env, "dead-letters", "drop", "--topic", f"{prefix}purchases", "--yes", "--json")
    assert json.loads(dropped.stdout) == {"dropped": 1, "left_out": {"redriven": 1}}
    listed = json.loads(run(env, "dead-letters", "list", "--json").stdout)
    assert [each["id"] for each in listed] == [third.id]
    every = run(env, "dead-letters", "list", "--all").stdout
    assert all(word in every for word in ("redriven", "dropped", "open"))
    assert "redriven at 20" in run(env, "dead-letters", "show", second.id).stdout
    shown = run(env, "dead-letters", "show", first.id, "--json").stdout
    assert json.loads(shown)["state"] == "dropped"

    out = tmp_path / "original"
    assert run(env, "dead-letters", "show", third.id, "--out", str(out)).exit_code == 0
    assert out.read_bytes() == b"\xff[red]"
    assert run(env, "dead-letters", "show", third.id, "--raw").stdout_bytes == b"\xff[red]"
    nowhere = run(env, "dead-letters", "show", third.id, "--out", str(tmp_path / "no" / "where"))
    assert isinstance(nowhere.exception, CommandError)


def test_what_stands_in_a_letter_cannot_steer_the_terminal(embedded_kafka: RunningBroker, prefix: str) -> None:
    site = Refusals(embedded_kafka, prefix)
    evil = "\x1b[31m[bold]\u202e"
    value = f'{{"a": "{evil}"'.encode()
    headers = [(f"h{evil}", f"v{evil}\nid           forged".encode())]
    (letter,) = site.refuse(site.send("logins", value, key=f"k{evil}\nstate        open".encode(), headers=headers))
    for args in (("list", "--all"), ("show", letter.id), ("redrive", "--dry-run")):
        said = run(site.environment, "dead-letters", *args).output
        assert "\x1b" not in said
        assert "\u202e" not in said
        assert args[0] != "show" or "[bold]" in said
        assert [line for line in said.splitlines() if line.startswith(("id ", "state "))] == (
            [f"id           {letter.id}", "state        open"] if args[0] == "show" else []
        )


def test_doctor_on_sound_parts_finds_no_error(real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str) -> None:
    env = env_for(real_kafka, prefix) | {"CHURNWATCH_REDIS__URL": real_redis.url}
    assert run(env, "topics", "create").exit_code == 0
    before = run(env, "doctor", "--json")
    producer = KafkaProducer(bootstrap_servers=real_kafka.bootstrap)
    producer.send(f"{prefix}churn.clock", b"{}", partition=2).get(10)
    producer.close()
    result = run(env, "doctor", "--json")
    assert result.exit_code == 0, result.output
    found = {f["subject"]: f["status"] for f in json.loads(result.stdout)}
    assert found == {
        "packages": "ok", "broker": "ok", "topics": "ok", "broker clock": "ok", "redis": "ok", "redis eviction": "ok",
        "redis persistence": "ok", "redis clock": "ok", "redis state": "ok", "parameters": "warning",
    }  # fmt: skip
    assert {f["subject"]: f["status"] for f in json.loads(before.stdout)}["broker clock"] == "unknown"
    table = run(env, "doctor").stdout
    assert "what to do" in table
    assert "churnwatch fit" in table


def test_doctor_says_whether_a_learner_runs_and_what_it_sent_fits(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str
) -> None:
    group, horizon = f"{prefix}group", {"CHURNWATCH_RISK__HORIZON_DAYS": "4", "CHURNWATCH_LEARNING__SNAPSHOTS_PER_HORIZON": "2"}
    env = env_for(real_kafka, prefix) | horizon | {"CHURNWATCH_REDIS__URL": real_redis.url, "CHURNWATCH_KAFKA__GROUP": group}

    def told(**more: str) -> dict[str, tuple[str, str]]:
        found = json.loads(run(env | {"CHURNWATCH_LEARNING__ENABLED": "true"} | more, "doctor", "--json").stdout)
        about = {"learner", "learnt model", f"{prefix}churn.labels"}
        return {one["subject"]: (one["status"], one["what"] + one["fix"]) for one in found if one["subject"] in about}

    assert told()[f"{prefix}churn.labels"] == ("error", "does not existrun `churnwatch topics create`")
    assert run(env, "topics", "create").exit_code == 0
    assert told(CHURNWATCH_LEARNING__ENABLED="false") == {}
    before = told()
    assert (before["learner"][0], before["learnt model"][0]) == ("warning", "unknown")
    assert "start `churnwatch learner`" in before["learner"][1]
    sent = serving_of(a_learner(10), None, 5)
    topic = f"{prefix}churn.models"
    producer = KafkaProducer(bootstrap_servers=real_kafka.bootstrap)
    producer.send(topic, key=SERVING_KEY, value=encode_serving(sent)).get(10)
    producer.close()
    labels = f"{prefix}churn.labels"
    consumer = KafkaConsumer(labels, bootstrap_servers=real_kafka.bootstrap, group_id=f"{group}-learner")
    # kafka-python 3.0.12 joins again once it learns the partitions, and forgets what it was given if a poll ends meanwhile
    eventually(lambda: consumer.partitions_for_topic(labels))
    eventually(lambda: consumer.poll(timeout_ms=100) or consumer.assignment())
    assert told() == {"learner": ("ok", "one runs"), "learnt model": ("ok", f"{sent.version}, {sent.standing}, 200 labels")}
    consumer.close()
    status, words = told(CHURNWATCH_RISK__STAYING="logins")["learnt model"]
    assert (status, "risk.staying is logins" in words, "restart whichever" in words) == ("error", True, True)


def test_doctor_goes_on_when_broker_and_redis_are_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.runtime.kafka_client.REQUEST_TIMEOUT_MS", 500)
    env = {"CHURNWATCH_KAFKA__BOOTSTRAP": "127.0.0.1:1", "CHURNWATCH_REDIS__URL": "redis://:hush@127.0.0.1:1/0"}
    result = run(env, "doctor", "--json")
    assert result.exit_code == 1
    assert "hush" not in result.output
    found = {f["subject"]: f for f in json.loads(result.stdout)}
    assert (found["broker"]["status"], found["redis"]["status"]) == ("error", "error")
    assert found["redis"]["fix"].startswith("start Redis, or set CHURNWATCH_REDIS__URL")


def test_a_redis_that_evicts_or_forgets_is_found(real_redis: RunningRedis) -> None:
    settings = Settings(redis={"url": real_redis.url})
    client = real_redis.client()
    try:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("appendonly", "no")
        found = {f.subject: f for f in diagnose_redis(settings)}
    finally:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("appendonly", "yes")
        client.close()
    assert found["redis eviction"].status == "error"
    assert found["redis eviction"].fix == "set maxmemory-policy to noeviction"
    assert found["redis persistence"].status == "warning"


def test_a_store_written_for_other_partitions_is_an_error(real_redis: RunningRedis, prefix: str) -> None:
    client = real_redis.client()
    client.hset(f"{prefix}:{{0}}:meta", "partitions", "8")
    found = {f.subject: f for f in diagnose_redis(Settings(redis={"url": real_redis.url, "prefix": prefix}))}
    client.delete(f"{prefix}:{{0}}:meta")
    client.close()
    assert found["redis state"].status == "error"
    assert "kafka.partitions to 8" in found["redis state"].fix


def test_every_primary_of_a_cluster_is_looked_at(real_cluster: RunningCluster) -> None:
    findings = diagnose_redis(Settings(redis={"url": real_cluster.url, "cluster": True}))
    assert [f for f in findings if f.status == "error"] == []
    assert len([f for f in findings if f.subject.endswith(" clock")]) == 3


@pytest.mark.parametrize(
    ("ahead_s", "uncertain_s", "status"),
    [(0.0, 0.0, "ok"), (2.0, 0.0, "ok"), (-2.0, 0.0, "ok"), (2.1, 0.0, "warning"), (-2.1, 0.0, "warning"), (2.5, 0.6, "ok")],
)
def test_clocks_may_differ_by_two_seconds_and_what_is_uncertain(ahead_s: float, uncertain_s: float, status: str) -> None:
    assert clock_finding("c", ahead_s, uncertain_s).status == status


@pytest.mark.parametrize(
    ("fitted_days_ago", "status", "words"),
    [(None, "warning", "not fitted on this business"), (180, "ok", "180 days old"), (181, "warning", "181 days old")],
)
def test_the_age_of_fitted_parameters_is_told(tmp_path: Path, fitted_days_ago: int | None, status: str, words: str) -> None:
    now_ms = 20_000 * DAY_MS
    fitted_at_ms = None if fitted_days_ago is None else now_ms - fitted_days_ago * DAY_MS
    file = tmp_path / "p.json"
    file.write_bytes(dumps(msgspec.structs.replace(SHIPPED, version="v1", fitted_at_ms=fitted_at_ms)))
    found = diagnosis.parameters_finding(Settings(risk={"parameters_file": str(file)}), now_ms)
    assert (found.status, words in found.what) == (status, True)


@pytest.mark.parametrize("content", [None, b"{"])
def test_parameters_that_cannot_be_read_are_an_error(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "p.json"
    if content is not None:
        file.write_bytes(content)
    assert diagnosis.parameters_finding(Settings(risk={"parameters_file": str(file)}), 0).status == "error"


def test_the_doctor_wants_the_faust_that_is_pinned() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert f"faust-streaming=={diagnosis.FAUST}" in project["dependencies"]


def test_another_faust_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "FAUST", "0.0.1")
    (found,) = diagnosis.versions()
    assert (found.status, found.fix) == ("error", "pip install faust-streaming==0.0.1")
