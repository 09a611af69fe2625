"""A history replayed through Kafka to workers: where it runs, what came out, and what must have come out.

Expected twice over: by the engine straight from the file (bytes), and by pandas straight from the file (counts and sums).
"""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from kafka import TopicPartition

from detectors.parameters import SHIPPED
from streams.backtest.history import read_histories
from streams.backtest.mapping import find_source
from streams.backtest.payloads import partitions_of, to_columns
from streams.backtest.run import RunResult, run_history
from streams.customer import CUSTOMER, read_records
from streams.runtime.admin import create_topics
from streams.runtime.commits import JournalEntry, unpack_state
from streams.runtime.kafka_client import admin_client, ends, reader
from streams.runtime.learner_papers import ALERT_KEY
from streams.runtime.reading import read_range
from streams.runtime.redis_wire import meta_of
from streams.runtime.rules import engine_rules, event_rules
from streams.runtime.settings import Settings, load_settings
from streams.runtime.store import Meta
from streams.runtime.topics import ALERTS, DEAD_LETTERS, INPUTS, JOURNAL
from tests.oracle.recount import COUNTED, recount
from tests.support.any_redis import RedisForTests
from tests.support.brokers import RunningBroker
from tests.support.workers import COMMAND, COMMAND_S, REPO, environment, run_command

PARTITIONS = 4
RUN_ON_DAYS = 30
"""Days of silence after the last event."""


@dataclass(frozen=True)
class Replayed:
    """A history file, and what must come of it.

    file, mapping   as `churnwatch replay FILE --map MAPPING` has them; mapping None for the file's own
    table           reads it for `recount`
    settings        environment that the whole system has for it
    """

    file: str
    mapping: str | None
    table: Callable[[], pd.DataFrame]
    settings: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def arguments(self) -> list[str]:
        """Of `churnwatch replay`."""
        return [self.file, *(["--map", self.mapping] if self.mapping else []), "--run-on-days", str(RUN_ON_DAYS)]

    @cached_property
    def _history(self) -> Any:
        return read_histories([find_source(self.file, self.mapping, "")])

    @property
    def events(self) -> int:
        return len(self._history)

    @cached_property
    def partition_of(self) -> dict[str, int]:
        """Where each customer lives."""
        return dict(zip(self._history.customer, partitions_of(self._history, PARTITIONS).tolist(), strict=True))

    @cached_property
    def rows(self) -> int:
        """Events and ticks of all partitions."""
        return sum(map(len, self._columns.values()))

    @cached_property
    def _columns(self) -> Any:
        return to_columns(self._history, event_rules(self._rules_settings), PARTITIONS, run_on_days=RUN_ON_DAYS)

    @cached_property
    def _rules_settings(self) -> Settings:
        return load_settings(None, dict(self.settings) | {"CHURNWATCH_TIME__CLOCK": "history"})

    @cached_property
    def from_engine(self) -> RunResult:
        """What the engine alone makes of the file."""
        return run_history(self._columns, engine_rules(self._rules_settings), SHIPPED)

    @cached_property
    def from_pandas(self) -> pd.DataFrame:
        """What pandas counts in the file."""
        return recount(self.table())


class Site:
    """Where one replay runs: topics, group and keys of its own on a broker and a Redis.

    more   settings of the workers beyond the history's
    """

    def __init__(self, broker: RunningBroker, redis: RedisForTests, prefix: str, replayed: Replayed, **more: str) -> None:
        self.redis, self.prefix, self.replayed = redis, prefix, replayed
        self.environment = dict(replayed.settings) | {
            "CHURNWATCH_KAFKA__BOOTSTRAP": broker.bootstrap,
            "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix,
            "CHURNWATCH_KAFKA__GROUP": f"{prefix}group",
            "CHURNWATCH_KAFKA__PARTITIONS": str(PARTITIONS),
            "CHURNWATCH_REDIS__PREFIX": f"{prefix}state",
            "CHURNWATCH_TIME__CLOCK": "history",
        }
        self.environment |= redis.environment | more
        self.settings = load_settings(None, self.environment)
        create_topics(self.settings)

    # -- in ---------------------------------------------------------------------------------------------------------

    def replay(self, days_per_s: float = 0.0) -> None:
        """`churnwatch replay`, to its end."""
        self.finish(self.begin_replay(days_per_s))

    def begin_replay(self, days_per_s: float = 0.0) -> subprocess.Popen[str]:
        """`churnwatch replay`, begun."""
        command = [*COMMAND, "replay", *self.replayed.arguments, "--speed", str(days_per_s)]
        return subprocess.Popen(
            command, env=environment(self.environment), cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def finish(self, process: subprocess.Popen[str], deadline_s: float = COMMAND_S) -> None:
        """Wait for a replay; AssertionError when it fails."""
        try:
            said, _ = process.communicate(timeout=deadline_s)
        finally:
            process.kill()
        assert process.returncode == 0, said

    # -- out --------------------------------------------------------------------------------------------------------

    def meta(self, partition: int) -> Meta:
        with self.redis.client() as client:
            return meta_of(client.hgetall(self._key(partition, "meta")))

    def committed_rows(self) -> int:
        """Offsets of inputs and clock that are committed in Redis, all partitions together."""
        return sum(offset + 1 for p in range(PARTITIONS) for offset in self.meta(p).offsets.values())

    def caught_up(self) -> bool:
        """Whether every row of the history is committed and every message has left. Ask once all is written."""
        if self.committed_rows() < self.replayed.rows:
            return False
        with self.redis.client() as client:
            return not any(client.xlen(self._key(p, "outbox")) for p in range(PARTITIONS))

    def records(self) -> dict[str, bytes]:
        """Every customer's record in Redis. AssertionError for a customer in two partitions."""
        found: dict[str, bytes] = {}
        with self.redis.client() as client:
            for partition in range(PARTITIONS):
                head = self._key(partition, "c:").encode()
                keys = list(client.scan_iter(match=head + b"*", count=5000))
                for key, blob in zip(keys, client.mget(keys) if keys else [], strict=True):
                    customer = key.removeprefix(head).decode()
                    assert customer not in found, f"{customer} is in two partitions"
                    found[customer] = blob
        return found

    def states(self) -> dict[int, bytes]:
        """Each partition's engine state in Redis."""
        return {p: unpack_state(state).engine for p in range(PARTITIONS) if (state := self.meta(p).state) is not None}

    def messages(self, topic: str) -> list[Any]:
        """Every record of one of our topics (without prefix), in order of partition and offset."""
        tps = [TopicPartition(self.prefix + topic, p) for p in range(PARTITIONS)]
        with admin_client(self.settings) as admin, reader(self.settings) as client:
            bounds = {tp: (bound.first, bound.end) for tp, bound in ends(admin, client, tps).items()}
            return sorted(read_range(client, bounds), key=lambda record: (record.partition, record.offset))

    def _key(self, partition: int, name: str) -> str:
        return f"{self.prefix}state:{{{partition}}}:{name}"


def group_has_committed(site: Site) -> bool:
    """Whether Kafka remembers an offset of the consumer group."""
    group = site.settings.kafka.group
    with admin_client(site.settings) as admin:
        return any(found.offset > 0 for found in admin.list_group_offsets({group: None})[group].values())


def assert_counted_once(site: Site) -> None:
    """Counts and sums of every customer are those of the file."""
    records, expected = site.records(), site.replayed.from_pandas
    assert sorted(records) == list(expected.index)
    rows = read_records([records[customer] for customer in expected.index])
    found = pd.DataFrame({name: rows[name].astype(np.int64) for name in COUNTED}, index=expected.index)
    pd.testing.assert_frame_equal(found, expected, check_names=False)


def assert_as_from_the_file(site: Site) -> None:
    """Records and states in Redis are, byte by byte, what the engine makes of the file."""
    expected = site.replayed.from_engine
    records = site.records()
    assert records.keys() == expected.records.keys()
    other = {c: _differences(blob, expected.records[c]) for c, blob in records.items() if blob != expected.records[c]}
    assert not other, f"{len(other)} records differ; field: (found, expected): {dict(list(other.items())[:3])}"
    assert site.states() == expected.states
    assert site.messages(DEAD_LETTERS) == []


def _differences(blob: bytes, expected: bytes) -> dict[str, tuple[Any, Any]]:
    """Field -> (found, expected), where they differ."""
    found, wanted = read_records([blob, expected])
    names = [name for name in CUSTOMER.names or () if found[name].tobytes() != wanted[name].tobytes()]
    return {name: (found[name].tolist(), wanted[name].tolist()) for name in names}


def assert_alerts_as_from_the_file(site: Site) -> int:
    """Alerts about customers, repeats dropped, are byte by byte the engine's; returns how many repeats there were."""
    first: dict[str, bytes] = {}
    latest: dict[str, int] = defaultdict(int)
    found = [record for record in site.messages(ALERTS) if record.key != ALERT_KEY]
    for record in found:
        alert = msgspec.json.decode(record.value)
        assert record.key.decode() == alert["customer_id"]
        assert record.partition == site.replayed.partition_of[alert["customer_id"]]
        if alert["message_id"] in first:
            assert record.value == first[alert["message_id"]], "a repeat must say the same"
            continue
        assert alert["transition"] == latest[alert["alert_id"]] + 1, "transitions arrive in order and without gaps"
        latest[alert["alert_id"]] = alert["transition"]
        first[alert["message_id"]] = record.value
    assert sorted(first.values()) == sorted(site.replayed.from_engine.alerts)
    return len(found) - len(first)


def assert_a_backtest_sends_the_same(site: Site, out: Path) -> None:
    """`churnwatch backtest --against churn.alerts` finds no difference."""
    done = run_command(["backtest", *site.replayed.arguments, "--against", ALERTS, "--out", str(out)], site.environment, 120.0)
    assert done.returncode == 0, done.stderr
    assert "byte by byte" in done.stderr


def assert_journal_is_whole(site: Site, *, redis_lost_commits: bool = False) -> None:
    """Per partition commits are numbered without gaps, each by one owner, owners in order; together they folded every row once.

    redis_lost_commits   commits were rolled back and made again by a later owner: only the last of a number counts then, and
                         none whose number was not reached again
    """
    commits: dict[int, dict[int, JournalEntry]] = {p: {} for p in range(PARTITIONS)}
    for record in site.messages(JOURNAL):
        entry = msgspec.json.decode(record.value, type=JournalEntry)
        assert entry.partition == record.partition
        known = commits[entry.partition].get(entry.seq, entry)
        assert known == entry or (redis_lost_commits and known.epoch != entry.epoch), f"two commits {entry.seq}"
        commits[entry.partition][entry.seq] = max(known, entry, key=lambda one: one.epoch)
    if redis_lost_commits:
        last = {partition: site.meta(partition).seq for partition in commits}
        commits = {p: {seq: entry for seq, entry in by_seq.items() if seq <= last[p]} for p, by_seq in commits.items()}
    for partition, by_seq in commits.items():
        chain = [by_seq[seq] for seq in sorted(by_seq)]
        assert [entry.seq for entry in chain] == list(range(1, site.meta(partition).seq + 1))
        assert _never_falls([entry.epoch for entry in chain])
        assert _never_falls([entry.watermark_ms for entry in chain])
        for topic in (*INPUTS, "clock"):
            assert _never_falls([entry.offsets.get(topic, -1) for entry in chain])
    assert sum(entry.rows for by_seq in commits.values() for entry in by_seq.values()) == site.replayed.rows


def _never_falls(values: Sequence[int]) -> bool:
    return all(before <= after for before, after in pairwise(values))
