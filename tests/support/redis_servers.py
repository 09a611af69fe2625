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
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from streams.runtime import child
from streams.runtime.wheels import EmbeddedError, valkey_program
from tests.support.ports import own_port

_START_S = 60.0


class RedisMissing(Exception):
    """The server's program is not to be had here; says which."""


class RunningRedis:
    """One server process that tests may kill, freeze and start again."""

    def __init__(self, program: str, folder: Path, options: Sequence[str] = ()) -> None:
        self._program, self._folder, self._options = program, folder, tuple(options)
        self.port = own_port()
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


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = _START_S) -> None:
    """Return when condition() holds; AssertionError naming `what` after the deadline."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end_s:
            raise AssertionError(f"not within {deadline_s:g} s: {what}")
        time.sleep(0.01)


def program(name: str) -> str:
    """Path of a program of Debian's redis package. Raises RedisMissing."""
    found = shutil.which(name)
    if found is None:
        raise RedisMissing(f"{name} is not in PATH: install redis-server (7.0 or newer)")
    return found


@contextmanager
def redis_server(folder: Path, options: Sequence[str] = ()) -> Iterator[RunningRedis]:
    """One redis-server with an append-only file. Raises RedisMissing."""
    with _running(RunningRedis(program("redis-server"), folder, options)) as server:
        yield server


@contextmanager
def valkey_server(folder: Path) -> Iterator[RunningRedis]:
    """One Valkey from the wheel. Raises RedisMissing."""
    try:
        found = valkey_program()
    except EmbeddedError as why:
        raise RedisMissing(str(why)) from why
    with _running(RunningRedis(str(found), folder)) as server:
        yield server


@contextmanager
def _running(server: RunningRedis) -> Iterator[RunningRedis]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


class RunningCluster:
    """Three primaries without replicas."""

    def __init__(self, nodes: list[RunningRedis], cli: str) -> None:
        self.nodes, self._cli = nodes, cli

    @property
    def url(self) -> str:
        return self.nodes[0].url

    def owner(self, slot: int) -> RunningRedis:
        """The node that owns a slot."""
        for node in self.nodes:
            with node.client() as client:
                mine = client.execute_command("CLUSTER MYID")
                for begin, end, primary, *_ in client.execute_command("CLUSTER SLOTS"):
                    if begin <= slot <= end and primary[2] == mine:
                        return node
        raise AssertionError(f"nobody owns slot {slot}")

    def move_slot(self, slot: int, to: RunningRedis, keys_at_a_time: int = 10) -> int:
        """Move one slot while clients go on, as redis-cli's reshard does; returns the number of keys moved."""
        origin, moved = self.owner(slot), 0
        with origin.client() as source, to.client() as target:
            source_id, target_id = source.execute_command("CLUSTER MYID"), target.execute_command("CLUSTER MYID")
            target.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", source_id)
            source.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", target_id)
            while keys := source.execute_command("CLUSTER GETKEYSINSLOT", slot, keys_at_a_time):
                source.execute_command("MIGRATE", "127.0.0.1", to.port, "", 0, 10_000, "KEYS", *keys)
                moved += len(keys)
            for client in (target, source):
                client.execute_command("CLUSTER SETSLOT", slot, "NODE", target_id)
        return moved

    def redirections(self) -> int:
        """How often the nodes have said TRYAGAIN or ASK so far."""
        found = 0
        for node in self.nodes:
            with node.client() as client:
                errors = client.info("errorstats")
            found += sum(errors.get(f"errorstat_{name}", {"count": 0})["count"] for name in ("TRYAGAIN", "ASK"))
        return found

    def form(self) -> None:
        """Join the nodes and wait until each of them says that the cluster is up."""
        addresses = [f"127.0.0.1:{node.port}" for node in self.nodes]
        create = [self._cli, "--cluster", "create", *addresses, "--cluster-replicas", "0", "--cluster-yes"]
        subprocess.run(create, check=True, capture_output=True, timeout=60)
        wait_until(lambda: all(self._sees_all(node) for node in self.nodes), "the cluster is up")

    def _sees_all(self, node: RunningRedis) -> bool:
        with node.client() as client:
            info = client.execute_command("CLUSTER INFO")
        text = info if isinstance(info, dict) else dict(line.split(":") for line in info.decode().split())
        return text["cluster_state"] == "ok" and int(text["cluster_known_nodes"]) == len(self.nodes)


@contextmanager
def redis_cluster(folder: Path) -> Iterator[RunningCluster]:
    """A Redis Cluster of three nodes. Raises RedisMissing."""
    cli, server = program("redis-cli"), program("redis-server")
    with ExitStack() as running:
        nodes = []
        for number in range(3):
            options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", str(own_port())]
            nodes.append(running.enter_context(_running(RunningRedis(server, folder / str(number), options))))
        cluster = RunningCluster(nodes, cli)
        cluster.form()
        yield cluster
