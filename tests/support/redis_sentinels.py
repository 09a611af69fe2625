"""A primary, two replicas and three sentinels, on free ports and in folders of their own.

with redis_sentinels(folder) as watched:
    watched.primary()        # whom the sentinels name now
    watched.cut_off()        # replicas hear no more of what the primary takes
    watched.primary().kill()
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from streams.runtime import child
from tests.support.eventually import wait_until
from tests.support.redis_servers import RunningRedis, follows_or_leads, program, running

PASSWORD = "sentinels-s3cret"
"""Of the sentinels; the servers have none."""
NAME = "mymaster"
DOWN_AFTER_MS = 1000
_USER = ("--user", "replica", "on", ">replica-s3cret", "+psync", "+replconf", "+ping")
_BY_USER = (*_USER, "--masteruser", "replica", "--masterauth", "replica-s3cret")


class RunningSentinel:
    """One sentinel."""

    def __init__(self, folder: Path, primary: RunningRedis, quorum: int) -> None:
        self.port = child.free_port()
        self._folder = folder
        folder.mkdir(parents=True)
        lines = [
            f"port {self.port}", "bind 127.0.0.1", f"dir {folder}",
            f"requirepass {PASSWORD}", f"sentinel sentinel-pass {PASSWORD}",
            f"sentinel monitor {NAME} 127.0.0.1 {primary.port} {quorum}",
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}", f"sentinel failover-timeout {NAME} 4000",
        ]  # fmt: skip
        (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def client(self) -> Redis:
        """A plain synchronous client."""
        return Redis(port=self.port, password=PASSWORD, socket_timeout=10.0)

    def start(self) -> None:
        """Start and wait until it answers."""
        command = [program("redis-server"), str(self._folder / "sentinel.conf"), "--sentinel"]
        self._process = child.spawn(command, self._folder / "log", cwd=self._folder)
        wait_until(self._answers, f"the sentinel on port {self.port}; its log is {self._folder / 'log'}")

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except RedisError:
            return False

    def state(self) -> dict[str, Any]:
        """What it knows of the primary."""
        with self.client() as client:
            return dict(client.sentinel_master(NAME))

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            child.end(self._process, grace_s=0.5)


class WatchedRedis:
    """Servers, and the sentinels that watch them."""

    def __init__(self, servers: list[RunningRedis], sentinels: list[RunningSentinel]) -> None:
        self.servers, self.sentinels = servers, sentinels

    @property
    def environment(self) -> dict[str, str]:
        """The settings by which a worker finds it."""
        return {
            "CHURNWATCH_REDIS__SENTINELS": ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels),
            "CHURNWATCH_REDIS__SENTINEL_MASTER": NAME,
            "CHURNWATCH_REDIS__SENTINEL_PASSWORD": PASSWORD,
        }

    def primary(self) -> RunningRedis:
        """The server that the newest configuration names."""
        newest = max((sentinel.state() for sentinel in self.sentinels), key=lambda state: int(state["config-epoch"]))
        return next(server for server in self.servers if server.port == newest["port"])

    def client(self) -> Redis:
        """A plain synchronous client of the primary."""
        return self.primary().client()

    def caught_up(self) -> None:
        """Wait until every replica has all that the primary has now."""
        with self.client() as client:
            client.set("caught-up", 1)
            assert client.wait(len(self.servers) - 1, 10_000) == len(self.servers) - 1

    def cut_off(self) -> None:
        """Replicas lose the primary and cannot come back to it, until it is started again."""
        with self.client() as client:
            client.acl_setuser("replica", enabled=False)
            client.client_kill_filter(_type="replica")

    def settled(self) -> bool:
        """Whether every sentinel knows the others and two replicas that are well."""
        return all(map(self._is_settled, self.sentinels)) and all(map(follows_or_leads, self.servers))

    def _is_settled(self, sentinel: RunningSentinel) -> bool:
        with sentinel.client() as client:
            replicas = client.sentinel_slaves(NAME)
        whole = [replica for replica in replicas if replica["master-link-status"] == "ok" and not replica["is_sdown"]]
        return sentinel.state()["num-other-sentinels"] == len(self.sentinels) - 1 and len(whole) == len(self.servers) - 1


@contextmanager
def redis_sentinels(folder: Path, replicas: int = 2) -> Iterator[WatchedRedis]:
    """A primary, its replicas and three sentinels that have found one another. Raises RedisMissing."""
    found = program("redis-server")
    with ExitStack() as stack:
        servers = [stack.enter_context(running(RunningRedis(found, folder / str(n), _BY_USER))) for n in range(1 + replicas)]
        for replica in servers[1:]:
            with replica.client() as client:
                client.replicaof("127.0.0.1", servers[0].port)
        wait_until(lambda: all(map(follows_or_leads, servers)), "every replica follows")
        sentinels = [RunningSentinel(folder / f"sentinel-{n}", servers[0], quorum=2) for n in range(3)]
        for sentinel in sentinels:
            stack.callback(sentinel.stop)
            sentinel.start()
        watched = WatchedRedis(servers, sentinels)
        wait_until(watched.settled, "the sentinels have found one another")
        yield watched
