"""Redis behind TLS and ACLs: clients get in, what is refused is told in one line, a right that is missing does no damage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streams.runtime.backoff import Backoff, Retrying
from streams.runtime.connect import connected_store, link_to
from streams.runtime.redis_diagnosis import diagnose_redis
from streams.runtime.redis_rights import ROLES, SAMPLES, missing_commands, worker_roles
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.settings import Settings
from streams.runtime.store import CommitRequest, OutboxEntry, StoreMisconfigured
from tests.support.certificates import Authority
from tests.support.eventually import wait_until
from tests.support.ports import own_port
from tests.support.secured_redis import SecuredRedis, secured_redis

WORKER = worker_roles(playbook=True, wait_replicas=True)
CUSTOMERS = [(f"c{number}", b"r") for number in range(3)]
FULL = CommitRequest(
    1, "one", records=CUSTOMERS, due=[("c0", 5), ("c1", None)], risk=[("c0", 0.5)], offsets={"purchases": 7}, state=b"s",
    outbox=[OutboxEntry(1, "t", b"k", b"v")], triggered=[("call\0c0", 5)], forget_triggered_before_s=1,
)  # fmt: skip
"""Everything that a commit can hold."""


def settings_for(server: SecuredRedis, ours: Authority, prefix: str, **more: Any) -> Settings:
    given = {"url": server.tls_url("worker"), "ca_file": str(ours.ca), "prefix": prefix, "timeout_s": 2.0, **more}
    return Settings(redis={name: value for name, value in given.items() if value is not None}, kafka={"partitions": 1})


@asynccontextmanager
async def store_of(settings: Settings, retries: list[Retrying] | None = None) -> AsyncIterator[RedisPartitionStore]:
    """With a patience that has no end."""
    link = link_to(settings.redis)
    told = [] if retries is None else retries
    try:
        yield RedisPartitionStore(link, prefix=settings.redis.prefix, backoff=Backoff(on_retry=told.append))
    finally:
        await link.close()


async def use(store: RedisPartitionStore) -> None:
    meta = await store.take_epoch(0, 1, 1, "nonce")
    await store.commit(0, meta.epoch, "nonce", FULL)
    assert await store.load(0, ["c2"]) == [b"r"]


@pytest.fixture
def mutual_redis(secured_store: SecuredRedis) -> Iterator[SecuredRedis]:
    """The same, while it asks for a certificate."""
    with secured_store.client() as client:
        client.config_set("tls-auth-clients", "yes")
        yield secured_store
        client.config_set("tls-auth-clients", "optional")


async def test_the_store_works_over_tls_with_an_authority_of_our_own(
    secured_store: SecuredRedis, ours: Authority, prefix: str
) -> None:
    secured_store.let("worker", prefix, *WORKER)
    settings = settings_for(secured_store, ours, prefix)
    async with store_of(settings) as store:
        await use(store)


async def test_a_server_may_ask_for_our_certificate(mutual_redis: SecuredRedis, ours: Authority, prefix: str) -> None:
    mutual_redis.let("worker", prefix, *WORKER, "doctor")
    mine = ours.issue("worker")
    for files in ({"cert_file": mine.both}, {"cert_file": mine.cert, "key_file": mine.key}):
        settings = settings_for(mutual_redis, ours, prefix, **{name: str(path) for name, path in files.items()})
        async with store_of(settings) as store:
            assert (await store.read_meta(0)).epoch == 0
        assert "error" not in {found.status for found in diagnose_redis(settings)}


@pytest.fixture
def cluster_node(ours: Authority, tmp_path: Path) -> Iterator[SecuredRedis]:
    """A cluster of one node that speaks TLS alone, and goes by its address, which its certificate has not."""
    more = ["--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-announce-ip", "127.0.0.1"]
    more += ["--cluster-port", str(own_port())]
    with secured_redis(tmp_path / "cluster", ours, more) as server:
        with server.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            wait_until(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"), "the cluster is up")
        yield server


async def test_a_cluster_speaks_tls_with_the_least_rights_too(cluster_node: SecuredRedis, ours: Authority, prefix: str) -> None:
    more = "every role with redis.cluster, also"
    cluster_node.let("worker", prefix, *WORKER, more)
    cluster_node.forget()
    settings = settings_for(cluster_node, ours, prefix, cluster=True, check_hostname=False)
    async with store_of(settings) as store:
        await use(store)
    assert cluster_node.refused() == []
    assert set(ROLES[more]) - cluster_node.ran() == {"asking"}  # one node has nobody to ask


@pytest.mark.parametrize(
    ("change", "what", "fix"),
    [
        ({"password": "wr0ng-secret"}, "the login is refused", "check user and password in redis.url"),
        ({"user": "nobody", "password": "wr0ng-secret"}, "the login is refused", "check user and password in redis.url"),
        ({"ca_file": None}, "certificate is not accepted", "set redis.ca_file"),
        ({"host": "127.0.0.1"}, "certificate is not accepted", "connect under a name that the certificate has"),
    ],
)
async def test_what_redis_refuses_is_one_line_with_the_remedy_and_is_not_tried_again(
    change: dict[str, Any], what: str, fix: str, secured_store: SecuredRedis, ours: Authority, prefix: str
) -> None:
    secured_store.let("worker", prefix, *WORKER)
    given = {"user": "worker", **{name: value for name, value in change.items() if name != "ca_file"}}
    files = {name: value for name, value in change.items() if name == "ca_file"}
    settings = settings_for(secured_store, ours, prefix, url=secured_store.tls_url(**given), **files)
    await _refused(settings, what, fix)
    (told,) = [found for found in diagnose_redis(settings) if found.status == "error"]
    assert "wr0ng-secret" not in str(told)


async def test_a_server_that_wants_a_certificate_says_so(mutual_redis: SecuredRedis, ours: Authority, prefix: str) -> None:
    await _refused(settings_for(mutual_redis, ours, prefix), "refuses the handshake", "set redis.cert_file")


async def _refused(settings: Settings, what: str, fix: str) -> None:
    retries: list[Retrying] = []
    async with store_of(settings, retries) as store:
        with pytest.raises(StoreMisconfigured) as refused:
            await asyncio.wait_for(store.read_meta(0), 10.0)
    told = str(refused.value)
    assert what in told
    assert fix in told
    assert "\n" not in told
    assert "wr0ng-secret" not in told
    # a server may reset the connection before we have read why; then it is asked again
    assert all("reset" in retry.error for retry in retries)


async def test_every_command_that_a_worker_lacks_is_named_and_nothing_else(
    secured_store: SecuredRedis, ours: Authority, prefix: str
) -> None:
    settings = settings_for(secured_store, ours, prefix)
    link = link_to(settings.redis)
    for command in sorted({command for role in WORKER for command in ROLES[role]} - {"eval"}):  # by which we ask
        secured_store.let("worker", prefix, *WORKER, without=command)
        assert await missing_commands(link, prefix, WORKER, Backoff(patience_s=1.0)) == [command]
    secured_store.let("worker", prefix, *WORKER)
    assert await missing_commands(link, prefix, WORKER, Backoff(patience_s=1.0)) == []
    await link.close()


@pytest.mark.parametrize("command", ["hset", "mset", "zadd", "zrem", "zremrangebyscore", "xadd", "type", "exists", "hmget"])
async def test_a_commit_that_may_not_run_all_it_needs_writes_nothing(
    command: str, secured_store: SecuredRedis, ours: Authority, prefix: str
) -> None:
    secured_store.let("worker", prefix, *WORKER)
    settings = settings_for(secured_store, ours, prefix)
    async with store_of(settings) as store:
        meta = await store.take_epoch(0, 1, 1, "nonce")
        before = _dump(secured_store, prefix)
        secured_store.let("worker", prefix, *WORKER, without=command)
        with pytest.raises(StoreMisconfigured, match=r"run th.*command.*; grant it"):
            await store.commit(0, meta.epoch, "nonce", FULL)
        assert _dump(secured_store, prefix) == before
        secured_store.let("worker", prefix, *WORKER)
        await store.commit(0, meta.epoch, "nonce", FULL)


def _dump(server: SecuredRedis, prefix: str) -> dict[bytes, Any]:
    with server.client() as client:
        return {key: client.dump(key) for key in client.scan_iter(match=f"{prefix}*")}


async def test_keys_of_others_are_out_of_reach(secured_store: SecuredRedis, ours: Authority, prefix: str) -> None:
    secured_store.let("worker", f"{prefix}mine", *WORKER)
    async with connected_store(settings_for(secured_store, ours, f"{prefix}yours")) as store:
        with pytest.raises(StoreMisconfigured, match="grant it"):
            await store.read_meta(0)


def test_every_command_of_the_table_has_a_sample() -> None:
    named = {command for role, commands in ROLES.items() if "cluster" not in role for command in commands}
    assert named == SAMPLES.keys()
