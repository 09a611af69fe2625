"""Redis is away while partitions are assigned: Faust must not wait for it, for when it has waited 90 s it never reads again.

And what a worker says of itself meanwhile; that it does not outlive Faust.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS
from streams.runtime.app import Worker
from streams.runtime.settings import load_settings
from streams.runtime.topics import read_by_workers
from tests.oracle.recount import read_plain
from tests.support.brokers import RunningBroker
from tests.support.eventually import DEADLINE_S
from tests.support.live import Live
from tests.support.redis_servers import RunningRedis
from tests.support.replays import PARTITIONS, Replayed, Site, assert_as_from_the_file


async def test_a_rebalance_ends_without_redis_and_partitions_are_taken_once_it_is_back(
    real_kafka: RunningBroker, own_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    path = tmp_path / "history.csv"
    events, _ = simulate_customers(30, 60, 20_000 * DAY_MS, seed=1)
    write_history(path, events, "USD", "e")
    history = Replayed(str(path), None, lambda: read_plain(path))
    site = Site(real_kafka, own_redis, prefix, history, CHURNWATCH_HTTP__PORT="0")
    site.replay()
    own_redis.kill()
    worker = Worker(site.settings)
    running = asyncio.create_task(worker.run())
    try:
        # claimed, and nothing of it may be fetched
        await until(running, lambda: len(worker.owner.held()) == len(read_by_workers(cancellations=False)) * PARTITIONS)
        await until(running, worker.app.tables.recovery.completed.is_set)
        assert not worker.state().joined
        own_redis.start()
        await until(running, site.caught_up)
    finally:
        worker.stop()
        await running
    assert_as_from_the_file(site)


async def test_a_worker_is_not_ready_while_a_rebalance_is_under_way_and_ends_when_faust_has_crashed(
    real_kafka: RunningBroker, own_redis: RunningRedis, prefix: str
) -> None:
    """Redis is frozen so that the rebalance lasts until the test has looked."""
    site = Live(real_kafka, own_redis, prefix, partitions=2, CHURNWATCH_HTTP__PORT="0", CHURNWATCH_REDIS__TIMEOUT_S="1")
    settings = load_settings(None, site.environment)
    first, second = Worker(settings), Worker(settings)
    running = asyncio.create_task(first.run())
    await until(running, lambda: first.state().owned == {0, 1})
    report = await first.health.ready()
    assert report.ok, report
    own_redis.freeze()
    other = asyncio.create_task(second.run())
    await until(running, lambda: not first.state().joined)
    report = await first.health.ready()
    told = {check.name: check.reason for check in report.checks if not check.ok}
    assert "a rebalance is under way" in told["assignment"]
    own_redis.thaw()
    await until(running, lambda: len(first.state().owned) == len(second.state().owned) == 1)
    await until(running, lambda: first.state().joined and second.state().joined)
    for worker in (first, second):
        report = await worker.health.ready()
        assert report.ok, report
    second.stop()
    await other
    await first.app.crash(RuntimeError("its fetcher died"))
    with pytest.raises(RuntimeError, match="its fetcher died"):
        await running


async def until(running: asyncio.Task[None], condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():
            assert not running.done(), "the worker ended"
            await asyncio.sleep(0.05)
