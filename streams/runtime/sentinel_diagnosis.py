"""Do the sentinels answer, agree, and have somebody to promote? Asked with SENTINEL MASTER."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.connection import ConnectionPool, parse_url
from redis.exceptions import RedisError

from streams.runtime.findings import Finding
from streams.runtime.redis_connections import Address
from streams.runtime.redis_errors import mask
from streams.runtime.settings_redis import RedisSettings

FEWEST = 3
"""Sentinels of which one may be lost: two are still a majority."""


def diagnose_sentinels(settings: RedisSettings) -> tuple[list[Finding], Address | None]:
    """What there is to say of each sentinel and of all, and the primary they name; None where none is named."""
    findings: list[Finding] = []
    named: list[dict[str, Any]] = []
    for host, port in settings.sentinel_addresses():
        subject = f"redis sentinel {host}:{port}"
        try:
            with _client(settings, (host, port)) as client:
                state = client.sentinel_master(settings.sentinel_master)
        except (RedisError, OSError) as error:
            what = mask(" ".join(str(error).split()))[:200]
            findings.append(Finding(subject, "error", what, "check redis.sentinels, sentinel_master and sentinel_password"))
            continue
        findings.append(_sentinel(subject, state))
        named.append(state)
    if not named:
        return findings, None
    newest = max(named, key=lambda state: int(state["config-epoch"]))
    return [*findings, *_together(newest, named)], _address(newest)


def primary_client(settings: RedisSettings, address: Address) -> Redis:
    """A client of the primary that sentinels name, with what redis.url says beside the address."""
    host, port = address
    return _pooled(_url_options(settings) | {"host": host, "port": port}, settings)


def _client(settings: RedisSettings, address: Address) -> Redis:
    password = settings.sentinel_password
    login = {"username": settings.sentinel_username, "password": password.get_secret_value() if password else None}
    options = _url_options(settings) | login | {"host": address[0], "port": address[1], "db": 0}
    return _pooled(options, settings)


def _url_options(settings: RedisSettings) -> dict[str, Any]:
    found = dict(parse_url(settings.url.get_secret_value()))  # type: ignore[no-untyped-call] # redis-py leaves it untyped
    return found | {"driver_info": None, **settings.tls_options()}


def _pooled(options: dict[str, Any], settings: RedisSettings) -> Redis:
    times = {"socket_timeout": settings.timeout_s, "socket_connect_timeout": settings.timeout_s}
    return Redis.from_pool(ConnectionPool(**options | times))


def _address(state: dict[str, Any]) -> Address:
    return str(state["ip"]), int(state["port"])


def _sentinel(subject: str, state: dict[str, Any]) -> Finding:
    host, port = _address(state)
    if state["is_sdown"] or state["is_odown"]:
        return Finding(subject, "error", f"{host}:{port} is down, and no other is primary yet", "wait for the failover; start it")
    return Finding(subject, "ok", f"names {host}:{port}")


def _together(newest: dict[str, Any], named: Sequence[dict[str, Any]]) -> list[Finding]:
    findings: list[Finding] = []
    others = {_address(state) for state in named} - {_address(newest)}
    if others:
        what = f"name different primaries: {', '.join(f'{host}:{port}' for host, port in sorted({_address(newest), *others}))}"
        findings.append(Finding("redis sentinels", "error", what, "let them reach one another; SENTINEL RESET on who is behind"))
    sentinels = int(newest["num-other-sentinels"]) + 1
    if sentinels < FEWEST:
        what = f"{sentinels} know of one another: with one lost, no majority is left to promote a replica"
        findings.append(Finding("redis sentinels", "warning", what, f"run {FEWEST} or more, on hosts of their own"))
    if int(newest["num-slaves"]) == 0:
        findings.append(Finding("redis sentinels", "warning", "know of no replica to promote", "start a replica of the primary"))
    return findings or [Finding("redis sentinels", "ok", f"{sentinels} agree; replicas: {newest['num-slaves']}")]
