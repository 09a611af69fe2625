"""One churnwatch system under test: its topics, workers and load on a stage, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kafka import TopicPartition
from redis.exceptions import RedisError

from alerts.alert import Alert, decode_any
from streams.customer import read_records
from streams.labels import decode_labels
from streams.runtime.kafka_client import AdminError, admin_client, ends, reader
from streams.runtime.reading import read_range
from streams.runtime.redis_wire import meta_of
from streams.runtime.rules import engine_rules
from streams.runtime.settings import load_settings
from streams.runtime.store import Meta
from streams.runtime.topics import ALERTS, CLOCK, DEAD_LETTERS, INPUTS, LABELS
from tests.chaos.checker import (
    Counted,
    Logged,
    Outcome,
    Told,
    Verdict,
    check_alerts,
    check_events,
    check_labels,
    different_events,
)
from tests.chaos.expected_alerts import expected, said
from tests.chaos.load import Load
from tests.chaos.stages import AnyRedis, Brokers
from tests.support.eventually import DEADLINE_S
from tests.support.host_clock import HostClock
from tests.support.workers import Fleet, WorkerProcess, run_command

PARTITIONS = 4
GOES_ON_DAYS = 26

SETTINGS = {
    "CHURNWATCH_TIME__CLOCK": "history",
    "CHURNWATCH_ENGINE__MAX_ROWS": "200",
    "CHURNWATCH_ENGINE__HEARTBEAT_COMMIT_S": "1",
    "CHURNWATCH_ENGINE__CACHED_CUSTOMERS": "100",
    "CHURNWATCH_REDIS__TIMEOUT_S": "2",
    "CHURNWATCH_LEARNING__ENABLED": "true",
    "CHURNWATCH_LEARNING__SERVE": "false",
}
"""Small commits, and few customers in memory, so that what happens meets reads and commits at many places."""


class System:
    """What faults act on, and what is checked when all is over.

    more         settings of the workers beyond the usual
    host_clock   the workers' wall clock, where it can be set
    spared       a worker that no fault chooses
    happened     kinds of the faults that were begun, in order
    """

    def __init__(self, brokers: Brokers, redis: AnyRedis, prefix: str, replication: int, **more: str) -> None:
        self.brokers, self.redis, self.prefix = brokers, redis, prefix
        self.environment = SETTINGS | {
            "CHURNWATCH_KAFKA__BOOTSTRAP": brokers.bootstrap,
            "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix,
            "CHURNWATCH_KAFKA__GROUP": f"{prefix}group",
            "CHURNWATCH_KAFKA__PARTITIONS": str(PARTITIONS),
            "CHURNWATCH_KAFKA__REPLICATION": str(replication),
            "CHURNWATCH_REDIS__URL": redis.url,
            "CHURNWATCH_REDIS__CLUSTER": str(redis.cluster).lower(),
            "CHURNWATCH_REDIS__PREFIX": f"{prefix}state",
        }
        self.environment |= more
        self.settings = load_settings(None, self.environment)
        made = run_command(["topics", "create"], self.environment)
        assert made.returncode == 0, made.stdout + made.stderr
        self.fleet: Fleet
        self.load: Load
        self.host_clock: HostClock | None = None
        self.spared: WorkerProcess | None = None
        self.happened: list[str] = []

    # -- now --------------------------------------------------------------------------------------------------------

    def metas(self) -> list[Meta]:
        """Of every partition, as Redis has it."""
        with self.redis.client() as client:
            return [meta_of(client.hgetall(self._key(p, "meta"))) for p in range(PARTITIONS)]

    def going_on_from(self, seqs: Sequence[int]) -> bool:
        """Whether every partition has committed since it stood at these."""
        return all(meta.seq > seq for meta, seq in zip(self.metas(), seqs, strict=True))

    def go_on(self) -> None:
        """Let the load go on for some weeks, while things go wrong."""
        self.load.go_on_until(self.load.day + GOES_ON_DAYS)

    def any_beyond(self, seqs: Sequence[int]) -> bool:
        """Whether some partition has committed since it stood at these."""
        return any(meta.seq > seq for meta, seq in zip(self.metas(), seqs, strict=True))

    def owned(self) -> int:
        """Partitions that the workers say they own, without those that are frozen."""
        return sum(worker.owned() for worker in self.fleet.running())

    def settled(self) -> bool:
        """Whether every partition is owned, and every worker that is not frozen ready."""
        running = [worker for worker in self.fleet.running() if not worker.frozen]
        return self.owned() == PARTITIONS and all(worker.ready() for worker in running)

    def until(self, condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> float:
        """Wait; how long it took, s. A server that is away meanwhile is no failure."""
        begun_s = time.monotonic()
        self.fleet.until(lambda: _quietly(condition), what, deadline_s)
        return time.monotonic() - begun_s

    def pause(self, seconds: float) -> None:
        """Let a fault last; a worker that ends by itself meanwhile is started again."""
        end_s = time.monotonic() + seconds
        self.fleet.until(lambda: time.monotonic() >= end_s, "time", seconds + 60.0)

    def caught_up(self) -> bool:
        """Whether all that was sent is committed and all messages have left. Ask once the load is over."""
        with admin_client(self.settings) as admin, reader(self.settings) as client:
            bounds = ends(admin, client, [tp for topic in (*INPUTS, CLOCK) for tp in self._partitions_of(topic)])
        done = {
            (topic, p): meta.offsets.get(_short(topic), -1) + 1
            for p, meta in enumerate(self.metas())
            for topic in (*INPUTS, CLOCK)
        }
        if any(done[tp.topic.removeprefix(self.prefix), tp.partition] < bound.end for tp, bound in bounds.items()):
            return False
        return self.waiting() == 0

    def waiting(self) -> int:
        """Messages in the outbox."""
        with self.redis.client() as client:
            return sum(client.xlen(self._key(p, "outbox")) for p in range(PARTITIONS))

    # -- afterwards -------------------------------------------------------------------------------------------------

    def verdict(self) -> Verdict:
        """What came of it, by the log."""
        log = [_logged(record, self.prefix) for topic in (*INPUTS, CLOCK) for record in self._records(topic)]
        events = different_events(record for record in log if record.topic != CLOCK)
        verdict = Verdict(sum(map(len, events.values())))
        check_events(verdict, events, self._counted(verdict))
        rules, due, outcomes = engine_rules(self.settings), [], []
        for partition in range(PARTITIONS):
            alerts, labels = expected([record for record in log if record.partition == partition], rules)
            due, outcomes = due + alerts, outcomes + labels
        check_alerts(verdict, due, list(self._delivered(verdict)))
        check_labels(verdict, outcomes, list(self._labels()))
        verdict.problems += [f"dead letter: {record.value[:200]!r}" for record in self._records(DEAD_LETTERS)]
        return verdict

    def _delivered(self, verdict: Verdict) -> Iterator[tuple[Told, bytes]]:
        for record in self._records(ALERTS):
            message = decode_any(record.value)
            if isinstance(message, Alert):
                if record.key != message.customer_id.encode():
                    verdict.problems.append(f"{message.message_id} is keyed {record.key!r}")
                yield said(message), record.value
            else:
                verdict.problems.append(f"on {ALERTS}: {record.value[:200]!r}")

    def _labels(self) -> Iterator[Outcome]:
        for record in self._records(LABELS):
            for one in decode_labels(record.value).labels:
                yield Outcome(int(one.label_id, 16), one.at_ms, one.known_ms, one.left)

    def _counted(self, verdict: Verdict) -> dict[str, Counted]:
        """Every customer's sums in Redis."""
        rows = self.rows(verdict.problems)
        records = read_records(list(rows.values()))
        names = Counted.__dataclass_fields__
        return {customer: Counted(*(int(row[name]) for name in names)) for customer, row in zip(rows, records, strict=True)}

    def rows(self, problems: list[str]) -> dict[str, bytes]:
        """Every customer's record in Redis. problems: where to say that one is in two partitions."""
        found: dict[str, bytes] = {}
        with self.redis.client() as client:
            for partition in range(PARTITIONS):
                head = self._key(partition, "c:").encode()
                for key in client.scan_iter(match=head + b"*", count=5000):
                    customer = key.removeprefix(head).decode()
                    if customer in found:
                        problems.append(f"{customer} is in two partitions")
                    found[customer] = client.get(key)
        return found

    def _records(self, topic: str) -> list[Any]:
        with admin_client(self.settings) as admin, reader(self.settings) as client:
            bounds = ends(admin, client, self._partitions_of(topic))
            ranges = {tp: (bound.first, bound.end) for tp, bound in bounds.items()}
            return sorted(read_range(client, ranges), key=lambda record: (record.partition, record.offset))

    def _partitions_of(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(self.prefix + topic, p) for p in range(1 if topic == LABELS else PARTITIONS)]

    def _key(self, partition: int, name: str) -> str:
        return f"{self.prefix}state:{{{partition}}}:{name}"


def _short(topic: str) -> str:
    """As meta names it."""
    return "clock" if topic == CLOCK else topic


def _logged(record: Any, prefix: str) -> Logged:
    return Logged(record.topic.removeprefix(prefix), record.partition, record.offset, record.key, record.value)


def _quietly(condition: Callable[[], bool]) -> bool:
    """What cannot be asked is not so yet."""
    try:
        return condition()
    except (RedisError, AdminError, OSError):
        return False
