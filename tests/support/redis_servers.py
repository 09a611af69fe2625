"""Real Redis, Valkey and Redis Cluster for the tests, on free ports and in folders of their own.

with redis_server(folder) as server:
    server.url       # redis://127.0.0.1:port/0, the same after a restart
    server.kill()    # SIGKILL
    server.start()   # the same port and the same append-only file
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from redis import Redis
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError, RedisError

from streams.runtime import child
from streams.runtime.wheels import EmbeddedError, valkey_program
from tests.support.eventually import eventually, wait_until
from tests.support.ports import own_port
from tests.support.slot_moves import carry, settle


class RedisMissing(Exception):
    """The server's program is not to be had here; says which."""


class RunningRedis:
    """One server process that tests may kill, freeze and start again."""

    def __init__(self, program: str, folder: Path, options: Sequence[str] = (), *, cluster_port: int = 0) -> None:
        self._program, self._folder, self._options = program, folder, tuple(options)
        self.port, self.cluster_port = own_port(), cluster_port
        self.socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def socket_url(self) -> str:
        """The same server, on the way that `socket_out_of_reach` cuts."""
        return f"unix://{self.socket}"

    @contextmanager
    def socket_out_of_reach(self) -> Iterator[None]:
        """For the length of the block nobody comes through by `socket_url`, and everybody by `url`."""
        hidden = self.socket.with_suffix(".hidden")
        self.socket.rename(hidden)
        with self.client() as client:
            for one in client.client_list():
                if "U" in one["flags"]:
                    client.client_kill_filter(_id=one["id"])
        try:
            yield
        finally:
            hidden.rename(self.socket)

    @property
    def environment(self) -> dict[str, str]:
        """The settings by which a worker finds it."""
        return {"CHURNWATCH_REDIS__URL": self.url}

    def client(self) -> Redis:
        """A plain synchronous client, for looking and for administration."""
        return Redis(port=self.port, socket_timeout=10.0)

    def start(self) -> None:
        """Start and wait until it answers; data of an earlier life is there again."""
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", "",
                   "--unixsocket", str(self.socket), "--appendonly", "yes", "--appendfsync", "everysec",
                   "--repl-diskless-sync-delay", "0", "--shutdown-timeout", "0", *self._options]  # fmt: skip
        self._process = child.spawn(command, self._folder / "log", cwd=self._folder)
        wait_until(self._answers, f"{self._program} on port {self.port}; its log is {self._folder / 'log'}")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError((self._folder / "log").read_text()[-2000:])
        try:
            with self.client() as client:
                return bool(client.info("server")["process_id"] == self._process.pid)
        except RedisError:
            return False

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            child.end(self._process, grace_s=0.5)  # a former replica that writes its first append-only file never ends by itself


def program(name: str) -> str:
    """Path of a program of Debian's redis package. Raises RedisMissing."""
    found = shutil.which(name)
    if found is None:
        raise RedisMissing(f"{name} is not in PATH: install redis-server (7.0 or newer)")
    return found


@contextmanager
def redis_server(folder: Path, options: Sequence[str] = ()) -> Iterator[RunningRedis]:
    """One redis-server with an append-only file. Raises RedisMissing."""
    with running(RunningRedis(program("redis-server"), folder, options)) as server:
        yield server


@contextmanager
def valkey_server(folder: Path) -> Iterator[RunningRedis]:
    """One Valkey from the wheel. Raises RedisMissing."""
    try:
        found = valkey_program()
    except EmbeddedError as why:
        raise RedisMissing(str(why)) from why
    with running(RunningRedis(str(found), folder)) as server:
        yield server


@contextmanager
def running(server: RunningRedis) -> Iterator[RunningRedis]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


class NobodyOwns(AssertionError):
    """A slot whose owner is down, or not agreed upon yet."""


class RunningCluster:
    """Three primaries, each with so many replicas."""

    def __init__(self, nodes: list[RunningRedis], cli: str, replicas: int = 0) -> None:
        self.nodes, self._cli, self._replicas = nodes, cli, replicas

    @property
    def url(self) -> str:
        return self.nodes[0].url

    @property
    def environment(self) -> dict[str, str]:
        """The settings by which a worker finds it, whichever node is down."""
        others = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[1:])
        cluster = {"CHURNWATCH_REDIS__CLUSTER": "true", "CHURNWATCH_REDIS__CLUSTER_NODES": others}
        return {"CHURNWATCH_REDIS__URL": self.url} | cluster

    def client(self) -> Any:
        """A plain synchronous client of the whole, for looking."""
        return RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", node.port) for node in self.nodes], socket_timeout=10.0)

    def owner(self, slot: int) -> RunningRedis:
        """The node that owns a slot, by its own word. Nodes that are down own nothing.

        Raises NobodyOwns where there is none, or several: one that was just started may claim what it had, and whoever moved the
        slot away from there would have the keys deleted where they are.
        """
        found = [node for node in self.nodes if _claims(node, slot)]
        if len(found) == 1:
            return found[0]
        raise NobodyOwns(f"{len(found)} nodes say that they own slot {slot}")

    def agreed_owner(self, slot: int) -> RunningRedis:
        """The same, as soon as it is one."""

        def look() -> RunningRedis | None:
            with suppress(NobodyOwns):
                return self.owner(slot)
            return None

        found = eventually(look)
        assert found is not None
        return found

    def move_slot(self, slot: int, to: RunningRedis, keys_at_a_time: int = 10) -> int:
        """Move one slot while clients go on, as redis-cli's reshard does; returns the number of keys moved.

        When a node dies on the way, it can be called again with the same nodes and goes on.
        """
        origin = self.owner(slot)
        if origin is to:
            return 0
        with origin.client() as source, to.client() as target:
            moved = carry(slot, source, target, to.port, keys_at_a_time)
            settle(slot, source, target)
        return moved

    def join(self, node: RunningRedis) -> None:
        """One more primary, which owns nothing at first."""
        with node.client() as client:
            client.execute_command("CLUSTER MEET", "127.0.0.1", self.nodes[0].port, self.nodes[0].cluster_port)
        self.nodes.append(node)
        wait_until(lambda: all(map(self._sees_all, self.nodes)), "everybody knows the new node")

    def redirections(self, *names: str) -> int:
        """How often the nodes have said these (TRYAGAIN and ASK, if none is named) since each was started."""
        found = 0
        for node in self.nodes:
            with node.client() as client:
                errors = client.info("errorstats")
            found += sum(errors.get(f"errorstat_{name}", {"count": 0})["count"] for name in names or ("TRYAGAIN", "ASK"))
        return found

    def form(self) -> None:
        """Join the nodes and wait until each of them says that the cluster is up."""
        addresses = [f"127.0.0.1:{node.port}" for node in self.nodes]
        create = [self._cli, "--cluster", "create", *addresses, "--cluster-replicas", str(self._replicas), "--cluster-yes"]
        subprocess.run(create, check=True, capture_output=True, timeout=60)
        wait_until(lambda: all(self._sees_all(node) for node in self.nodes), "the cluster is up")
        wait_until(lambda: all(map(follows_or_leads, self.nodes)), "every replica follows")

    def _sees_all(self, node: RunningRedis) -> bool:
        with node.client() as client:
            info = client.execute_command("CLUSTER INFO")
        text = info if isinstance(info, dict) else dict(line.split(":") for line in info.decode().split())
        return text["cluster_state"] == "ok" and int(text["cluster_known_nodes"]) == len(self.nodes)


def _claims(node: RunningRedis, slot: int) -> bool:
    with node.client() as client, suppress(ConnectionError):
        mine = client.execute_command("CLUSTER MYID")
        slots = client.execute_command("CLUSTER SLOTS")
        return any(begin <= slot <= end and primary[2] == mine for begin, end, primary, *_ in slots)
    return False


def follows_or_leads(node: RunningRedis) -> bool:
    """Whether it is a primary, or a replica that has all its primary has."""
    with node.client() as client:
        info = client.info("replication")
    return bool(info["role"] == "master" or info["master_link_status"] == "up")


def node_of_cluster(folder: Path) -> RunningRedis:
    """A server that may join a cluster; not started."""
    port = own_port()
    options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", str(port)]
    return RunningRedis(program("redis-server"), folder, options, cluster_port=port)


@contextmanager
def redis_cluster(folder: Path, replicas: int = 0) -> Iterator[RunningCluster]:
    """A Redis Cluster of three primaries, with so many replicas each. Raises RedisMissing."""
    cli = program("redis-cli")
    with ExitStack() as stack:
        nodes = [stack.enter_context(running(node_of_cluster(folder / str(number)))) for number in range(3 + 3 * replicas)]
        cluster = RunningCluster(nodes, cli, replicas)
        cluster.form()
        yield cluster
