"""A redis-server with TLS beside its plain port, whose users may run what the table of rights says.

with secured_redis(folder, ours) as server:
    server.let("worker", "churnwatch", "worker", "customer")   # a user with the commands of these roles on these keys
    server.tls_url("worker")
    server.client()                                            # the plain port: may do everything
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from streams.runtime import child
from streams.runtime.redis_rights import acl_line
from tests.support.certificates import Authority
from tests.support.redis_servers import RunningRedis, program

PASSWORD = "Rd5-pass/w@r:d=%7E"
"""Of every user; written otherwise in addresses, JSON and base64."""
_OURS = frozenset({"acl|setuser", "acl|log", "config|resetstat", "config|set", "client|setinfo", "hello", "auth", "select"})
"""What only the test runs, or anybody may."""


class SecuredRedis(RunningRedis):
    """See above. Its certificate, which `ours` has signed, is for localhost only."""

    def __init__(self, folder: Path, ours: Authority, options: Sequence[str] = ()) -> None:
        server = ours.issue(f"redis-{folder.name}", dns="localhost")
        self.tls_port = child.free_port()
        tls = ["--tls-port", str(self.tls_port), "--tls-cert-file", str(server.cert), "--tls-key-file", str(server.key),
               "--tls-ca-cert-file", str(ours.ca), "--tls-auth-clients", "optional"]  # fmt: skip
        super().__init__(program("redis-server"), folder, [*tls, *options])

    def tls_url(self, user: str, password: str = PASSWORD, host: str = "localhost") -> str:
        return f"rediss://{user}:{quote(password, safe='')}@{host}:{self.tls_port}/0"

    def let(self, user: str, prefix: str, *roles: str, without: str | None = None) -> None:
        """The user may do what these roles need, save `without`, and nothing else."""
        line = acl_line(user, prefix, *roles, password=f">{PASSWORD}")
        with self.client() as client:
            client.execute_command("ACL", "SETUSER", user, "reset")
            client.execute_command(*(word for word in line if word != f"+{without}"))

    def forget(self) -> None:
        """Forget what was counted and refused so far."""
        with self.client() as client:
            client.config_resetstat()
            client.execute_command("ACL", "LOG", "RESET")

    def ran(self) -> set[str]:
        """Commands that were run since `forget`, those in scripts too, beside what `client` ran for that. Ask once."""
        with self.client() as client:
            stats: dict[str, Any] = client.info("commandstats")
        return {name.removeprefix("cmdstat_") for name, one in stats.items() if one["calls"] > one["rejected_calls"]} - _OURS

    def refused(self) -> list[str]:
        """What was refused since `forget`: user and object."""
        with self.client() as client:
            return [f"{entry['username']}: {entry['object']}" for entry in client.acl_log()]


@contextmanager
def secured_redis(folder: Path, ours: Authority, options: Sequence[str] = ()) -> Iterator[SecuredRedis]:
    """One that runs. Raises RedisMissing, OpensslMissing."""
    server = SecuredRedis(folder, ours, options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
