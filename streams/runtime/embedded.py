"""The broker and the Redis of the demo: a Kafka-compatible broker and a Valkey server that come in wheels.

Both listen on 127.0.0.1 only and keep everything under one data folder, which is locked: two servers on one folder
corrupt it. The broker keeps its topics in memory and forgets them when it ends. Nothing is written elsewhere.

When do they end? With the `with` block, so on a normal end, an exception, Ctrl-C and SIGTERM. On Linux also when we are
SIGKILLed. On macOS a SIGKILL of ours leaves them running; they then hold the lock, and the next start says so.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from kafka import KafkaAdminClient  # type: ignore[import-untyped]  # kafka-python ships no types
from kafka.errors import KafkaError  # type: ignore[import-untyped]  # kafka-python ships no types
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from streams.runtime import child
from streams.runtime.wheels import EmbeddedError, broker_program, valkey_program

__all__ = ["EmbeddedError", "EmbeddedParts", "Server", "embedded_parts", "start_broker", "start_valkey"]

_PORT_TRIES = 5


@dataclass(frozen=True, slots=True)
class EmbeddedParts:
    """Where the embedded servers answer.

    kafka_bootstrap   host:port
    redis_url         redis://host:port/0
    """

    kafka_bootstrap: str
    redis_url: str


@dataclass(frozen=True, slots=True)
class Server:
    """One running child and the port it answers on."""

    process: subprocess.Popen[bytes]
    port: int


@contextmanager
def embedded_parts(data: Path, *, fresh: bool = True) -> Iterator[EmbeddedParts]:
    """Broker and Valkey, up and answering, for the length of the block.

    data    folder for logs and Valkey's files; made when missing
    fresh   start with an empty Valkey. The broker forgets its topics, so state that refers to their offsets is of no
            use any more; False is for who keeps something else there.

    Raises EmbeddedError: a wheel is missing, the folder is in use, a server does not come up.
    """
    with _ends_on_sigterm(), _locked(data) as lock:
        if fresh:
            shutil.rmtree(data / "valkey", ignore_errors=True)
        hold = [lock.fileno()]
        with _running(start_valkey(data, hold=hold)) as valkey, _running(start_broker(data, hold=hold)) as broker:
            yield EmbeddedParts(f"127.0.0.1:{broker.port}", f"redis://127.0.0.1:{valkey.port}/0")


def start_broker(data: Path, *, port: int | None = None, hold: Sequence[int] = ()) -> Server:
    """Start the Kafka-compatible broker (Tansu) and wait until it answers a metadata request; its log is data/broker.log.

    port   None takes a free one and another when that is lost to somebody else
    hold   open files whose locks the child keeps
    Raises EmbeddedError. The caller ends `process`.
    """
    program = broker_program(data)
    cluster = "churnwatch-" + secrets.token_hex(4)  # tells our broker from a stranger on the same port

    def command(at: int) -> list[str]:
        url = f"tcp://127.0.0.1:{at}"
        return [str(program), "broker", "--listener-url", url, "--advertised-listener-url", url,
                "--storage-engine", "memory://tansu/", "--cluster-id", cluster, "--silent"]  # fmt: skip

    def answers(at: int, _pid: int) -> bool:
        try:
            admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{at}", request_timeout_ms=2000, bootstrap_timeout_ms=2000)
            try:
                return bool(admin.describe_cluster()["cluster_id"] == cluster)
            finally:
                admin.close()
        except (KafkaError, OSError):
            return False

    return _start("broker", command, answers, data, port, hold)


def start_valkey(data: Path, *, port: int | None = None, hold: Sequence[int] = ()) -> Server:
    """Start Valkey (append-only file, never evicts) in data/valkey and wait until it answers; its log is data/valkey.log.

    Parameters, errors and who ends it: as `start_broker`.
    """
    program = valkey_program()
    folder = data / "valkey"
    folder.mkdir(parents=True, exist_ok=True)

    def command(at: int) -> list[str]:
        return [str(program), "--port", str(at), "--bind", "127.0.0.1", "--dir", str(folder.resolve()), "--save", "",
                "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"]  # fmt: skip

    def answers(at: int, pid: int) -> bool:
        # No retries: a stranger on the port may accept and never answer.
        with Redis(port=at, socket_timeout=1.0, retry=Retry(NoBackoff(), 0)) as client, suppress(RedisError):
            return bool(client.info("server")["process_id"] == pid)  # raises BusyLoadingError until its file is read
        return False

    return _start("valkey", command, answers, data, port, hold)


def _start(
    name: str,
    command: Callable[[int], list[str]],
    answers: Callable[[int, int], bool],
    data: Path,
    port: int | None,
    hold: Sequence[int],
    deadline_s: float = 15.0,
) -> Server:
    """Start `command(port)` until one answers as itself. A lost port shows as a child that ends, with any code, 0 too."""
    data.mkdir(parents=True, exist_ok=True)
    log = data / f"{name}.log"
    for _ in range(_PORT_TRIES if port is None else 1):
        at = child.free_port() if port is None else port
        process = child.spawn(command(at), log, cwd=data, hold=hold)
        try:
            if _comes_up(process, at, answers, deadline_s):
                return Server(process, at)
        except BaseException:
            child.end(process, grace_s=0.5)
            raise
        if process.poll() is None:
            child.end(process)
            break
    raise EmbeddedError(f"the embedded {name} did not start: {_last_line(log)}", f"read {log}")


def _comes_up(process: subprocess.Popen[bytes], port: int, answers: Callable[[int, int], bool], deadline_s: float) -> bool:
    end_s = time.monotonic() + deadline_s
    while time.monotonic() < end_s:
        if process.poll() is not None:
            return False
        if child.listens(port) and answers(port, process.pid):
            return True
        time.sleep(0.01)
    return False


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        child.end(server.process)


@contextmanager
def _locked(data: Path) -> Iterator[IO[str]]:
    """The folder's lock. The children inherit it, so it lasts until the last of us is gone."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise EmbeddedError(
                f"{data} is in use by another churnwatch (process {owner}) or by servers it left behind",
                "end them or choose another data folder",
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield lock


@contextmanager
def _ends_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into SystemExit for the length of the block, so that its `finally` runs; leave a handler that is set."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output")
