"""A system into which history is loaded and that goes on live, for the tests: its site, its live sources, its switch."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from kafka import TopicPartition

from alerts.alert import Alert, Digest, Message, decode_any
from streams.runtime.commits import LiveState, unpack_state
from streams.runtime.kafka_client import admin_client, ends, reader
from streams.runtime.reading import read_range
from streams.runtime.topics import ALERTS, CLOCK
from tests.support.brokers import RunningBroker
from tests.support.live import Live
from tests.support.redis_servers import RunningRedis
from tests.support.replays import PARTITIONS, Replayed, Site
from tests.support.workers import COMMAND, REPO, Fleet, environment, run_command

AT_ONCE = {
    "CHURNWATCH_POLICY__BREACHES": "1",
    "CHURNWATCH_POLICY__WATCH": "0.01",
    "CHURNWATCH_POLICY__RELEASE_MARGIN": "0.005",
    "CHURNWATCH_ENGINE__HEARTBEAT_COMMIT_S": "0.5",
}
"""Two purchases are an alert, and the clock is looked at twice a second."""


class System:
    """A history's site that also has live sources, and what is asked of it about the switch."""

    def __init__(self, broker: RunningBroker, redis: RunningRedis, prefix: str, replayed: Replayed) -> None:
        self.site = Site(broker, redis, prefix, replayed)
        self.live = Live(broker, redis, prefix, partitions=PARTITIONS, **self.site.environment)
        self._read: dict[int, list[Message]] = {partition: [] for partition in range(PARTITIONS)}
        self._next: dict[TopicPartition, int] = {}

    def go_live(self, *options: str) -> subprocess.CompletedProcess[str]:
        return run_command(["go-live", *options], self.site.environment)

    def begin_to_go_live(self) -> subprocess.Popen[str]:
        command = [*COMMAND, "go-live", "--json"]
        env = environment(self.site.environment)
        return subprocess.Popen(command, env=env, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def states(self) -> list[LiveState]:
        states = [self.site.meta(partition).state for partition in range(PARTITIONS)]
        return [unpack_state(state) for state in states if state is not None]

    def switches(self) -> list[dict[str, Any]]:
        found = [json.loads(record.value) for record in self.live.records(CLOCK)]
        return [message for message in found if message["type"] == "go_live"]

    def digests(self) -> list[Digest]:
        return [message for message in self.told() if isinstance(message, Digest)]

    def alerts(self) -> list[Alert]:
        """Each once, as it was told last."""
        return list({alert.message_id: alert for alert in self.told() if isinstance(alert, Alert)}.values())

    def told(self) -> list[Message]:
        """All of `churn.alerts`, in order within a partition. What was read before is not read again."""
        tps = [TopicPartition(self.site.prefix + ALERTS, partition) for partition in range(PARTITIONS)]
        with admin_client(self.site.settings) as admin, reader(self.site.settings) as client:
            found = {tp: bound.end for tp, bound in ends(admin, client, tps).items()}
            for record in read_range(client, {tp: (self._next.get(tp, 0), end) for tp, end in found.items()}):
                self._read[record.partition].append(decode_any(record.value))
        self._next |= found
        return [message for read in self._read.values() for message in read]

    def settled(self) -> bool:
        """Whether every message has left."""
        return not any(self.live.outbox(partition) for partition in range(PARTITIONS))


def load(system: System, fleet: Fleet, **more: str) -> None:
    """The history, by two workers; `more` are settings of the second."""
    first, second = fleet.start(), fleet.start(**more)
    fleet.until(lambda: (first.owned(), second.owned()) == (2, 2), "two partitions each")
    system.site.replay()
    fleet.until(system.site.caught_up, "every row committed and every message sent")
