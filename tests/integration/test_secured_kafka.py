"""Kafka behind TLS, logins and rights: every client gets in with what it needs, and what is refused is told in one line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from faust.types import TP
from kafka import TopicPartition

from streams.runtime.admin import create_topics
from streams.runtime.backoff import Backoff, Retrying
from streams.runtime.kafka_client import AdminError, admin_client, ends, reader
from streams.runtime.kafka_refused import KafkaRefused
from streams.runtime.kafka_rights import Right, missing_rights, wanted_by_worker
from streams.runtime.log_range import log_ranges
from streams.runtime.sender import Sender
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.secured_kafka import SecuredKafka

KEY_PASSWORD = "opens-the-key"

Change = Callable[[SecuredKafka, Authority, Authority], dict[str, Any]]


def mutual(broker: SecuredKafka, **files: Any) -> dict[str, Any]:
    login = dict.fromkeys(("sasl_mechanism", "username", "password"))
    return {"bootstrap": broker.mutual, "security_protocol": "SSL", **login, **{name: str(path) for name, path in files.items()}}


def _by_certificate(broker: SecuredKafka, ours: Authority, _: Authority) -> dict[str, Any]:
    return mutual(broker, cert_file=ours.issue("worker").both)


def _by_encrypted_key(broker: SecuredKafka, ours: Authority, _: Authority) -> dict[str, Any]:
    mine = ours.issue("worker")
    return mutual(broker, cert_file=mine.cert, key_file=mine.encrypted_key(KEY_PASSWORD), key_password=KEY_PASSWORD)


LOGINS: dict[str, Change] = {
    "scram-512": lambda *_: {},
    "scram-256": lambda *_: {"sasl_mechanism": "SCRAM-SHA-256"},
    "plain": lambda *_: {"sasl_mechanism": "PLAIN"},
    "certificate": _by_certificate,
    "encrypted key": _by_encrypted_key,
}


@pytest.mark.parametrize("login", LOGINS)
async def test_every_client_gets_in(
    login: str, secured_broker: SecuredKafka, ours: Authority, strangers: Authority, prefix: str
) -> None:
    settings = secured_broker.settings(prefix, **LOGINS[login](secured_broker, ours, strangers))
    create_topics(secured_broker.open_settings(prefix))
    topic = f"{prefix}churn.alerts"
    secured_broker.grant("worker", [Right("topic", topic, "WRITE"), Right("topic", topic, "READ")])
    await asyncio.to_thread(eventually, lambda: not missing_rights(settings, [Right("topic", topic, "READ")]))
    sender = Sender(settings.kafka, Backoff())
    await sender.start()
    await sender.send(topic, b"k", b"v")
    await sender.stop()
    tp = TP(topic, 0)
    assert (await log_ranges(settings.kafka, {tp: 1}))[tp].end == 1

    def read_back() -> int:
        with admin_client(settings) as admin, reader(settings) as client:
            return next(iter(ends(admin, client, [TopicPartition(*tp)]).values())).end

    assert await asyncio.to_thread(read_back) == 1


REFUSED: dict[str, tuple[Change, str, str]] = {
    "wrong password": (lambda *_: {"password": "wr0ng-secret"}, "refused the login", "check kafka.username, kafka.password"),
    "wrong password, plain": (
        lambda *_: {"password": "wr0ng-secret", "sasl_mechanism": "PLAIN"}, "refused the login", "kafka.password"
    ),
    "no such user": (lambda *_: {"username": "nobody"}, "refused the login", "check kafka.username"),
    "another authority": (
        lambda _broker, _ours, strangers: {"ca_file": str(strangers.ca)}, "certificate is not accepted", "set kafka.ca_file"
    ),
    "another host name": (
        lambda broker, *_: {"bootstrap": broker.scram.replace("localhost", "127.0.0.1")},
        "certificate is not accepted (IP address mismatch",
        "connect under a name that the certificate has",
    ),
    "no certificate": (lambda broker, *_: mutual(broker), "refuses the handshake", "set kafka.cert_file"),
    "a stranger's certificate": (
        lambda broker, _, strangers: mutual(broker, cert_file=strangers.issue("worker").both),
        "refuses the handshake",
        "set kafka.cert_file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_what_the_broker_refuses_is_one_line_with_the_remedy_and_is_not_tried_again(
    case: str, secured_broker: SecuredKafka, ours: Authority, strangers: Authority, prefix: str
) -> None:
    change, what, fix = REFUSED[case]
    settings = secured_broker.settings(prefix, **change(secured_broker, ours, strangers))
    retries: list[Retrying] = []
    with pytest.raises(KafkaRefused) as by_sender:
        await Sender(settings.kafka, Backoff(on_retry=retries.append)).start()
    assert retries == []

    def administer() -> None:
        with admin_client(settings) as admin:
            admin.list_topics()

    with pytest.raises(AdminError) as by_admin:
        await asyncio.to_thread(administer)
    for told in (str(by_sender.value), str(by_admin.value)):
        assert what in told
        assert fix in told
        assert "\n" not in told
        assert "wr0ng-secret" not in told


async def test_a_broker_that_is_away_is_waited_for(secured_broker: SecuredKafka, prefix: str) -> None:
    settings = secured_broker.settings(prefix, bootstrap="localhost:1")
    waited, retries = asyncio.Event(), list[Retrying]()

    def on_retry(retry: Retrying) -> None:
        retries.append(retry)
        if len(retries) > 2:
            waited.set()

    starting = asyncio.create_task(Sender(settings.kafka, Backoff(on_retry=on_retry)).start())
    await waited.wait()
    assert not starting.done()
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)


def test_every_right_that_a_worker_lacks_is_named_and_nothing_else(secured_broker: SecuredKafka, prefix: str) -> None:
    settings = secured_broker.settings(prefix)
    create_topics(secured_broker.open_settings(prefix))
    wanted = wanted_by_worker(settings)
    # a right on a group cannot be asked about before there is the group, unless there is none at all
    eventually(lambda: missing_rights(settings, wanted) == wanted)
    secured_broker.grant("worker", wanted)
    eventually(lambda: not missing_rights(settings, wanted))
    for right in wanted:
        secured_broker.withdraw("worker", [right])
        eventually(lambda right=right: missing_rights(settings, wanted) == [right])
        secured_broker.grant("worker", [right])
        eventually(lambda: not missing_rights(settings, wanted))
