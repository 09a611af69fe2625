"""Bytes of Redis per customer: what the server's memory has grown by while a worker loaded a base, all keys counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.parts import Parts
from benchmarks.stream import PARTITIONS
from tests.support.redis_servers import RunningRedis


@dataclass(frozen=True, slots=True)
class FootprintResult:
    """customers            with a record
    bytes_per_customer   growth of `used_memory`, but pending feature snapshots, over the customers
    """

    customers: int
    bytes_per_customer: float


def used_bytes(server: RunningRedis) -> int:
    """What the server's allocator has handed out, keys and everything beside them."""
    with server.client() as client:
        info: dict[str, Any] = client.info("memory")
    return int(info["used_memory"])


def measure_footprint(parts: Parts, before_bytes: int, customers: int) -> FootprintResult:
    """Look at what a worker has left in a server of its own.

    before_bytes   `used_bytes` before the worker started
    Raises RuntimeError unless every one of `customers` has a record and is due.
    """
    grown = used_bytes(parts.server) - before_bytes
    prefix = parts.settings.redis.prefix
    with parts.server.client() as client:
        heads = [f"{prefix}:{{{partition}}}:" for partition in range(PARTITIONS)]
        due = sum(client.zcard(head + "due") for head in heads)
        records = sum(1 for head in heads for _ in client.scan_iter(match=head + "c:*", count=5_000))
        pending = sum(client.memory_usage(head + "pending", samples=0) or 0 for head in heads)
    if not records == due == customers:
        raise RuntimeError(f"{customers} customers bought; {records} have a record, {due} are due")
    return FootprintResult(customers, (grown - pending) / customers)
