"""What each role may do on Kafka, and no more; and what our user lacks of it, asked of the broker.

READ, WRITE and DELETE bring DESCRIBE with them, ALTER_CONFIGS brings DESCRIBE_CONFIGS. docs/security.md shows the table; tests
run each role with exactly these rights. Rights on `cancellations` are of a system that has that topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from kafka.errors import GroupAuthorizationFailedError  # type: ignore[import-untyped] # kafka-python ships no types

from streams.runtime.kafka_client import AdminError, admin_client, retried
from streams.runtime.kafka_refused import KafkaRefused
from streams.runtime.settings import KafkaSettings, Settings
from streams.runtime.topics import (
    ALERTS,
    CANCELLATIONS,
    CLOCK,
    COMMANDS,
    DEAD_LETTER_MARKS,
    DEAD_LETTERS,
    ERASURES,
    EVENTS,
    JOURNAL,
    LABELS,
    MODELS,
    TRIGGERS,
    read_by_workers,
    topic_specs,
)

Operation = Literal["READ", "WRITE", "CREATE", "DELETE", "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"]

READ_BY_WORKERS = tuple(read_by_workers(cancellations=True))
SOURCES = (*EVENTS, CLOCK)
WRITTEN_BY_WORKERS = (ALERTS, TRIGGERS, JOURNAL, DEAD_LETTERS, ERASURES)
EVERY = tuple(spec.name for spec in topic_specs("", 1, cancellations=True))


class Rights(NamedTuple):
    """Operations on all of these resources.

    resource     topic or group
    names        of topics, without the prefix; of groups, what follows `kafka.group`, where "*" ends a prefix
    """

    resource: Literal["topic", "group"]
    names: tuple[str, ...]
    operations: tuple[Operation, ...]


ROLES: Mapping[str, tuple[Rights, ...]] = {
    "worker": (
        Rights("topic", (*READ_BY_WORKERS, MODELS, DEAD_LETTER_MARKS), ("READ",)),
        Rights("topic", WRITTEN_BY_WORKERS, ("WRITE",)),
        Rights("group", ("",), ("READ",)),
    ),
    "worker with channels, also": (Rights("topic", (ALERTS,), ("READ",)), Rights("group", ("-channel-*",), ("READ",))),
    "worker with learning.enabled, also": (Rights("topic", (LABELS,), ("WRITE",)),),
    "learner": (
        Rights("topic", (LABELS, MODELS), ("READ",)),
        Rights("topic", (MODELS, ALERTS), ("WRITE",)),
        Rights("group", ("-learner",), ("READ",)),
    ),
    "learner --challengers": (Rights("topic", (LABELS,), ("READ",)),),
    "source of events": (Rights("topic", SOURCES, ("WRITE",)),),
    "topics create": (Rights("topic", EVERY, ("CREATE", "DESCRIBE", "DESCRIBE_CONFIGS")),),
    "topics check": (Rights("topic", EVERY, ("DESCRIBE", "DESCRIBE_CONFIGS")),),
    "topics lag": (Rights("topic", READ_BY_WORKERS, ("READ",)), Rights("group", ("",), ("DESCRIBE",))),
    "doctor": (Rights("topic", EVERY, ("DESCRIBE", "DESCRIBE_CONFIGS")), Rights("topic", READ_BY_WORKERS, ("READ",))),
    "doctor with learning.enabled, also": (
        Rights("topic", (MODELS,), ("READ",)),
        Rights("group", ("-learner",), ("DESCRIBE",)),
    ),
    "replay": (Rights("topic", SOURCES, ("READ", "WRITE")),),
    "go-live": (
        Rights("topic", (CLOCK, ALERTS), ("READ", "WRITE")),
        Rights("topic", EVERY, ("DESCRIBE",)),
        Rights("topic", (*READ_BY_WORKERS, JOURNAL), ("ALTER_CONFIGS",)),
        Rights("group", ("",), ("DESCRIBE",)),
    ),
    "rebuild": (Rights("topic", (CLOCK,), ("READ",)), Rights("group", ("",), ("DELETE",))),
    "rebuild --forget-learnt, also": (
        Rights("topic", (LABELS,), ("DELETE",)),
        Rights("topic", (MODELS,), ("READ", "WRITE")),
        Rights("topic", (ALERTS,), ("WRITE",)),
        Rights("group", ("-learner",), ("DESCRIBE",)),
    ),
    "fit --publish": (Rights("topic", (MODELS,), ("WRITE",)),),
    "models list, show, compare": (Rights("topic", (MODELS,), ("READ",)),),
    "models rollback, freeze, thaw": (Rights("topic", (MODELS,), ("READ", "WRITE")),),
    "dead-letters": (Rights("topic", (DEAD_LETTERS, DEAD_LETTER_MARKS), ("READ",)),),
    "erase": (
        Rights("topic", (COMMANDS,), ("WRITE",)),
        Rights("topic", (ERASURES,), ("READ",)),
        Rights("topic", (*EVENTS, COMMANDS, ERASURES, DEAD_LETTERS, ALERTS, TRIGGERS, LABELS), ("DESCRIBE", "DESCRIBE_CONFIGS")),
        Rights("group", ("",), ("DESCRIBE",)),
    ),
}
"""Role or command → what it needs. Commands that are not named here do not talk to Kafka."""


class Right(NamedTuple):
    """One operation on one resource, by its full name."""

    resource: str
    name: str
    operation: Operation

    def __str__(self) -> str:
        return f"{self.operation} {self.resource} {self.name}"


def rights_of(role: str, kafka: KafkaSettings, channels: Iterable[str] = ("*",)) -> Iterator[Right]:
    """One by one, with full names; groups of channels by the channels' names."""
    for resource, names, operations in ROLES[role]:
        for name in names:
            if (resource, name) == ("topic", CANCELLATIONS) and not kafka.cancellations:
                continue
            ends = [name.replace("*", channel) for channel in channels] if "*" in name else [name]
            full = [kafka.topic_prefix + name] if resource == "topic" else [kafka.group + end for end in ends]
            yield from (Right(resource, one, operation) for one in full for operation in operations)


def wanted_by_worker(settings: Settings) -> list[Right]:
    """With these settings."""
    names = settings.channels.names()
    wanted = list(rights_of("worker", settings.kafka))
    if settings.learning.enabled:
        wanted += rights_of("worker with learning.enabled, also", settings.kafka)
    return wanted + (list(rights_of("worker with channels, also", settings.kafka, names)) if names else [])


def wanted_by_learner(settings: Settings) -> list[Right]:
    """With these settings."""
    return list(rights_of("learner", settings.kafka))


def wanted_by_challengers(settings: Settings) -> list[Right]:
    """With these settings."""
    return list(rights_of("learner --challengers", settings.kafka))


def missing_rights(settings: Settings, wanted: Iterable[Right]) -> list[Right]:
    """Those that the broker says our user has not; what it does not tell is taken for granted. Raises AdminError."""
    wanted = list(wanted)
    names = {kind: sorted({right.name for right in wanted if right.resource == kind}) for kind in ("topic", "group")}
    with admin_client(settings) as admin:
        allowed = {("topic", topic["name"]): _of_topic(topic) for topic in admin.describe_topics(names["topic"])}
        allowed |= {("group", name): _of_group(admin, name) for name in names["group"]}
    return [right for right in wanted if not _may(right, allowed.get((right.resource, right.name)))]


def _may(right: Right, allowed: frozenset[str] | None) -> bool:
    return allowed is None or right.operation in allowed


_DENIED_TOPIC = 29
_COORDINATOR_S = 5.0
"""So long a group may be without anybody to ask about it, as on a cluster that has never had one."""


def _of_topic(topic: Mapping[str, Any]) -> frozenset[str] | None:
    """Operations, None where they are not told: an older broker, or a topic that does not exist."""
    if topic["error_code"] == _DENIED_TOPIC:
        return frozenset()
    told = topic.get("authorized_operations")
    return frozenset(told) if told else None


def _of_group(admin: Any, name: str) -> frozenset[str] | None:
    try:
        found = retried(lambda: admin.describe_groups([name]), _COORDINATOR_S)[name]
    except GroupAuthorizationFailedError:
        return frozenset()
    if "GroupAuthorizationFailed" in (found["error"] or ""):
        return frozenset()
    told = found.get("authorized_operations")  # none for a group that does not exist yet
    return frozenset(told) if told else None


def check_rights(settings: Settings, wanted: Iterable[Right]) -> None:
    """Raise KafkaRefused, naming every right that is missing. A broker that cannot be asked is no reason to stop."""
    try:
        missing = missing_rights(settings, wanted)
    except (AdminError, ValueError):  # ValueError: what kafka-python makes of answers that it does not know
        return
    if missing:
        who = "this client" if settings.kafka.username is None else f"user {settings.kafka.username!r}"
        fix = "grant it on the broker; docs/security.md has the commands"
        raise KafkaRefused(f"{who} may not {', '.join(map(str, missing))}", fix)
