"""Everything a system needs, looked at from this host: packages, broker, topics, clocks, the learner, Redis, parameters."""

from __future__ import annotations

import sys
import time
from importlib import metadata
from pathlib import Path

from kafka import TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from detectors.parameters import loads
from streams.runtime.admin import check_topics
from streams.runtime.findings import Finding
from streams.runtime.kafka_client import AdminError, admin_client, ends, reader
from streams.runtime.learner_diagnosis import diagnose_learner
from streams.runtime.redis_diagnosis import CLOCKS_MAY_DIFFER_S, diagnose_redis
from streams.runtime.settings import Settings

FAUST = "0.15.3"
"""The worker overrides private methods of exactly this version."""
_SHOWN = ("aiokafka", "kafka-python", "redis", "river", "numpy")
_LOG_APPEND_TIME = 1


def diagnose(settings: Settings) -> list[Finding]:
    """All findings, good ones too, in the order in which to mend things. Problems are findings, never exceptions."""
    findings = [*versions(), *_kafka(settings), *diagnose_redis(settings)]
    return [*findings, parameters_finding(settings, time.time_ns() // 1_000_000)]


def versions() -> list[Finding]:
    """Python and the packages, faust-streaming above all: the worker rests on one version's inner workings."""
    python = ".".join(map(str, sys.version_info[:3]))
    installed = {name: _installed(name) for name in ("faust-streaming", *_SHOWN)}
    gone = [name for name, version in installed.items() if version is None]
    if gone:
        return [Finding("packages", "error", f"not installed: {', '.join(gone)}", "pip install churnwatch")]
    shown = ", ".join(f"{name} {version}" for name, version in installed.items())
    if installed["faust-streaming"] != FAUST:
        fix = f"pip install faust-streaming=={FAUST}"
        return [Finding("packages", "error", f"faust-streaming is {installed['faust-streaming']}, not {FAUST}", fix)]
    return [Finding("packages", "ok", f"Python {python}, {shown}")]


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _kafka(settings: Settings) -> list[Finding]:
    try:
        with admin_client(settings) as admin:
            brokers = len(admin.describe_cluster()["brokers"])
        findings = [_brokers(settings, brokers)]
        topics = check_topics(settings)
        findings += topics or [Finding("topics", "ok", "all there, partitions equal, settings as needed")]
        return [*findings, _append_clock(settings), *diagnose_learner(settings)]
    except AdminError as error:
        return [Finding("broker", "error", error.what, error.fix)]


def _brokers(settings: Settings, brokers: int) -> Finding:
    if brokers < settings.kafka.replication:
        what = f"{brokers} brokers answer, kafka.replication is {settings.kafka.replication}"
        return Finding("broker", "warning", what, "start the others or lower kafka.replication")
    return Finding("broker", "ok", f"{brokers} {'broker answers' if brokers == 1 else 'brokers answer'}")


def _append_clock(settings: Settings) -> Finding:
    """The broker's clock, seen through the newest record it stamped itself: that stamp can only lie in the past.

    So a broker ahead of us is found, one behind us is not.
    """
    newest_ms = _newest_stamp_ms(settings)
    if newest_ms is None:
        return Finding("broker clock", "unknown", "no record stamped by the broker yet", "")
    ahead_s = newest_ms / 1000 - time.time()
    if ahead_s > CLOCKS_MAY_DIFFER_S:
        what = f"at least {ahead_s:.1f} s ahead of this host, by its newest stamp"
        return Finding("broker clock", "warning", what, "run NTP on both")
    return Finding("broker clock", "ok", "not ahead of this host, by its newest stamp")


def _newest_stamp_ms(settings: Settings) -> int | None:
    names = {settings.kafka.topic_prefix + name for name in settings.kafka.read}
    stamps: list[int] = []
    with admin_client(settings) as admin, reader(settings) as client:
        topics = [topic for topic in admin.describe_topics() if topic["name"] in names]
        partitions = [TopicPartition(topic["name"], p["partition_index"]) for topic in topics for p in topic["partitions"]]
        filled = {tp: held for tp, held in ends(admin, client, partitions).items() if held.end > held.first}
        client.assign(list(filled))
        for tp, held in filled.items():
            client.seek(tp, held.end - 1)
        waiting, end_s = set(filled), time.monotonic() + 3.0
        while waiting and time.monotonic() < end_s:
            for tp, records in client.poll(timeout_ms=200).items():
                waiting.discard(tp)
                stamps += [record.timestamp for record in records if record.timestamp_type == _LOG_APPEND_TIME]
    return max(stamps, default=None)


def parameters_finding(settings: Settings, now_ms: int, old_days: int = 180) -> Finding:
    """Is the risk's parameter snapshot ours, readable and not stale?"""
    path = settings.risk.parameters_file
    if path is None:
        fix = "run `churnwatch fit` and set risk.parameters_file"
        return Finding("parameters", "warning", "the shipped ones: fitted on another business", fix)
    try:
        snapshot = loads(Path(path).read_bytes())
    except OSError as error:
        return Finding("parameters", "error", f"risk.parameters_file {path}: {error.strerror}", "set the path of a readable file")
    except ValueError as error:
        return Finding("parameters", "error", f"risk.parameters_file {path}: {error}", "write it anew with `churnwatch fit`")
    name = f"version {snapshot.version}"
    if snapshot.fitted_at_ms is None:
        return Finding("parameters", "warning", f"{name}: not fitted on this business", "run `churnwatch fit`")
    age_days = (now_ms - snapshot.fitted_at_ms) // 86_400_000
    if age_days > old_days:
        return Finding("parameters", "warning", f"{name} is {age_days} days old", "run `churnwatch fit` again")
    return Finding("parameters", "ok", f"{name}, {age_days} days old")
