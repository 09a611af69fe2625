"""Health: each way not to be ready, in words; and over HTTP, with servers that answer late, wrongly or never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from streams.runtime.health import Answer, Waiting, WorkerState, liveness, readiness
from streams.runtime.health_server import CannotListen, HealthServer
from streams.runtime.metrics import Metrics

GOOD = WorkerState(joined=True, assigned=frozenset({0, 1}), owned=frozenset({0, 1}), unpublished_s={0: 3.0})
FAST = Answer(0.004)


def failing(state: WorkerState, redis: Answer = FAST, broker: Answer = FAST) -> dict[str, str]:
    report = readiness(state, redis, broker, limit_s=2.0, stuck_after_s=60.0)
    bad = {check.name: check.reason for check in report.checks if not check.ok}
    assert report.ok == (not bad)
    return bad


def test_a_worker_at_work_is_ready() -> None:
    assert failing(GOOD) == {}


def test_a_call_that_takes_a_moment_is_not_waited_for() -> None:
    assert failing(replace(GOOD, waiting={"redis": Waiting(4.0, "commit", "no answer")})) == {}


def test_a_restart_would_not_mend_a_partition_that_is_set_aside_so_the_worker_is_alive() -> None:
    assert liveness(replace(GOOD, aside={1: "WRONGTYPE"})).ok


def test_a_spare_worker_without_partitions_is_ready() -> None:
    assert failing(WorkerState(joined=True)) == {}


@pytest.mark.parametrize(
    ("state", "check", "reason"),
    [
        (replace(GOOD, joined=False), "assignment", "rebalance"),
        (replace(GOOD, owned=frozenset({0})), "epochs", "not taken yet, or lost to another worker: 1"),
        (replace(GOOD, dead={1: "Fenced"}), "partition_tasks", "dead: 1"),
        (replace(GOOD, unpublished_s={0: 61.0, 1: 60.0}), "outbox", "partition 0 for 61 s"),
        (replace(GOOD, uncommitted_s={0: 60.0, 1: 61.0}), "commits", "none comes about in partition 1 for 61 s"),
        (replace(GOOD, owned=frozenset({0}), aside={1: "WRONGTYPE"}), "partition_tasks", "set aside, the log says why: 1"),
        (
            replace(GOOD, waiting={"redis": Waiting(4.1, "commit", "Redis is out of memory")}),
            "redis",
            "waiting for 4 s (commit): Redis is out of memory",
        ),
        (replace(GOOD, waiting={"broker": Waiting(40.0, "publish outbox", "")}), "broker", "waiting for 40 s (publish outbox)"),
    ],
)
def test_each_lack_is_named_and_nothing_else(state: WorkerState, check: str, reason: str) -> None:
    bad = failing(state)
    assert set(bad) == {check}
    assert reason in bad[check]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(Answer(4.0, "no answer within 4 s"), "no answer within 4 s"), (Answer(2.5), "answered in 2500 ms, more than 2 s")],
)
def test_a_server_that_is_away_or_slow_is_named(answer: Answer, reason: str) -> None:
    assert failing(GOOD, redis=answer) == {"redis": reason}
    assert failing(GOOD, broker=answer) == {"broker": reason}


def test_a_dead_task_is_not_alive_but_an_unready_worker_is() -> None:
    assert liveness(WorkerState(joined=False)).ok
    report = liveness(replace(GOOD, dead={1: "Fenced: epoch 8 was taken"}))
    assert not report.ok
    assert report.to_dict()["checks"]["partition_tasks"]["reason"] == "partition 1: Fenced: epoch 8 was taken"


class Worker:
    """Stands for the worker: its state and its servers' manners are set by the test."""

    def __init__(self) -> None:
        self.now = GOOD
        self.redis: BaseException | asyncio.Event | None = None

    def state(self) -> WorkerState:
        return self.now

    async def ping_redis(self) -> None:
        if isinstance(self.redis, asyncio.Event):
            await self.redis.wait()
        elif self.redis is not None:
            raise self.redis

    async def ping_broker(self) -> None:
        return None


class Served:
    def __init__(self, server: HealthServer, worker: Worker, session: aiohttp.ClientSession) -> None:
        self.server, self.worker, self.session = server, worker, session

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(f"http://127.0.0.1:{self.server.port}{path}") as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, (await answer.json() if is_json else await answer.text())


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    worker = Worker()
    server = HealthServer(Metrics(CollectorRegistry()).registry, worker, limit_s=0.05)
    await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:
        yield Served(server, worker, session)
    await server.stop()


async def test_metrics_are_served_as_prometheus_reads_them(served: Served) -> None:
    status, text = await served.get("/metrics")
    assert status == 200
    assert 'churnwatch_events_total{topic="purchases"} 0.0' in text
    assert "churnwatch_risk_bucket" in text


async def test_ready_is_200_and_every_check_has_a_reason(served: Served) -> None:
    status, body = await served.get("/readyz")
    assert status == 200
    assert body["ok"] is True
    assert set(body["checks"]) == {"assignment", "epochs", "redis", "broker", "commits", "outbox", "partition_tasks"}
    assert all(check["reason"] for check in body["checks"].values())


async def test_a_redis_that_never_answers_makes_503_in_bounded_time(served: Served) -> None:
    served.worker.redis = asyncio.Event()
    async with asyncio.timeout(5):
        status, body = await served.get("/readyz")
    assert status == 503
    assert body["checks"]["redis"] == {"ok": False, "reason": "no answer within 0.1 s"}
    assert body["checks"]["broker"]["ok"] is True


async def test_what_a_server_says_when_it_fails_is_not_passed_on(served: Served) -> None:
    served.worker.redis = ConnectionError("redis://user:hunter2@h refused")
    status, body = await served.get("/readyz")
    assert status == 503
    assert body["checks"]["redis"]["reason"] == "ConnectionError; the log says more"


async def test_alive_follows_the_partition_tasks(served: Served) -> None:
    served.worker.now = replace(GOOD, joined=False)
    assert (await served.get("/healthz"))[0] == 200
    served.worker.now = replace(GOOD, dead={1: "Fenced"})
    status, body = await served.get("/healthz")
    assert (status, body["ok"]) == (503, False)


async def test_a_taken_port_is_an_error_and_stop_frees_it(served: Served) -> None:
    other = HealthServer(CollectorRegistry(), Worker())
    with pytest.raises(
        CannotListen, match=rf"http.port: {served.server.port} on .*address already in use.*; set CHURNWATCH_HTTP__PORT"
    ):
        await other.start("127.0.0.1", served.server.port)
    await other.stop()
    port = served.server.port
    await served.server.stop()
    await other.start("127.0.0.1", port)
    await other.stop()
