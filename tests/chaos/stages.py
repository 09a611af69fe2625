"""The servers that a schedule plays on: brokers that all schedules share, and a Redis of its own for each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from redis import Redis, RedisCluster

from tests.chaos.schedule import Stage
from tests.support.broker_trio import BrokerTrio, broker_trio
from tests.support.brokers import KafkaBroker, kafka_broker
from tests.support.eventually import wait_until
from tests.support.redis_proxy import RedisProxy
from tests.support.redis_servers import RunningCluster, RunningRedis, program, redis_cluster, redis_server


class Brokers(Protocol):
    """What faults need of either."""

    bootstrap: str

    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


class BrokerPark:
    """One broker, and three; each started when it is first asked for, and kept, since that takes seconds."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._running = folder, ExitStack()
        self._single: KafkaBroker | None = None
        self._trio: BrokerTrio | None = None

    def __enter__(self) -> BrokerPark:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def single(self) -> KafkaBroker:
        """The one."""
        if self._single is None:
            self._single = self._running.enter_context(kafka_broker(self._new("broker")))
        return self._single

    def trio(self) -> BrokerTrio:
        """The three."""
        if self._trio is None:
            self._trio = self._running.enter_context(broker_trio(self._new("trio")))
        return self._trio

    def of(self, stage: Stage) -> KafkaBroker | BrokerTrio:
        """Those of a stage."""
        return self.trio() if stage == "brokers" else self.single()

    def _new(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir(parents=True)
        return folder


class SingleRedis:
    """One Redis with an append-only file behind a wire, and perhaps a replica that can take its place."""

    cluster = False

    def __init__(self, server: RunningRedis, wire: RedisProxy, folder: Path, running: ExitStack, *, replica: bool) -> None:
        self.server, self.wire, self._folder, self._running = server, wire, folder, running
        self.url, self.failovers = wire.url, 0
        self.replica = self._follow() if replica else None

    def client(self) -> Redis:
        """Past the wire."""
        return self.server.client()

    def kill(self) -> None:
        """SIGKILL."""
        self.server.kill()

    def start(self) -> None:
        """The same port, the same file."""
        self.server.start()

    def freeze(self) -> None:
        """SIGSTOP: what is said to it waits, and is done when it thaws."""
        self.server.freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        self.server.thaw()

    def cut_off_replica(self) -> None:
        """From now on the replica lacks what the primary takes. (Frozen, it would read the rest from its socket later.)"""
        assert self.replica is not None
        with self.replica.client() as client:
            client.replicaof("127.0.0.1", 1)

    def promote(self) -> None:
        """The primary dies, and the replica takes its place with what it has; nobody is led there yet."""
        assert self.replica is not None
        self.server.kill()
        with self.replica.client() as client:
            client.replicaof("NO", "ONE")
        self.server = self.replica

    def lead(self) -> None:
        """Whoever asks is led to the new primary, which gets a replica of its own."""
        self.failovers += 1
        self.wire.lead_to(self.server.port)
        self.replica = self._follow()

    def _follow(self) -> RunningRedis:
        folder = self._folder / f"replica-{self.failovers}"
        replica = self._running.enter_context(redis_server(folder))
        with replica.client() as client:
            client.replicaof("127.0.0.1", self.server.port)
            wait_until(lambda: client.info("replication")["master_link_status"] == "up", "the replica follows")
        return replica


class ClusterRedis:
    """Three masters, whose slots can be sent around."""

    cluster, replica = True, None

    def __init__(self, servers: RunningCluster) -> None:
        self.servers, self.url = servers, servers.url

    def client(self) -> RedisCluster:
        return RedisCluster.from_url(self.url)

    def kill(self) -> None:
        """SIGKILL of one."""
        self.servers.nodes[1].kill()

    def start(self) -> None:
        """The same port, the same file; returns when the cluster is whole."""
        self.servers.nodes[1].start()
        for node in self.servers.nodes:
            with node.client() as client:
                wait_until(lambda client=client: _whole(client), "the cluster is whole")  # type: ignore[misc] # a lambda's default

    def freeze(self) -> None:
        """SIGSTOP of all."""
        for node in self.servers.nodes:
            node.freeze()

    def thaw(self) -> None:
        """SIGCONT of all."""
        for node in self.servers.nodes:
            node.thaw()

    def move_slots(self, partitions: int, keys_at_a_time: int = 20) -> int:
        """Each partition's slot to the next node; returns how many keys moved."""
        moved = 0
        for partition in range(partitions):
            slot = _slot(self.servers.nodes[0], partition)
            at = self.servers.nodes.index(self.servers.agreed_owner(slot))
            moved += self.servers.move_slot(slot, self.servers.nodes[(at + 1) % len(self.servers.nodes)], keys_at_a_time)
        return moved


AnyRedis = SingleRedis | ClusterRedis


def _whole(client: Redis) -> bool:
    info = client.execute_command("CLUSTER INFO")
    return (info if isinstance(info, dict) else {})["cluster_state"] == "ok"


def _slot(node: RunningRedis, partition: int) -> int:
    with node.client() as client:
        return int(client.execute_command("CLUSTER KEYSLOT", f"{{{partition}}}"))


@contextmanager
def redis_of(stage: Stage, folder: Path) -> Iterator[AnyRedis]:
    """The Redis of a stage, fresh. Raises RedisMissing."""
    program("redis-server")
    with ExitStack() as running:
        if stage == "cluster":
            yield ClusterRedis(running.enter_context(redis_cluster(folder)))
            return
        server = running.enter_context(redis_server(folder / "primary"))
        wire = running.enter_context(RedisProxy(server.port))
        yield SingleRedis(server, wire, folder, running, replica=stage == "replica")


class Pulses:
    """Freezes and thaws something in turn, in a thread, so that it is slow and not away.

    Frozen for so long and awake for so long in each turn, seconds.
    """

    def __init__(self, brokers: Brokers, frozen_s: float = 0.4, awake_s: float = 0.1) -> None:
        self._brokers, self._frozen_s, self._awake_s = brokers, frozen_s, awake_s
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Awake for good."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._brokers.freeze()
            self._ending.wait(self._frozen_s)
            self._brokers.thaw()
            self._ending.wait(self._awake_s)
