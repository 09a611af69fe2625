"""Redis out of memory is waited for, in words; one that would evict customers is refused."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.brokers import RunningBroker
from tests.support.live import Live, now_ms
from tests.support.redis_servers import RunningRedis
from tests.support.workers import Fleet, WorkerProcess


def unready(worker: WorkerProcess, check: str) -> str:
    """Why this check of /readyz fails; "" where it does not."""
    status, body = worker.get("/readyz")
    found = json.loads(body)["checks"][check] if status == 503 else {"ok": True}
    return "" if found["ok"] else str(found["reason"])


def test_a_worker_waits_for_a_redis_that_is_full_and_leaves_one_that_evicts(
    real_kafka: RunningBroker, own_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    site = Live(real_kafka, own_redis, prefix)
    site.buys("anna", now_ms())
    with Fleet(site.environment, tmp_path) as fleet, own_redis.client() as redis:
        worker = fleet.start()
        fleet.until(lambda: worker.ready() and site.folded()["purchases"] == 1, "folded")
        redis.config_set("maxmemory", "100kb")
        fleet.until(lambda: "out of memory" in unready(worker, "redis"), "it says so")
        assert "raise its maxmemory" in unready(worker, "redis")
        assert worker.metric("churnwatch_waiting_seconds", server="redis") > 1.0
        assert worker.get("/healthz")[0] == 200
        site.buys("anna", now_ms())
        redis.config_set("maxmemory", "0")
        fleet.until(lambda: site.folded()["purchases"] == 2, "it goes on")
        fleet.until(worker.ready, "ready again")
        assert worker.metric("churnwatch_waiting_seconds", server="redis") < 1.0
        assert worker.applied() == 2

        redis.config_set("maxmemory", "1gb")
        redis.config_set("maxmemory-policy", "allkeys-lru")
        worker.may_end = True
        fleet.until(lambda: worker.exit_code() is not None, "it leaves")
        assert worker.exit_code() == 1
        (line,) = worker.plain_lines()
        assert "maxmemory-policy is allkeys-lru" in line
        assert "set maxmemory-policy to noeviction" in line
        again = fleet.start()
        again.may_end = True
        fleet.until(lambda: again.exit_code() is not None, "it does not even begin")
        assert again.plain_lines() == [line]
        assert not again.said("partitions assigned")
