"""Secrets are planted in every setting that holds one; then everything that is written anywhere is searched for them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from streams.cli.main import main
from streams.runtime.redis_rights import ROLES
from streams.runtime.settings import load_settings, secret_fields
from streams.runtime.topics import topic_specs
from tests.support.certificates import Authority
from tests.support.churning import Churning
from tests.support.planted import Planted
from tests.support.receiver import Receiver
from tests.support.secured_kafka import PASSWORD as KAFKA_PASSWORD
from tests.support.secured_kafka import SecuredKafka
from tests.support.secured_redis import PASSWORD as REDIS_PASSWORD
from tests.support.secured_redis import SecuredRedis
from tests.support.secured_worker import ROLE, granted, make_alert, secured, send_all_kinds
from tests.support.workers import Fleet

KEY_PASSWORD = "Ky6-opens/it+%2F"
PAGER, TOKEN, HEADER, CHAT = "Am7-pass/w+d%40", "Tk8-in-the-path-4711", "Hd9-in-the-query-42", "Ap3-pass/w@d"
NOWHERE = "localhost:1"
ERASES = next(role for role in ROLES if "erasure.key" in role)
SENTINEL = "CHURNWATCH_REDIS__SENTINEL_PASSWORD"


@pytest.fixture
def planted(secured_store: SecuredRedis, hook: Receiver) -> Planted:
    """In every secret setting: those that must fit servers by hand, all others by themselves."""
    pager = f"http://ops:{quote(PAGER, safe='')}@127.0.0.1:{hook.port}/am"
    chat = f"json://me:{quote(CHAT, safe='')}@127.0.0.1:{hook.port}/{TOKEN}?-X-Token={HEADER}"
    given = {
        "CHURNWATCH_KAFKA__PASSWORD": KAFKA_PASSWORD,
        "CHURNWATCH_KAFKA__KEY_PASSWORD": KEY_PASSWORD,
        "CHURNWATCH_REDIS__URL": secured_store.tls_url("worker"),
        "CHURNWATCH_CHANNELS__ALERTMANAGER": pager,
        "CHURNWATCH_CHANNELS__APPRISE": json.dumps({"chat": chat}),
    }
    known = {"kafka": KAFKA_PASSWORD, "key": KEY_PASSWORD, "redis": REDIS_PASSWORD, "pager": PAGER}
    return Planted(given, known | {"token": TOKEN, "header": HEADER, "chat": CHAT})


@pytest.fixture
def environment(
    planted: Planted,
    secured_broker: SecuredKafka,
    secured_store: SecuredRedis,
    ours: Authority,
    hook: Receiver,
    tmp_path: Path,
    prefix: str,
) -> dict[str, str]:
    """Of a worker that may do everything it wants, and says as much as it can."""
    site = Churning(secured_broker, secured_store, prefix)
    mine = ours.issue("worker")
    files = {
        "CHURNWATCH_KAFKA__CERT_FILE": str(mine.cert),
        "CHURNWATCH_KAFKA__KEY_FILE": str(mine.encrypted_key(KEY_PASSWORD)),
        "CHURNWATCH_LOG__LEVEL": "debug",
    }
    made = secured(site, secured_broker, secured_store, ours, hook, tmp_path) | planted.environment | files
    del made[SENTINEL]  # goes with sentinels only
    settings = load_settings(None, made)
    granted(secured_broker, settings)
    secured_store.let("worker", settings.redis.prefix, *ROLE, ERASES, "customer", "doctor")
    return made


def test_the_search_finds_what_is_planted(planted: Planted) -> None:
    assert planted.found_in(json.dumps(planted.environment)) == sorted(planted.values)
    assert len(planted.environment) == len(secret_fields())


def test_a_worker_writes_no_secret_whether_its_servers_are_well_or_not(
    planted: Planted, environment: dict[str, str], secured_broker: SecuredKafka, secured_store: SecuredRedis, prefix: str,
    hook: Receiver, tmp_path: Path,
) -> None:  # fmt: skip
    written: dict[str, str | bytes] = {}
    site = Churning(secured_broker, secured_store, prefix)
    with Fleet(environment, tmp_path) as fleet:
        well = fleet.start()
        fleet.until(well.ready, "it is ready")
        hook.status = 500  # channels say why they do not deliver
        send_all_kinds(site)
        fleet.until(lambda: well.applied() >= 13, "it has applied them")
        make_alert(site)
        fleet.until(lambda: well.metric("churnwatch_channel_failures_total") >= 4, "channels fail")
        hook.status = 200
        fleet.until(lambda: len(hook.taken()) >= 2, "both channels deliver")
        written |= {page: well.get(page)[1] for page in ("/metrics", "/healthz", "/readyz", "/")}
        ill = {
            "login": {"CHURNWATCH_KAFKA__USERNAME": "nobody"},
            "redis login": {"CHURNWATCH_REDIS__URL": environment["CHURNWATCH_REDIS__URL"].replace("worker", "nobody")},
            "no redis": {"CHURNWATCH_REDIS__URL": environment["CHURNWATCH_REDIS__URL"].rpartition(":")[0] + ":1/0"},
            "no kafka": {"CHURNWATCH_KAFKA__BOOTSTRAP": NOWHERE},
            "no sentinels": {"CHURNWATCH_REDIS__SENTINELS": NOWHERE, SENTINEL: planted.environment[SENTINEL]},
        }
        failing = {name: fleet.start(**change) for name, change in ill.items()}
        for worker in failing.values():
            worker.may_end = True
        for name in ("login", "redis login"):
            fleet.until(lambda: failing[name].exit_code() == 1, f"{name} is refused")  # noqa: B023 - asked at once
            (line,) = failing[name].plain_lines()
            assert "login" in line, "one line, which says why"
            assert "check " in line, "and what to do"
        for name in ("no redis", "no kafka", "no sentinels"):
            fleet.until(lambda: failing[name].said("trying again"), f"{name} is waited for")  # noqa: B023 - as above
            written[f"{name}, readiness"] = failing[name].get("/readyz")[1]
        fleet.stop()
        written |= {worker.name: worker.log.read_bytes() for worker in fleet.workers}
    written |= _all_records(site) | _all_keys(secured_store)
    assert min(len(text) for name, text in written.items() if name.startswith("worker-")) > 100
    assert {name: found for name, text in written.items() if (found := planted.found_in(text))} == {}


def _all_records(site: Churning) -> dict[str, bytes]:
    """Every record of every topic."""
    counts = {spec.name: spec.partitions for spec in topic_specs("", site.partitions, cancellations=False)}
    records = {topic: site.records(topic, count) for topic, count in counts.items()}
    assert records["churn.alerts"]
    return {topic: b"\n".join(part or b"" for one in found for part in (one.key, one.value)) for topic, found in records.items()}


def _all_keys(server: SecuredRedis) -> dict[str, bytes]:
    """Every key of Redis with all that is in it."""
    with server.client() as client:
        return {f"key {key!r}": key + (client.dump(key) or b"") for key in client.scan_iter()}


COMMANDS = ("doctor", "topics check", "topics lag", "channels test", "customer erna", "settings", "settings --json")


@pytest.fixture
def _as_before() -> Iterator[None]:
    """Commands that run in this process leave its hooks behind."""
    hooks = sys.excepthook, sys.unraisablehook
    yield
    sys.excepthook, sys.unraisablehook = hooks


@pytest.mark.usefixtures("_as_before")
def test_commands_write_no_secret_whether_servers_are_well_or_not(
    planted: Planted,
    environment: dict[str, str],
    hook: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("streams.runtime.kafka_client.REQUEST_TIMEOUT_MS", 500)
    nowhere = planted.environment["CHURNWATCH_REDIS__URL"].rpartition(":")[0] + ":1/0"
    wells = {
        "well": {},
        "away": {"CHURNWATCH_KAFKA__BOOTSTRAP": NOWHERE, "CHURNWATCH_REDIS__URL": nowhere, "CHURNWATCH_REDIS__TIMEOUT_S": "2"},
        "refused": {
            "CHURNWATCH_KAFKA__USERNAME": "nobody",
            "CHURNWATCH_REDIS__URL": planted.environment["CHURNWATCH_REDIS__URL"].replace("worker", "nobody"),
        },
        "no sentinels": {"CHURNWATCH_REDIS__SENTINELS": NOWHERE, SENTINEL: planted.environment[SENTINEL]},  # the last: they stay
    }
    written = {}
    for state, change in wells.items():
        hook.status = 200 if state == "well" else 401
        for variable, value in (environment | change).items():
            monkeypatch.setenv(variable, value)
        for command in COMMANDS:
            with pytest.raises(SystemExit):
                main(command.split())
            told = capfd.readouterr()
            written[f"{command}, {state}"] = told.out + told.err
    assert min(map(len, written.values())) > 10
    assert {name: found for name, text in written.items() if (found := planted.found_in(text))} == {}


@pytest.mark.usefixtures("_as_before")
def test_settings_with_mistakes_are_told_without_secrets(
    planted: Planted, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in planted.environment if name.startswith("CHURNWATCH_")]:
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "wrong.yaml"
    for variable, value in planted.environment.items():
        _, section, field = variable.lower().replace("__", "_", 1).split("_", 2)
        text = json.dumps(value)
        for mistake in (
            f"{section}:\n  {field}: [{text}]\n",
            f"{section}:\n  {field}x: {text}\n",
            f"{section}:\n  {field}: {text}\n  {field}: {text}\n",
            f"{section}:\n  {field}: {text}\n nonsense: : :\n",
            f"{section}: {text}\n",
            f"{section}:\n  {text}: 1\n",
            f"{field}: {text}\n",
            f"{text}\n",
            f"{section}:\n  {field}: {text[:-1]}\n",
            f"{section}:\n  {field}: 'nope://{value}\n",
        ):
            file.write_text(mistake)
            with pytest.raises(SystemExit):
                main(["settings", "--config", str(file)])
            told = capfd.readouterr()
            assert planted.found_in(told.out + told.err) == [], mistake
