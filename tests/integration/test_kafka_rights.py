"""Each command does its work on Kafka with the rights that the table gives it, and not with one kind of them less."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.structs import OffsetAndMetadata

from alerts.alert import Digest
from streams.backtest.history import read_histories
from streams.backtest.mapping import find_source
from streams.backtest.replaying import ReplayError, ReplayOptions, replay_history
from streams.cli.errors import CommandError
from streams.cli.fit import _publish
from streams.commands import Erase, EraseCommand
from streams.erasure import Removed, notice, what_remains
from streams.runtime import admin, erase_requests
from streams.runtime.backoff import Backoff
from streams.runtime.catch_up import find_digest, publish
from streams.runtime.diagnosis import _kafka
from streams.runtime.entrance import check_labels
from streams.runtime.findings import Finding
from streams.runtime.follower import Follower
from streams.runtime.forgetting import forget_labels_and_models, tell_ends
from streams.runtime.kafka_client import AdminError, admin_client
from streams.runtime.kafka_refused import KafkaRefused
from streams.runtime.kafka_rights import ROLES, Right, missing_rights, rights_of
from streams.runtime.learner_diagnosis import diagnose_learner
from streams.runtime.learner_papers import Papers
from streams.runtime.model_shelf import ask, read_shelf
from streams.runtime.settings import Settings
from streams.runtime.settings_learning import LearningSettings
from streams.runtime.standing import Standing
from streams.runtime.switching import clock_ends, history_stands, let_broker_stamp, unfolded, write_switches
from streams.runtime.topics import LABELS
from tests.support.eventually import eventually
from tests.support.secured_kafka import SecuredKafka

USER = "command"
_YEARS = itertools.count(1997)
HISTORY = """type,customer_id,occurred_at,amount,currency
purchase,anna,1997-01-02T00:00:00Z,10,USD
complaint,anna,1997-01-03T00:00:00Z,,
login,bert,1997-01-03T00:00:00Z,,
"""


def _good(findings: list[Finding]) -> None:
    """Raise AdminError unless all is well, as far as these tests can make it so."""
    for found in findings:
        if found.status != "ok":
            raise AdminError(f"{found.subject}: {found.what}", found.fix)


def _create(settings: Settings, _: Path) -> None:
    admin.create_topics(settings)
    _good(admin.check_topics(settings))


def _replay(settings: Settings, folder: Path) -> None:
    file = folder / "history.csv"
    file.write_text(HISTORY.replace("1997", str(next(_YEARS))))  # later each time, so that something is written
    replay_history(read_histories([find_source(str(file), None, "")]), settings, ReplayOptions())


def _doctor(settings: Settings, _: Path) -> None:
    _good([found for found in _kafka(settings) if found.subject != "broker clock"])
    if not any(found.status == "ok" for found in _kafka(settings) if found.subject == "broker clock"):
        raise AdminError("the newest stamp", "could not be read")


def _doctor_of_learning(settings: Settings, _: Path) -> None:
    learns = settings.model_copy(update={"learning": LearningSettings(enabled=True)})
    for found in diagnose_learner(learns):
        if found.status == "error":
            raise AdminError(found.what, found.fix)


def _go_live(settings: Settings, _: Path) -> None:
    standing: Any = Standing(0, {}, 0, None, None, "", None, {})  # type: ignore[arg-type]  # its past is not asked for here
    admin.active_members(settings)
    unfolded(settings, [standing], clock_ends(settings))
    if let_broker_stamp(settings) == []:
        raise AdminError("nothing to stamp was seen", "")
    now_ms = time.time_ns() // 1_000_000
    write_switches(settings, [standing], now_ms)
    find_digest(settings, now_ms)
    publish(settings, Digest(digest_id="d", kind="catch_up", since="", until="", alerts=0, by_tier={}, top=[]))


def _rebuild(settings: Settings, _: Path) -> None:
    admin.active_members(settings)
    if not history_stands(settings):
        raise AdminError("the ticks", "were not seen")
    admin.delete_group(settings)


def _forget_learnt(settings: Settings, _: Path) -> None:
    admin.active_members(settings, "-learner")
    forget_labels_and_models(settings)
    tell_ends(settings, Papers(demoted_ms=1))


def _erase(settings: Settings, _: Path) -> None:
    now_ms = time.time_ns() // 1_000_000
    order = EraseCommand(command_id="c1", customer_id="nobody", asked_at=now_ms)
    with pytest.raises(AdminError) as told:
        erase_requests.erase_all(settings, [order], lambda _found: None, alone_s=0.2)
    if "no worker has run" not in str(told.value):
        raise told.value
    done = Erase("c1", "nobody", now_ms, 0)
    remains = what_remains(settings.kafka.topic_prefix, settings.kafka.inputs, [])
    with admin_client(settings) as client:
        found = erase_requests._told_remains(
            client, {"c1": notice(done, 0, 0, Removed(record=False, triggers=0, messages=0), remains)}
        )
    if any("the topic's retention" in one.until for one in found if one.where.startswith(settings.kafka.topic_prefix)):
        raise AdminError("retention", "could not be read")


def _challengers(settings: Settings, _: Path) -> None:
    async def read() -> None:
        await check_labels(settings, Backoff())
        failed: list[BaseException] = []
        topic = settings.kafka.topic_prefix + LABELS
        follower = Follower(settings.kafka, topic, Backoff(), failed.append, lambda _record: None, "labels")
        await follower.start()
        await follower.ping()
        await follower.stop()
        for problem in failed:
            raise problem

    asyncio.run(read())


WORK: dict[str, Callable[[Settings, Path], Any]] = {
    "topics create": _create,
    "topics check": lambda settings, _: _good(admin.check_topics(settings)),
    "topics lag": lambda settings, _: admin.lag(settings),
    "doctor": _doctor,
    "doctor with learning.enabled, also": _doctor_of_learning,
    "replay": _replay,
    "go-live": _go_live,
    "rebuild": _rebuild,
    "rebuild --forget-learnt, also": _forget_learnt,
    "fit --publish": lambda settings, _: _publish(settings, b"{}"),
    "models list, show, compare": lambda settings, _: read_shelf(settings),
    "models rollback, freeze, thaw": lambda settings, _: (read_shelf(settings), ask(settings, "thaw", "", "a test")),
    "dead-letters": lambda settings, _: admin.read_dead_letters(settings, limit=1),
    "erase": _erase,
    "learner --challengers": _challengers,
}
"""Role → what its command does on Kafka."""


def test_the_table_has_a_test_for_every_command() -> None:
    processes = {role for role in ROLES if role.startswith(("worker", "learner"))}
    assert WORK.keys() | processes | {"source of events"} == ROLES.keys()


@pytest.fixture(scope="module")
def loaded(secured_broker: SecuredKafka, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Prefix of topics as they must be, with a history, for all commands that leave them so."""
    return _loaded(secured_broker, f"t{secrets.token_hex(4)}.", tmp_path_factory.mktemp("loaded"))


def _loaded(broker: SecuredKafka, prefix: str, folder: Path) -> str:
    admin.create_topics(broker.open_settings(prefix))
    _replay(broker.open_settings(prefix), folder)
    return prefix


@pytest.fixture
def site(role: str, secured_broker: SecuredKafka, loaded: str, prefix: str, tmp_path: Path) -> Iterator[Settings]:
    """Of a user that has no right yet, and has none afterwards."""
    if role == "go-live":
        _loaded(secured_broker, prefix, tmp_path)
    settings = secured_broker.settings(prefix if role in ("topics create", "go-live") else loaded, user=USER)
    yield settings
    secured_broker.withdraw(USER, rights_of(role, settings.kafka))


@pytest.mark.parametrize("role", WORK)
def test_a_command_works_with_its_rights_and_not_with_one_kind_less(
    role: str, site: Settings, secured_broker: SecuredKafka, tmp_path: Path
) -> None:
    wanted = list(rights_of(role, site.kafka))
    kinds = {(right.resource, right.operation) for right in wanted}
    if role == "topics create":
        kinds -= {("topic", "DESCRIBE")}  # it waits ten seconds for topics that it has made and may not see
    for kind in sorted(kinds):
        less = [right for right in wanted if (right.resource, right.operation) != kind]
        secured_broker.grant(USER, less)
        _prepare(role, secured_broker, site)
        told = eventually(lambda: _refusal(role, site, tmp_path) or kind, lambda told: told != kind, deadline_s=2.0)  # noqa: B023
        assert "\n" not in told
        secured_broker.withdraw(USER, less)
    secured_broker.grant(USER, wanted)
    if role != "topics create":  # of topics that are not there yet nothing is told
        eventually(lambda: not missing_rights(site, wanted))
    _prepare(role, secured_broker, site)
    WORK[role](site, tmp_path)


def _refusal(role: str, site: Settings, folder: Path) -> str | None:
    """What it says instead of doing its work; None when it does it, which rights that are just being withdrawn let it do."""
    try:
        WORK[role](site, folder)
    except (AdminError, ReplayError, CommandError, KafkaRefused) as refused:
        return str(refused)
    return None


def _prepare(role: str, broker: SecuredKafka, site: Settings) -> None:
    """Something for the command to do."""
    if role == "go-live":
        ours = broker.open_settings(site.kafka.topic_prefix)
        kind, name = ConfigResourceType.TOPIC, f"{site.kafka.topic_prefix}purchases"
        with admin_client(ours) as client:
            client.alter_configs([ConfigResource(kind, name, configs={"message.timestamp.type": "CreateTime"})])
    if role == "rebuild --forget-learnt, also":
        ask(broker.open_settings(site.kafka.topic_prefix), "thaw", "", "a test")
    if role == "rebuild":
        tp = TopicPartition(f"{site.kafka.topic_prefix}purchases", 0)
        options = {"bootstrap_servers": broker.bootstrap, "group_id": site.kafka.group, "enable_auto_commit": False}
        consumer = KafkaConsumer(**options)
        consumer.assign([tp])
        consumer.commit({tp: OffsetAndMetadata(1, "", -1)})
        consumer.close(autocommit=False)


def test_names_of_rights_carry_the_prefix_and_the_group() -> None:
    kafka = Settings(kafka={"topic_prefix": "eu.", "group": "shop"}).kafka
    channels = list(rights_of("worker with channels, also", kafka, ["mail"]))
    assert channels == [Right("topic", "eu.churn.alerts", "READ"), Right("group", "shop-channel-mail", "READ")]
    assert Right("group", "shop", "READ") in rights_of("worker", kafka)
