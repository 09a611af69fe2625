"""Administration of the brokers: make the topics, check them, say how far behind we are, read dead letters.

Every function connects, does its work and disconnects; every failure is an AdminError of one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]  # kafka-python ships no types

from streams.runtime.dead_letter_reader import DeadLetterPage, find_dead_letter, read_dead_letters
from streams.runtime.findings import Finding
from streams.runtime.kafka_client import AdminError, admin_client, kafka_client_options
from streams.runtime.lag import PartitionLag, lag
from streams.runtime.settings import Settings
from streams.runtime.topics import MODELS, TopicSpec

__all__ = [
    "AdminError",
    "DeadLetterPage",
    "PartitionLag",
    "check_topics",
    "create_topics",
    "find_dead_letter",
    "kafka_client_options",
    "lag",
    "read_dead_letters",
]

_CREATE = "run `churnwatch topics create`"
_EXISTS = 36  # Kafka's error code: somebody else was faster
_WHY_NOT_CREATED = {
    38: "kafka.replication is more than there are brokers: lower it or start more",
    29: "the user may not create topics: grant it, or have them created by someone who may",
    44: "the cluster's policy forbids it: ask whoever runs it",
}


def wanted_topics(settings: Settings) -> tuple[TopicSpec, ...]:
    """The topics that these settings ask for."""
    return settings.kafka.topics()


def create_topics(settings: Settings) -> list[str]:
    """Make the topics that are missing; returns their names. Those that exist are left as they are: see `check_topics`.

    Raises AdminError naming the first topic that could not be made.
    """
    specs = {spec.name: spec for spec in wanted_topics(settings)}
    with admin_client(settings) as admin:
        missing = [name for name in specs if name not in set(admin.list_topics())]
        if not missing:
            return []
        request = {
            name: {
                "num_partitions": specs[name].partitions,
                "replication_factor": settings.kafka.replication,
                "configs": specs[name].config,
            }
            for name in missing
        }
        answer = admin.create_topics(request, raise_errors=False)
        created = []
        for topic in answer["topics"]:
            if topic["error_code"] not in (0, _EXISTS):
                fix = _WHY_NOT_CREATED.get(topic["error_code"], "see the broker's log")
                raise AdminError(f"topic {topic['name']}: {topic['error_message'] or topic['error_code']}", fix)
            if topic["error_code"] == 0:
                created.append(topic["name"])
        admin.wait_for_topics(missing, timeout_ms=10_000)
        return sorted(created)


def active_members(settings: Settings, ending: str = "") -> int | None:
    """Members of the consumer group that are connected now; 0 when there is no such group; None where the broker does not tell.

    The embedded one does not. ending: of the group's name, after `kafka.group`; "" for the workers'.
    """
    group_id = settings.kafka.group + ending
    with admin_client(settings) as admin:
        try:
            described = admin.describe_groups([group_id])
        except ValueError:  # what kafka-python makes of the embedded broker's answer
            return None
    for group in described.values():
        if (problem := group.get("error")) and "GroupIdNotFound" not in problem:  # it is told, and not raised
            raise _refused_group(group_id, problem)
    return sum(len(group.get("members") or ()) for group in described.values())


def delete_group(settings: Settings) -> None:
    """Forget the group's offsets. Nothing happens when there is no such group. Raises AdminError where it still stands."""
    with admin_client(settings) as admin:
        if any(group["group_id"] == settings.kafka.group for group in admin.list_groups()):
            problems = admin.delete_groups([settings.kafka.group]).values()
            if problem := next((one for one in problems if one not in ("OK", "GroupIdNotFoundError")), None):
                raise _refused_group(settings.kafka.group, str(problem))


def _refused_group(group_id: str, problem: str) -> AdminError:
    fix = "grant it on the broker (docs/security.md lists the rights)" if "Authorization" in problem else "see the broker's log"
    return AdminError(f"group {group_id}: {problem}", fix)


def check_topics(settings: Settings) -> list[Finding]:
    """What is not as correctness needs it; empty when all is well. Settings a broker does not report are "unknown".

    Errors: a topic missing, another number of partitions, no leader, inputs compacted, models or marks not compacted. Warnings:
    retention on inputs, records not stamped by the broker.
    """
    specs = wanted_topics(settings)
    with admin_client(settings) as admin:
        # Asked for all and not by name: some brokers make a topic when a client asks for it.
        found = {topic["name"]: topic for topic in admin.describe_topics() if topic["error_code"] == 0}
        present = [spec for spec in specs if spec.name in found]
        configs = topic_configs(admin, [spec.name for spec in present])
    findings = [Finding(spec.name, "error", "does not exist", _CREATE) for spec in specs if spec.name not in found]
    findings += _unequal(settings, {spec.name: len(found[spec.name]["partitions"]) for spec in present if spec.partitions > 1})
    for spec in present:
        findings += _shape(spec, found[spec.name]["partitions"])
        findings += _history_kept(settings, spec, configs[spec.name])
    return findings + _unreported(present, configs)


def topic_configs(admin: Any, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Topic → setting → value, as far as the broker reports them."""
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answer = admin.describe_configs(asked, config_filter="all").get("topic", {})
    return {name: {key: entry["value"] for key, entry in answer.get(name, {}).items()} for name in names}


def _unequal(settings: Settings, counts: dict[str, int]) -> list[Finding]:
    """Inputs, clock and outputs share one number of partitions, or a customer's events meet in no one place."""
    if len(set(counts.values())) <= 1:
        return []
    shown = ", ".join(f"{name} {count}" for name, count in counts.items())
    fix = f"make all of them anew with {settings.kafka.partitions} partitions; adding partitions moves customers"
    return [Finding("partitions", "error", f"topics keyed by customer differ: {shown}", fix)]


def _shape(spec: TopicSpec, partitions: list[dict[str, Any]]) -> Iterator[Finding]:
    if len(partitions) != spec.partitions:
        fix = f"set kafka.partitions to {len(partitions)}" if spec.partitions > 1 else "make it anew with 1 partition"
        yield Finding(spec.name, "error", f"has {len(partitions)} partitions, settings say {spec.partitions}", fix)
    leaderless = [p["partition_index"] for p in partitions if p["leader_id"] < 0]
    if leaderless:
        yield Finding(spec.name, "error", f"no leader for partitions {leaderless}", "start the brokers that hold them")
    thin = [p["partition_index"] for p in partitions if len(p["isr_nodes"]) < len(p["replica_nodes"])]
    if thin:
        yield Finding(spec.name, "warning", f"replicas of partitions {thin} lag behind", "look at the brokers that hold them")


def _history_kept(settings: Settings, spec: TopicSpec, config: dict[str, str]) -> Iterator[Finding]:
    """What the broker would do to records, now or later."""
    policy = config.get("cleanup.policy", "")
    alter = f"set on {spec.name}:"
    if "compact" in spec.config.get("cleanup.policy", ""):
        if policy not in ("", "compact"):
            what = "models expire" if spec.name.endswith(MODELS) else "what was redriven would count twice after a rebuild"
            yield Finding(spec.name, "error", f"cleanup.policy is {policy}: {what}", f"{alter} cleanup.policy=compact")
        return
    if "compact" in policy:
        yield Finding(spec.name, "error", f"cleanup.policy is {policy}: older events of a customer vanish",
                      f"{alter} cleanup.policy=delete")  # fmt: skip
    is_input = spec.name in {settings.kafka.topic_prefix + name for name in settings.kafka.read}
    for key in ("retention.ms", "retention.bytes"):
        if is_input and config.get(key, "-1") != "-1":  # how long outputs are kept is the operator's choice
            # a warning even with time.clock: history, which a system keeps once it is live; replayed records are young
            yield Finding(spec.name, "warning", f"{key} is {config[key]}: history beyond that is deleted and cannot be rebuilt",
                          f"{alter} {key}=-1")  # fmt: skip
    stamp = config.get("message.timestamp.type")
    if "message.timestamp.type" in spec.config and stamp not in (None, "LogAppendTime"):
        by_host = "too far ahead is judged by this host's clock" if is_input else "workers go by their hosts' clocks unchecked"
        yield Finding(spec.name, "warning", f"message.timestamp.type is {stamp}: {by_host}",
                      f"{alter} message.timestamp.type=LogAppendTime")  # fmt: skip


def _unreported(present: list[TopicSpec], configs: dict[str, dict[str, str]]) -> list[Finding]:
    """A broker that does not even report the largest message reports at best what was set, and need not obey it."""
    silent = [spec.name for spec in present if "max.message.bytes" not in configs[spec.name]]
    if not silent:
        return []
    what = f"retention, compaction and time stamps of {len(silent)} topics cannot be checked on this broker"
    return [Finding("topic settings", "unknown", what, "nothing for a trial; run a business on Apache Kafka")]
