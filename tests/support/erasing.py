"""For tests of erasure on real parts: events that keep coming, and a search through all that Redis holds."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from streams.columns import DAY_MS
from streams.customer import read_records
from tests.support.live import Live, now_ms


class Flow:
    """A source that sends purchases without a pause while the block lasts; all is acknowledged at its end.

    present   customers who buy now
    late      customers of whom purchases of some days ago arrive
    sent      purchases by customer
    """

    def __init__(self, site: Live, present: Sequence[str], late: Sequence[str]) -> None:
        self._site, self._present, self._late = site, present, late
        self.sent: Counter[str] = Counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Flow:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        began_ms = now_ms()
        with self._site.producer(linger_ms=20) as producer:
            turn = 0
            while not self._stop.wait(0.05):
                for k in range(40):
                    turn += 1
                    customer = self._present[turn % len(self._present)]
                    self._send(producer, customer, began_ms + turn)
                    if k % 2:
                        self._send(producer, self._late[turn // 2 % len(self._late)], began_ms - 3 * DAY_MS + turn)

    def _send(self, producer: KafkaProducer, customer: str, at_ms: int) -> None:
        value = self._site.purchase(customer, at_ms)
        producer.send(self._site.prefix + "purchases", json.dumps(value).encode(), key=customer.encode())
        self.sent[customer] += 1


def buy(site: Live, times_ms: Mapping[str, Sequence[int]]) -> None:
    """Purchases of many, acknowledged."""
    with site.producer(linger_ms=20) as producer:
        for customer, times in times_ms.items():
            for at_ms in times:
                value = json.dumps(site.purchase(customer, at_ms)).encode()
                producer.send(site.prefix + "purchases", value, key=customer.encode())


def everything(site: Live) -> dict[bytes, bytes]:
    """Each key of the system, with all that stands under it, whatever its kind, as one piece of bytes."""
    found: dict[bytes, bytes] = {}
    with site.redis.client() as client:
        for key in client.scan_iter(match=f"{site.prefix}state:*", count=5000):
            kind = client.type(key).decode()
            read: Any = {
                "string": client.get, "hash": client.hgetall, "zset": lambda k: client.zrange(k, 0, -1, withscores=True),
                "stream": client.xrange,
            }[kind]  # fmt: skip
            found[key] = b"|".join(_pieces(read(key)))
    return found


def _pieces(value: Any) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, dict):
        return [piece for pair in value.items() for one in pair for piece in _pieces(one)]
    if isinstance(value, list | tuple):
        return [piece for one in value for piece in _pieces(one)]
    return [str(value).encode()]


def traces(site: Live, mark: bytes) -> list[bytes]:
    """Keys in which, or under which, these bytes stand."""
    return [key for key, content in everything(site).items() if mark in key or mark in content]


def purchases(site: Live) -> dict[str, int]:
    """Purchases that are kept of each customer."""
    with site.redis.client() as client:
        keys = list(client.scan_iter(match=f"{site.prefix}state:*:c:*", count=5000))
        rows = read_records(client.mget(keys)) if keys else []
    return {key.decode().split(":c:")[1]: int(row["purchases"]) for key, row in zip(keys, rows, strict=True)}


def buried(site: Live) -> int:
    """Tombstones, all partitions together."""
    with site.redis.client() as client:
        counts = [client.hlen(f"{site.prefix}state:{{{partition}}}:erased") for partition in range(site.partitions)]
    return sum(count - 1 for count in counts if count)


def folded(site: Live) -> bool:
    """Whether every purchase that stands on the topic is folded or dropped, and nothing waits to leave."""
    consumer = KafkaConsumer(bootstrap_servers=site.broker.bootstrap, group_id=None)
    try:
        ends = consumer.end_offsets([TopicPartition(f"{site.prefix}purchases", p) for p in range(site.partitions)])
    finally:
        consumer.close(autocommit=False)
    return all(site.folded(tp.partition)["purchases"] == end for tp, end in ends.items()) and outbox_empty(site)


def outbox_empty(site: Live) -> bool:
    with site.redis.client() as client:
        return all(client.xlen(f"{site.prefix}state:{{{partition}}}:outbox") == 0 for partition in range(site.partitions))
