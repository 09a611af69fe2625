"""URLs, secrets, packing and which errors are worth waiting for."""

from __future__ import annotations

import asyncio
import builtins
import secrets
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import Connection
from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    ClusterError,
    ConnectionError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from streams.runtime.backoff import Backoff, Retrying
from streams.runtime.redis_link import PackingConnection, RedisLink, mask
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.store import StoreMisconfigured
from tests.support.broker_fixtures import missing
from tests.support.ports import own_port
from tests.support.redis_servers import RedisMissing, RunningRedis, redis_server

ARGUMENT = st.one_of(
    st.binary(max_size=40), st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.integers(0, 2**70)
)


@given(st.lists(ARGUMENT, max_size=80), st.one_of(ARGUMENT, st.binary(min_size=1, max_size=3).map(lambda part: part * 20_000)))
def test_packing_gives_the_bytes_that_redis_py_gives(arguments: list[bytes | str | int], last: bytes | str | int) -> None:
    ours = b"".join(PackingConnection().pack_command("EVALSHA", *arguments, last))
    assert ours == b"".join(Connection().pack_command("EVALSHA", *arguments, last))


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://:s3cr@t@host:1/0", "redis://:***@host:1/0"),
        ("cannot reach rediss://u:s3cr@t@h, really", "cannot reach rediss://u:***@h, really"),
        ("unix://u:s3cr@t@/run/redis.sock?db=1", "unix://u:***@/run/redis.sock?db=1"),
        ("unix:///run/redis.sock?password=s3cr@t&db=1", "unix:///run/redis.sock?password=***&db=1"),
        ("redis://host:6379/0", "redis://host:6379/0"),
    ],
)
def test_passwords_are_masked(url: str, masked: str) -> None:
    assert mask(url) == masked


@pytest.mark.parametrize(
    "url", ["http://u:s3cret@host", "u:s3cret@host", "redis://u:s3cret@host?socket_timeout=soon", "redis://u:s3cret/x@host"]
)
def test_a_url_it_cannot_use_is_named_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"redis\.url") as caught:
        RedisLink(url)
    assert "s3cret" not in str(caught.value)


def test_a_cluster_needs_an_address_and_a_prefix_no_brace() -> None:
    with pytest.raises(ValueError, match=r"redis\.cluster.*unix"):
        RedisLink("unix:///run/redis.sock", cluster=True)
    with pytest.raises(ValueError, match=r"redis\.prefix"):
        RedisPartitionStore(RedisLink("redis://localhost"), prefix="a{b}")


PASSING = [
    ConnectionError("x"), TimeoutError("x"), OSError("x"), ReadOnlyError("x"), OutOfMemoryError("x"), TryAgainError("x"),
    ClusterError("TTL exhausted."), ClusterDownError("x"), RedisClusterException("Redis Cluster cannot be connected"),
    ResponseError("MISCONF Redis is configured to save RDB snapshots"), ResponseError("NOREPLICAS Not enough"),
]  # fmt: skip
LASTING = [
    AuthenticationError("WRONGPASS"), NoPermissionError("no"), NoScriptError("no"), ResponseError("MALFORMED commit"),
    ResponseError("WRONGTYPE Operation"), RedisClusterException("Cluster mode is not enabled on this node"), ValueError("x"),
]  # fmt: skip


@pytest.mark.parametrize("error", PASSING, ids=lambda error: f"{type(error).__name__} {error}")
def test_outages_are_worth_waiting_for(error: Exception) -> None:
    assert type(error).__name__ in str(RedisLink("redis://localhost", cluster=True).passing(error))


@pytest.mark.parametrize("error", LASTING, ids=lambda error: f"{type(error).__name__} {error}")
def test_mistakes_are_not(error: Exception) -> None:
    assert RedisLink("redis://localhost", cluster=True).passing(error) is None


def test_a_moved_slot_is_followed_in_a_cluster_and_a_mistake_without() -> None:
    moved = MovedError("12 host:1")
    assert RedisLink("redis://localhost", cluster=True).passing(moved) is not None
    assert RedisLink("redis://localhost").passing(moved) is None


def test_a_wrong_password_is_said_at_once_and_never_shown(tmp_path: Path) -> None:
    async def use(url: str) -> None:
        link = RedisLink(url)
        try:
            await RedisPartitionStore(link).read_meta(0)
        finally:
            await link.close()

    try:
        with redis_server(tmp_path / "r") as server:
            with server.client() as admin:
                admin.acl_setuser("cw", enabled=True, passwords=["+right-s3cret"], keys=["*"], commands=["+@all"])
            asyncio.run(use(f"redis://cw:right-s3cret@127.0.0.1:{server.port}/0"))
            with pytest.raises(StoreMisconfigured) as caught:
                asyncio.run(use(f"redis://cw:wrong-s3cret@127.0.0.1:{server.port}/0"))
            assert "s3cret" not in str(caught.value)
    except RedisMissing as why:
        missing("Redis", why)


def test_a_unix_socket_and_tls_serve_as_well(tmp_path: Path, real_redis: RunningRedis) -> None:
    async def use(url: str) -> int:
        link = RedisLink(url)
        try:
            store = RedisPartitionStore(link, prefix="url" + secrets.token_hex(3))
            return (await store.take_epoch(0, 1, 1, "a")).epoch
        finally:
            await link.close()

    assert asyncio.run(use(f"unix://{real_redis.socket}")) == 1
    if shutil.which("openssl") is None:
        missing("openssl", "not in PATH")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", certificate]
    subprocess.run([*make, *subject], check=True, capture_output=True)

    port = own_port()
    tls = ["--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
           "--tls-ca-cert-file", str(certificate), "--tls-auth-clients", "no"]  # fmt: skip
    with redis_server(tmp_path / "tls", tls):
        assert asyncio.run(use(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}")) == 1


def test_backoff_reports_every_pause_and_stops_when_patience_ends() -> None:
    now_s, told = [100.0], list[Retrying]()

    async def sleep(pause_s: float) -> None:
        now_s[0] += pause_s

    async def fail() -> None:
        raise ConnectionError("down")

    backoff = Backoff(1.0, 4.0, patience_s=12.0, on_retry=told.append, monotonic=lambda: now_s[0], sleep=sleep)
    with pytest.raises(builtins.TimeoutError, match="load: gave up after 5 attempts: ConnectionError"):
        asyncio.run(backoff.run("load", fail, lambda error: type(error).__name__))
    assert [at.pause_s for at in told] == [1.0, 2.0, 4.0, 4.0]
    with pytest.raises(ConnectionError):
        asyncio.run(backoff.run("load", fail, lambda _: None))
