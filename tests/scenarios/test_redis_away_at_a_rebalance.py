"""Redis is away while partitions are assigned: Faust must not wait for it, for when it has waited 90 s it never reads again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.columns import DAY_MS
from streams.runtime.app import Worker
from tests.oracle.recount import read_plain
from tests.support.brokers import RunningBroker
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
        await until(running, lambda: len(worker.owner.held()) == 4 * PARTITIONS)  # claimed, and nothing of it may be fetched
        await until(running, worker.app.tables.recovery.completed.is_set)
        assert not worker.state().joined
        own_redis.start()
        await until(running, site.caught_up)
    finally:
        worker.stop()
        await running
    assert_as_from_the_file(site)


async def until(running: asyncio.Task[None], condition: Callable[[], object], deadline_s: float = 120.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():
            assert not running.done(), "the worker ended"
            await asyncio.sleep(0.05)
