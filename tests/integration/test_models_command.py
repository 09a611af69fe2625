"""`churnwatch models` as an operator runs it, on a real broker."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import msgspec
import pytest
from click.testing import Result
from kafka import KafkaProducer
from typer.testing import CliRunner

from detectors.parameters import SHIPPED, dumps
from streams.cli.errors import CommandError
from streams.cli.models import models_app
from streams.model_control import decode_control
from streams.runtime.admin import create_topics
from streams.runtime.model_in_use import model_in_use, newest_by_key
from streams.runtime.settings import Settings, load_settings
from streams.serving import CHAMPION_PREFIX, CONTROL_KEY, SERVING_KEY, Serving, encode_serving, serving_of
from tests.support.brokers import RunningBroker
from tests.support.learners import a_learner
from tests.support.redis_servers import RunningRedis
from tests.support.workers import run_command


@pytest.fixture
def env(real_kafka: RunningBroker, prefix: str) -> dict[str, str]:
    found = {
        "CHURNWATCH_KAFKA__BOOTSTRAP": real_kafka.bootstrap,
        "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix,
        "CHURNWATCH_LEARNING__ENABLED": "true",
        "CHURNWATCH_LEARNING__SNAPSHOTS_PER_HORIZON": "2",
        "CHURNWATCH_RISK__HORIZON_DAYS": "4",
        "COLUMNS": "250",
    }
    create_topics(settings_of(found))
    return found


def settings_of(env: dict[str, str]) -> Settings:
    return load_settings(None, {name: value for name, value in env.items() if name.startswith("CHURNWATCH")})


def run(env: dict[str, str], *args: str) -> Result:
    return CliRunner().invoke(models_app, list(args), env=env)


def put(env: dict[str, str], key: bytes, value: Serving) -> None:
    put_bytes(env, key, encode_serving(value))


def put_bytes(env: dict[str, str], key: bytes, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=env["CHURNWATCH_KAFKA__BOOTSTRAP"], acks="all")
    producer.send(env["CHURNWATCH_KAFKA__TOPIC_PREFIX"] + "churn.models", value, key=key).get(10)
    producer.close()


@pytest.fixture
def shelf(env: dict[str, str]) -> list[Serving]:
    """Two champions and what serves, the newer one's."""
    found = []
    for days in (10, 12):
        learner = a_learner(days)
        found.append(serving_of(learner, None, learner.tick_ms))
        put(env, CHAMPION_PREFIX + found[-1].version.encode(), found[-1])
    put(env, SERVING_KEY, found[-1])
    return found


def test_before_anything_was_learnt_it_says_so(env: dict[str, str]) -> None:
    assert "workers score by the closed form" in run(env, "list").stdout
    assert json.loads(run(env, "list", "--json").stdout) == {"serving": None, "champions": [], "closed_forms": []}
    refused = run(env, "show")
    assert refused.exit_code == 1
    assert "the learner has sent no model yet" in refused.output
    assert isinstance(run(env, "freeze").exception, CommandError)


def test_models_are_listed_newest_first_and_shown_whole(env: dict[str, str], shelf: list[Serving]) -> None:
    told = json.loads(run(env, "list", "--json").stdout)
    assert told["serving"]["version"] == shelf[1].version
    assert [one["version"] for one in told["champions"]] == [shelf[1].version, shelf[0].version]
    table = run(env, "list").stdout
    assert f"{shelf[0].measured['champion']['log_loss']:.4f}" in table
    assert "serving: the champion scores" in table
    whole = json.loads(run(env, "show", shelf[0].version, "--json").stdout)
    assert shelf[0].linear is not None
    assert whole["linear"]["weights"] == shelf[0].linear.weights
    page = run(env, "show").stdout
    assert shelf[1].why in page
    heaviest = max(shelf[1].linear.weights.items(), key=lambda pair: abs(pair[1])) if shelf[1].linear else ("", 0.0)
    assert f"{heaviest[1]:+.4f}" in page
    assert model_in_use(settings_of(env)) == shelf[1].served_model(4)


def test_two_models_are_compared_by_measures_and_weights(env: dict[str, str], shelf: list[Serving]) -> None:
    told = json.loads(run(env, "compare", shelf[0].version, "--json").stdout)
    one, two = shelf[0].linear, shelf[1].linear
    assert one is not None
    assert two is not None
    assert told["weights"]["bias"] == pytest.approx(two.weights["bias"] - one.weights["bias"])
    shown = run(env, "compare", shelf[0].version, "serving").stdout
    for each in shelf:
        assert f"{each.measured['champion']['log_loss']:.4f}" in shown
    refused = run(env, "compare", "nothing")
    assert (refused.exit_code, "there is no model nothing" in refused.output) == (1, True)


def test_going_back_is_asked_for_and_waited_for(env: dict[str, str], shelf: list[Serving]) -> None:
    learner = a_learner(12)
    learner.roll_back(shelf[0].served_model(4), learner.tick_ms)
    answer = threading.Timer(1.0, put, (env, SERVING_KEY, serving_of(learner, None, 7)))
    answer.start()
    done = run(env, "rollback", shelf[0].version, "--by", "ann")
    answer.join()
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{shelf[0].version} serves (rolled back)\n"
    asked = decode_control(newest_by_key(settings_of(env))[CONTROL_KEY])
    assert (asked.action, asked.version, asked.by) == ("rollback", shelf[0].version, "ann")


OTHERS = {
    "another horizon": ({"CHURNWATCH_RISK__HORIZON_DAYS": "6"}, "horizon of 4 days, risk.horizon_days is 6"),
    "another staying": ({"CHURNWATCH_RISK__STAYING": "logins"}, "learnt who stays by purchases, risk.staying is logins"),
    "a file that is none": ({"CHURNWATCH_RISK__PARAMETERS_FILE": "/nowhere"}, "No such file"),
}


@pytest.mark.usefixtures("shelf")
def test_customer_says_in_one_line_why_it_cannot_score(env: dict[str, str], real_redis: RunningRedis, tmp_path: Path) -> None:
    """As workers would refuse the model."""
    env = env | {"CHURNWATCH_REDIS__URL": real_redis.url}
    (file := tmp_path / "pinned.json").write_bytes(dumps(msgspec.structs.replace(SHIPPED, version="pinned")))
    pinned = {"pinned": ({"CHURNWATCH_RISK__PARAMETERS_FILE": str(file)}, "risk.parameters_file is pinned here")}
    for name, (other, why) in (OTHERS | pinned).items():
        done = run_command(["customer", "c1"], env | other)
        assert (done.returncode, done.stdout) == (1, ""), (name, done.stderr)
        first, fix = done.stderr.splitlines()
        assert first.startswith("error: ")
        assert why in first, (name, first)
        assert fix.startswith("  fix: ")


def test_a_model_of_another_release_is_one_line(env: dict[str, str], real_redis: RunningRedis) -> None:
    put_bytes(env, SERVING_KEY, b"{}")
    done = run_command(["customer", "c1"], env | {"CHURNWATCH_REDIS__URL": real_redis.url})
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "not a message of churnwatch.serving/1" in done.stderr.splitlines()[0]


def test_to_a_model_of_other_settings_there_is_no_way_back(env: dict[str, str], shelf: list[Serving]) -> None:
    by_logins = env | {"CHURNWATCH_RISK__STAYING": "logins", "CHURNWATCH_LEARNING__ENABLED": "true"}
    refused = run(by_logins, "rollback", shelf[0].version).exception
    assert isinstance(refused, CommandError)
    why = "learnt who stays by purchases, risk.staying is logins"
    assert str(refused).startswith(f"model {shelf[0].version} cannot serve here: {why}")
    assert CONTROL_KEY not in newest_by_key(settings_of(env))


@pytest.mark.usefixtures("shelf")
def test_what_cannot_be_is_one_line(env: dict[str, str]) -> None:
    nowhere = run(env, "rollback", "nothing").exception
    assert isinstance(nowhere, CommandError)
    assert str(nowhere) == "there is no model nothing to go back to; see `churnwatch models list`"
    unheard = run(env, "freeze", "--wait", "0.1").exception
    assert isinstance(unheard, CommandError)
    assert "see that `churnwatch learner` runs" in str(unheard)
    assert run(env, "thaw", "--wait", "0").stdout == "asked\n"
