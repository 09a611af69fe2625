"""What real servers say of eviction, and what `doctor` and the worker's watch make of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from streams.runtime.redis_diagnosis import diagnose_redis
from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_watch import EvictingRedis, RedisWatch
from streams.runtime.settings import Settings
from tests.support.redis_servers import RunningRedis

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


async def look(url: str, times: int = 1) -> None:
    link = RedisLink(url, timeout_s=1.0)
    watch = RedisWatch(link, ["churnwatch:{0}:meta"], lambda _: None)
    try:
        for _ in range(times):
            await watch.look()
    finally:
        await link.close()


@pytest.mark.parametrize(
    ("policy", "maxmemory", "evicts"),
    [("noeviction", "1gb", False), ("allkeys-lfu", "1gb", True), ("allkeys-lfu", "0", False), ("volatile-lru", "1gb", False)],
)
async def test_only_a_redis_that_may_evict_keys_without_expiry_is_refused(
    own_redis: Callable[..., RunningRedis], policy: str, maxmemory: str, evicts: bool
) -> None:
    server = own_redis("--maxmemory-policy", policy, "--maxmemory", maxmemory)
    if evicts:
        with pytest.raises(EvictingRedis, match=f"maxmemory-policy is {policy}.*set maxmemory-policy to noeviction"):
            await look(server.url)
    else:
        await look(server.url)


async def test_a_user_who_may_not_ask_is_warned_once_and_a_server_that_is_away_is_asked_again(
    own_redis: Callable[..., RunningRedis],
) -> None:
    server = own_redis("--maxmemory-policy", "allkeys-lru", "--maxmemory", "1gb")
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "poor", "on", ">secret", "~*", "+@all", "-info")
    with capture_logs() as logs:
        await look(f"redis://poor:secret@127.0.0.1:{server.port}/0", times=3)
    assert [entry["event"][:44] for entry in logs] == ["redis does not tell its maxmemory-policy; ma"]
    server.kill()
    await look(server.url)


async def test_doctor_counts_what_was_evicted(own_redis: Callable[..., RunningRedis]) -> None:
    server = own_redis("--maxmemory-policy", "allkeys-lru")
    with server.client() as admin:
        for number in range(100):
            admin.set(f"k{number}", "x" * 10_000)
        admin.config_set("maxmemory", int(admin.info("memory")["used_memory"]) - 200_000)
        admin.set("one more", "x")
        admin.config_set("maxmemory", 0)
        admin.config_set("maxmemory-policy", "noeviction")
        evicted = int(admin.info("stats")["evicted_keys"])
    assert evicted > 0
    (found,) = [one for one in diagnose_redis(Settings(redis={"url": server.url})) if one.subject == "redis eviction"]
    assert (found.status, found.what[: len(str(evicted))]) == ("warning", str(evicted))
