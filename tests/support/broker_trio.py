"""Three Apache Kafka nodes that are one cluster: replication 3, of which two must have a record before it is acknowledged.

with broker_trio(folder) as trio:
    trio.bootstrap      # all three
    trio.kill(1)        # SIGKILL of the second
    trio.start(1)       # back with its data
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from streams.runtime import child
from tests.support.brokers import BrokerFailed, kafka_lib
from tests.support.ports import own_port

NODES = 3
_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xms64m", "-Xmx256m")
_START_S = 90.0

_PROPERTIES = """\
process.roles=broker,controller
node.id={node}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
controller.quorum.voters={voters}
log.dirs={logs}
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=3
min.insync.replicas=2
unclean.leader.election.enable=false
offsets.topic.replication.factor=3
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=5000
log.cleaner.dedupe.buffer.size=4194304
log.segment.bytes=16777216
"""


class BrokerTrio:
    """The three. bootstrap: all their addresses, fixed for the object's life. Raises BrokerFailed when they do not come up."""

    def __init__(self, folder: Path, lib: Path) -> None:
        self._folder, self._class_path = folder, f"{lib}/*"
        self._ports, controllers = [own_port() for _ in range(NODES)], [own_port() for _ in range(NODES)]
        self.bootstrap = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        voters = ",".join(f"{node}@127.0.0.1:{port}" for node, port in enumerate(controllers, 1))
        cluster = base64.urlsafe_b64encode(b"@" + os.urandom(15)).rstrip(b"=").decode()  # "@": never a leading dash
        for node in range(NODES):
            self._format(node, controllers[node], voters, cluster)
        self._processes = [self._launch(node) for node in range(NODES)]
        self._wait_for_all()

    def kill(self, node: int) -> None:
        """SIGKILL."""
        self._processes[node].kill()
        self._processes[node].wait()

    def start(self, node: int) -> None:
        """Start one again after `kill`. Returns when every node is in the cluster."""
        self._processes[node] = self._launch(node)
        self._wait_for_all()

    def freeze(self) -> None:
        """SIGSTOP of all."""
        for process in self._processes:
            process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT of all."""
        for process in self._processes:
            process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """SIGKILL of all; an orderly end would wait for a quorum."""
        for process in self._processes:
            process.kill()
            process.wait()

    def _where(self, node: int) -> Path:
        return self._folder / f"node-{node}"

    def _format(self, node: int, controller: int, voters: str, cluster: str) -> None:
        where = self._where(node)
        where.mkdir()
        text = _PROPERTIES.format(
            node=node + 1, port=self._ports[node], controller=controller, voters=voters, logs=where / "data"
        )
        (where / "server.properties").write_text(text)
        command = self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", "server.properties")
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise BrokerFailed(f"format: {done.stdout}{done.stderr}")

    def _java(self, main: str, *args: str) -> list[str]:
        return ["java", *_JVM, "-cp", self._class_path, main, *args]

    def _launch(self, node: int) -> subprocess.Popen[bytes]:
        where = self._where(node)
        return child.spawn(self._java("kafka.Kafka", "server.properties"), where / "server.log", cwd=where)

    def _wait_for_all(self) -> None:
        deadline_s = time.monotonic() + _START_S
        while not self._complete():
            dead = [node for node, process in enumerate(self._processes) if process.poll() is not None]
            if dead or time.monotonic() > deadline_s:
                log = self._where(dead[0] if dead else 0) / "server.log"
                raise BrokerFailed(log.read_text(errors="replace")[-4000:])
            time.sleep(0.1)

    def _complete(self) -> bool:
        """Whether every node is registered and unfenced."""
        try:
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5000, bootstrap_timeout_ms=5000)
            try:
                return {broker["port"] for broker in admin.describe_cluster()["brokers"]} == set(self._ports)
            finally:
                admin.close()
        except (KafkaError, OSError):
            return False


@contextmanager
def broker_trio(folder: Path) -> Iterator[BrokerTrio]:
    """Three nodes in an empty folder, ended with the block. Raises KafkaMissing, BrokerFailed."""
    trio = BrokerTrio(folder, kafka_lib())
    try:
        yield trio
    finally:
        trio.end()
