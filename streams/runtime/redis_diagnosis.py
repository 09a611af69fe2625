"""Is this Redis fit to hold customers' state? Asked with commands that managed services allow (INFO, TIME, HGET)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, cast

from redis import Redis, RedisCluster
from redis.cluster import ClusterNode
from redis.exceptions import AuthenticationError, NoPermissionError, RedisClusterException, RedisError

from streams.runtime.commits import unpack_state
from streams.runtime.findings import Finding
from streams.runtime.redis_connections import Address
from streams.runtime.redis_errors import mask
from streams.runtime.sentinel_diagnosis import diagnose_sentinels, primary_client
from streams.runtime.settings import Settings

OLDEST = (6, 2)
"""Older ones are untested and out of support."""
CLOCKS_MAY_DIFFER_S = 2.0


def diagnose_redis(settings: Settings) -> list[Finding]:
    """Reachability, version, eviction, persistence, clock and layout of every primary. Never raises for what it finds."""
    url = settings.redis.url.get_secret_value()
    sentinels, primary = diagnose_sentinels(settings.redis)
    if settings.redis.sentinels and primary is None:
        return sentinels
    return [*sentinels, *_servers(settings, url, primary)]


def _servers(settings: Settings, url: str, primary: Address | None) -> list[Finding]:
    try:
        with _client(settings, url, primary) as client:
            nodes = _primaries(client)
            findings = [found for name, node in nodes for found in _server(name, node, settings.redis.wait_replicas)]
            return [*findings, *_layout(settings, client), *_mode(settings, client)]
    except AuthenticationError:
        return [Finding("redis", "error", f"{mask(url)}: the login was refused", "check user and password in redis.url")]
    except NoPermissionError as error:
        fix = "grant the user INFO, TIME, HGET and what the store uses"
        return [Finding("redis", "error", f"{mask(url)}: {mask(str(error))}", fix)]
    except (RedisError, RedisClusterException, OSError, ValueError) as error:
        what = f"{mask(url)}: {mask(' '.join(str(error).split()))[:200]}"
        return [Finding("redis", "error", what, "start Redis, or set CHURNWATCH_REDIS__URL; check redis.cluster")]


def _client(settings: Settings, url: str, primary: Address | None) -> Any:
    if primary is not None:
        return primary_client(settings.redis, primary)
    options: dict[str, Any] = {"socket_timeout": settings.redis.timeout_s, "socket_connect_timeout": settings.redis.timeout_s}
    options |= {"protocol": 2, "driver_info": None, **settings.redis.tls_options()}
    if not settings.redis.cluster:
        return Redis.from_url(url, **options)
    nodes = [ClusterNode(*node) for node in settings.redis.further_nodes()]  # type: ignore[no-untyped-call]  # as below
    return RedisCluster.from_url(url, startup_nodes=nodes, **options) if nodes else RedisCluster.from_url(url, **options)


def _primaries(client: Any) -> list[tuple[str, Any]]:
    """Name and connection of each server that takes writes."""
    if isinstance(client, RedisCluster):
        nodes = client.get_primaries()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
        return [(f"redis {node.name}", client.get_redis_connection(node)) for node in nodes]
    return [("redis", client)]


def _server(name: str, node: Any, wait_replicas: int) -> Iterator[Finding]:
    info = cast("dict[str, Any]", node.info())
    yield _version(name, info)
    if info.get("role", "master") != "master":
        yield Finding(name, "error", "is a replica and takes no writes", "point redis.url at the primary")
    if (replicas := int(info.get("connected_slaves", wait_replicas))) < wait_replicas:
        what = f"has {replicas} replicas, redis.wait_replicas is {wait_replicas}: no message leaves"
        yield Finding(f"{name} replicas", "error", what, "start replicas, or lower redis.wait_replicas")
    yield _eviction(name, info)
    yield _persistence(name, info)
    yield _clock(name, node)


def _version(name: str, info: dict[str, Any]) -> Finding:
    kind = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        return Finding(name, "error", f"{kind} {version} is too old", f"use {OLDEST[0]}.{OLDEST[1]} or later")
    return Finding(name, "ok", f"{kind} {version} answers")


def _eviction(name: str, info: dict[str, Any]) -> Finding:
    policy = info.get("maxmemory_policy")
    if policy is None:
        return Finding(f"{name} eviction", "unknown", "maxmemory-policy is not told", "make sure that it is noeviction")
    if policy.startswith("allkeys-"):
        what = f"maxmemory-policy is {policy}: customers vanish when memory is short"
        return Finding(f"{name} eviction", "error", what, "set maxmemory-policy to noeviction")
    if evicted := int(info.get("evicted_keys", 0)):
        what = f"{evicted} keys were evicted since its start: if they were customers, they are forgotten"
        return Finding(f"{name} eviction", "warning", what, "restore a backup or `churnwatch rebuild` if no other application's")
    if policy != "noeviction":
        what = f"maxmemory-policy is {policy}: keys with an expiry vanish when memory is short; churnwatch has none"
        return Finding(f"{name} eviction", "ok", what)
    return Finding(f"{name} eviction", "ok", "noeviction")


def _persistence(name: str, info: dict[str, Any]) -> Finding:
    if not int(info.get("aof_enabled", 0)):
        what = "appendonly is off: a restart loses commits, and the state must be rebuilt"
        return Finding(f"{name} persistence", "warning", what, "set appendonly to yes")
    if info.get("aof_last_write_status", "ok") != "ok":
        return Finding(f"{name} persistence", "error", "the append-only file could not be written", "make room on its disk")
    return Finding(f"{name} persistence", "ok", "append-only file")


def _clock(name: str, node: Any) -> Finding:
    before_s = time.time()
    seconds, micros = node.time()
    after_s = time.time()
    ahead_s = seconds + micros / 1e6 - (before_s + after_s) / 2
    return clock_finding(f"{name} clock", ahead_s, uncertain_s=(after_s - before_s) / 2)


def clock_finding(subject: str, ahead_s: float, uncertain_s: float) -> Finding:
    """What a clock `ahead_s` before ours (negative: behind), known to within `uncertain_s`, means.

    >>> clock_finding("redis clock", -3.0, 0.1)
    Finding(subject='redis clock', status='warning', what='3.0 s behind this host', fix='run NTP on both')
    """
    if abs(ahead_s) - uncertain_s <= CLOCKS_MAY_DIFFER_S:
        return Finding(subject, "ok", f"within {CLOCKS_MAY_DIFFER_S:g} s of this host")
    side = "ahead of" if ahead_s > 0 else "behind"
    return Finding(subject, "warning", f"{abs(ahead_s):.1f} s {side} this host", "run NTP on both")


def _mode(settings: Settings, client: Any) -> Iterator[Finding]:
    """History or live, as the partitions' owners have recorded it."""
    metas = [client.hget(f"{settings.redis.prefix}:{{{p}}}:meta", "state") for p in range(settings.kafka.partitions)]
    history = [partition for partition, state in enumerate(metas) if state and unpack_state(state).live_after_ms is None]
    if history and settings.time.clock == "wall":
        fix = "run `churnwatch go-live` with workers that have time.clock: history"
        yield Finding("redis mode", "error", f"time.clock is wall, but history is being loaded into partitions {history}", fix)
    elif any(metas):
        live = sum(state is not None for state in metas) - len(history)
        yield Finding("redis mode", "ok", f"{len(history)} partitions load history, {live} are live")


def _layout(settings: Settings, client: Any) -> Iterator[Finding]:
    """The partition count is part of the keys' layout, so another one would look for customers in the wrong place."""
    stored = client.hget(f"{settings.redis.prefix}:{{0}}:meta", "partitions")
    if stored is None:
        yield Finding("redis state", "ok", "nothing stored yet under this prefix")
    elif int(stored) != settings.kafka.partitions:
        what = f"was written for {int(stored)} partitions, kafka.partitions is {settings.kafka.partitions}"
        yield Finding("redis state", "error", what, f"set kafka.partitions to {int(stored)}, or `churnwatch rebuild`")
    else:
        yield Finding("redis state", "ok", f"written for {int(stored)} partitions, as set")
