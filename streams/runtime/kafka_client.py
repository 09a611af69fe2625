"""How administration reaches the brokers: client options from the settings, errors in one line, exact end offsets."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka import (  # type: ignore[import-untyped]  # kafka-python ships no types
    KafkaAdminClient,
    KafkaConsumer,
    OffsetSpec,
    TopicPartition,
)
from kafka import errors as kafka_errors

from streams.runtime import checksums
from streams.runtime.settings import Settings

REQUEST_TIMEOUT_MS = 8_000
T = TypeVar("T")


class AdminError(Exception):
    """Administration that failed; one line: what happened and what to do. Never carries a password."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}; {fix}")
        self.what = what
        self.fix = fix


def kafka_client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for any kafka-python client. Holds the password: hand it on, do not print it."""
    checksums.give_to_kafka_python()
    kafka = settings.kafka
    options: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in kafka.bootstrap.split(",")],
        "client_id": "churnwatch-admin",
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "bootstrap_timeout_ms": REQUEST_TIMEOUT_MS,
        "security_protocol": kafka.security_protocol,
    }
    if kafka.ca_file is not None:
        options["ssl_cafile"] = kafka.ca_file
    if kafka.sasl_mechanism is not None:
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.username
        options["sasl_plain_password"] = None if kafka.password is None else kafka.password.get_secret_value()
    return options


@contextmanager
def admin_client(settings: Settings) -> Iterator[Any]:
    """A connected KafkaAdminClient; whatever goes wrong with it in the block comes out as AdminError."""
    with _told_in_one_line(settings):
        client = KafkaAdminClient(**kafka_client_options(settings))
        try:
            yield client
        finally:
            client.close()


@contextmanager
def reader(settings: Settings) -> Iterator[Any]:
    """A KafkaConsumer without a group: it can read, and moves nobody's offsets. Errors as `admin_client`."""
    with _told_in_one_line(settings):
        client = KafkaConsumer(
            **kafka_client_options(settings), group_id=None, enable_auto_commit=False, fetch_max_wait_ms=100,
            auto_offset_reset="earliest", allow_auto_create_topics=False,
        )  # fmt: skip
        try:
            yield client
        finally:
            client.close(autocommit=False)


@contextmanager
def _told_in_one_line(settings: Settings) -> Iterator[None]:
    log = logging.getLogger("kafka")
    level = log.level
    log.setLevel(logging.CRITICAL)  # it writes several lines for each failed connection; ours says it once
    where = f"kafka.bootstrap {settings.kafka.bootstrap}"
    try:
        yield
    except kafka_errors.KafkaError as error:
        raise _explained(where, settings, error) from None
    except OSError as error:
        raise AdminError(f"{where}: {error.strerror or error}", "see kafka.bootstrap, kafka.ca_file and the network") from None
    finally:
        log.setLevel(level)


def _explained(where: str, settings: Settings, error: Exception) -> AdminError:
    secured = settings.kafka.security_protocol != "PLAINTEXT"
    if isinstance(error, kafka_errors.AuthorizationError):
        return AdminError(f"{where}: user {settings.kafka.username!r} may not do that", "grant it on the broker (ACLs)")
    if isinstance(error, kafka_errors.SaslAuthenticationFailedError):
        return AdminError(f"{where}: the broker refused the login", "check kafka.username, kafka.password, kafka.sasl_mechanism")
    if isinstance(error, kafka_errors.KafkaTimeoutError | kafka_errors.KafkaConnectionError):
        more = ", kafka.security_protocol, login and certificate" if secured else ""
        fix = f"start the broker, or set CHURNWATCH_KAFKA__BOOTSTRAP; check the address{more}"
        return AdminError(f"{where}: no broker answered within {REQUEST_TIMEOUT_MS / 1000:g} s", fix)
    text = " ".join(str(error).split())[:300]
    return AdminError(f"{where}: {type(error).__name__}: {text}", "see the broker's log")


def retried(call: Callable[[], T], deadline_s: float = 15.0) -> T:
    """`call()`, again while the broker says "not yet": a group's coordinator is unknown until its topic has been made."""
    end_s = time.monotonic() + deadline_s
    while True:
        try:
            return call()
        except kafka_errors.KafkaError as error:
            if not error.retriable or time.monotonic() > end_s:
                raise
        time.sleep(0.2)


@dataclass(frozen=True, slots=True)
class Ends:
    """What a partition holds: records from `first` up to, not with, `end`; `exact` False when `end` may be too low."""

    first: int
    end: int
    exact: bool


def ends(admin: Any, client: Any, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Ends]:
    """First and end offset of each partition.

    admin    from `admin_client`
    client   from `reader`; its assignment is used up

    The embedded broker answers "latest" with the *first* record of the last batch + 1, but each of its fetches carries the
    right high watermark. So the end is taken from a fetch, on every broker alike.
    """
    wanted = sorted(set(partitions))
    first = {tp: found.offset for tp, found in admin.list_partition_offsets(dict.fromkeys(wanted, OffsetSpec.EARLIEST)).items()}
    named = {tp: found.offset for tp, found in admin.list_partition_offsets(dict.fromkeys(wanted, OffsetSpec.LATEST)).items()}
    marks = _high_watermarks(client, named)
    return {tp: Ends(first[tp], max(marks.get(tp, 0), named[tp]), tp in marks) for tp in wanted}


def _high_watermarks(client: Any, named: dict[TopicPartition, int], patience_s: float = 5.0) -> dict[TopicPartition, int]:
    """The high watermark of each partition that a fetch came for in time."""
    client.assign(list(named))
    for tp, end in named.items():
        client.seek(tp, max(end - 1, 0))
    found: dict[TopicPartition, int] = {}
    end_s = time.monotonic() + patience_s
    while len(found) < len(named) and time.monotonic() < end_s:
        client.poll(timeout_ms=200)
        marks = {tp: client.highwater(tp) for tp in named}
        found = {tp: mark for tp, mark in marks.items() if mark is not None}
    return found
