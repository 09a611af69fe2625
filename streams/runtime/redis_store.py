"""The partition store in Redis, Valkey or Redis Cluster.

    <prefix>:{p}:meta     HASH    epoch, nonce, generation, seq, commit_id, outbox_no, state, offset:<topic>, versions, partitions
    <prefix>:{p}:c:<id>   STRING  the customer's record
    <prefix>:{p}:due      ZSET    customer -> event time of the next look, s
    <prefix>:{p}:outbox   STREAM  <number>-0 -> t(opic), k(ey), v(alue)
    <prefix>:{p}:risk     ZSET    customer -> risk 0..1
    <prefix>:{p}:triggered ZSET   <play>\\0<customer> -> event time of the last trigger, s; not there before the first
    <prefix>:{p}:erased   HASH    digest of a customer -> time up to which it is erased, ms; `key` -> fingerprint of the digests'
                                  secret; not there before the first
    <prefix>:{p}:pending  HASH    <day>:<customer> -> what was known of a customer, to learn from when the outcome is; not there
                                  before the first
    <prefix>:{p}:confirm  STRING  written before WAIT, see `confirmed`

The hash tag {p} keeps a partition in one slot, so that one script may touch all of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from streams.runtime.backoff import Backoff
from streams.runtime.redis_calls import RedisCalls
from streams.runtime.redis_link import RedisLink
from streams.runtime.redis_scans import customer_pages, literal, scanned
from streams.runtime.redis_wire import EpochArgs, Script, erased_of, meta_of, pack_commit, refused_epoch
from streams.runtime.store import (
    LAYOUT_VERSION,
    UNKNOWN_SYSTEM,
    CommitRequest,
    ErasedCustomers,
    LostCommits,
    Meta,
    OutboxEntry,
    StoredCustomer,
    System,
)
from streams.runtime.store_rules import check_owner, check_request

LOAD_SLICE = 5000


class RedisPartitionStore:
    """`PartitionStore` over a link.

    link             connections
    prefix           first part of every key; no braces, which would break the hash tag
    record_version   of the records that are written
    newest_record    newest version of records that this program reads, with every older one; None: the one that is written
    wait_replicas    how many replicas must hold an outbox entry before it may leave; 0: none are asked
    wait_ms          longest wait for them at a time
    backoff          pauses, patience and reporting while Redis is away
    """

    def __init__(
        self,
        link: RedisLink,
        *,
        prefix: str = "churnwatch",
        record_version: int = 1,
        newest_record: int | None = None,
        wait_replicas: int = 0,
        wait_ms: int = 1000,
        backoff: Backoff | None = None,
    ) -> None:
        if set("{}") & set(prefix):
            raise ValueError(f"redis.prefix: {prefix!r} contains a brace: take one without")
        self._link = link
        self._prefix = prefix
        self._record_version, self._newest_record = record_version, record_version if newest_record is None else newest_record
        self._wait_replicas, self._wait_ms = wait_replicas, wait_ms
        self._calls = RedisCalls(link, backoff or Backoff())
        self._commit, self._take, self._reset = Script("commit"), Script("take_epoch"), Script("reset_epoch")
        self._ack = Script("ack_outbox")

    async def close(self) -> None:
        """Close the connections."""
        await self._link.close()

    def key(self, partition: int, name: str) -> str:
        """Full name of one of the partition's keys, e.g. `meta` or `c:<customer>`."""
        return f"{self._prefix}:{{{partition}}}:{name}"

    # Epochs and commits

    async def take_epoch(
        self, partition: int, generation: int, partition_count: int, nonce: str, system: System = UNKNOWN_SYSTEM
    ) -> Meta:
        """See `EpochStore`."""
        meta = self.key(partition, "meta")
        versions = (LAYOUT_VERSION, self._newest_record, self._record_version)
        args = EpochArgs(generation, partition_count, *versions, nonce, *system)
        reason, *reply = await self._calls.run(self._take, [meta], *args)
        if reason == b"ok":
            return meta_of(dict(zip(reply[::2], reply[1::2], strict=True)))
        raise refused_epoch(partition, reason.decode(), [part.decode() for part in reply], args)

    async def reset_generation(self, partition: int) -> bool:
        """See `EpochStore`."""
        return bool(await self._calls.run(self._reset, [self.key(partition, "meta")]))

    async def read_meta(self, partition: int) -> Meta:
        """See `EpochStore`."""
        meta = self.key(partition, "meta")
        return meta_of(await self._calls.send("read meta", meta, "HGETALL", meta))

    async def commit(self, partition: int, epoch: int, nonce: str, request: CommitRequest) -> None:
        """See `EpochStore`."""
        check_request(request)
        record_key = self.key(partition, "c:")
        keys = [self.key(partition, name) for name in ("meta", "due", "risk", "outbox", "triggered", "erased", "pending")]
        keys += [record_key + customer for customer, _ in request.records]
        keys += [record_key + customer for customer in request.gone]
        reply = await self._calls.run(self._commit, keys, pack_commit(epoch, nonce, request))
        if reply[0] != b"refused":
            return
        where = f"partition {partition}, commit {request.seq} of epoch {epoch}"
        check_owner(where, (int(reply[1]), reply[2].decode(), int(reply[3])), epoch, nonce)
        raise LostCommits(f"{where}: Redis is at commit {int(reply[3])} of this epoch")

    # Customers

    async def load(self, partition: int, ids: Sequence[str]) -> list[bytes | None]:
        """See `RecordStore`."""
        meta, record_key = self.key(partition, "meta"), self.key(partition, "c:")
        found: list[bytes | None] = []
        for at in range(0, len(ids), LOAD_SLICE):
            keys = [record_key + customer for customer in ids[at : at + LOAD_SLICE]]
            found += await self._calls.send("load", meta, "MGET", *keys)
        return found

    async def due(self, partition: int, until_s: int, limit: int) -> list[str]:
        """See `RecordStore`."""
        due = self.key(partition, "due")
        members = await self._calls.send("due", due, "ZRANGEBYSCORE", due, "-inf", until_s, "LIMIT", 0, limit)
        return [member.decode() for member in members]

    async def riskiest(self, partition: int, limit: int) -> list[tuple[str, float]]:
        """See `RecordStore`."""
        risk = self.key(partition, "risk")
        [flat] = await self._calls.in_row("riskiest", risk, ("ZREVRANGE", risk, 0, limit - 1, "WITHSCORES"))
        return [(member.decode(), float(score)) for member, score in zip(flat[::2], flat[1::2], strict=True)]

    async def read_customer(self, partition: int, customer_id: str) -> StoredCustomer | None:
        """See `RecordStore`."""
        due, risk = self.key(partition, "due"), self.key(partition, "risk")
        record_key = self.key(partition, "c:") + customer_id
        commands = (("GET", record_key), ("ZSCORE", due, customer_id), ("ZSCORE", risk, customer_id))
        record, due_s, score = await self._calls.in_row("read customer", due, *commands)
        if record is None:
            return None
        return StoredCustomer(record, None if due_s is None else int(float(due_s)), None if score is None else float(score))

    async def triggered(self, partition: int, names: Sequence[str]) -> list[int | None]:
        """See `RecordStore`."""
        triggered = self.key(partition, "triggered")
        found: list[Any] = []
        for at in range(0, len(names), LOAD_SLICE):
            found += await self._calls.send("triggered", triggered, "ZMSCORE", triggered, *names[at : at + LOAD_SLICE])
        return [None if time_s is None else int(float(time_s)) for time_s in found]

    async def triggered_of(self, partition: int, customers: Collection[str]) -> list[str]:
        """See `RecordStore`."""
        triggered, wanted = self.key(partition, "triggered"), {customer.encode() for customer in customers}
        pages = scanned(self._calls.in_row, "ZSCAN", triggered)
        found = [name async for page in pages for name in page[::2] if name.partition(b"\0")[2] in wanted]
        return [name.decode() for name in dict.fromkeys(found)]

    async def pending(self, partition: int, names: Sequence[str]) -> list[bytes | None]:
        """See `RecordStore`."""
        pending, found = self.key(partition, "pending"), list[bytes | None]()
        for at in range(0, len(names), LOAD_SLICE):
            found += await self._calls.send("pending", pending, "HMGET", pending, *names[at : at + LOAD_SLICE])
        return found

    async def pending_of(self, partition: int, customers: Collection[str]) -> list[str]:
        """See `RecordStore`. Walks the whole hash; of one customer alone, the server does."""
        pending, wanted = self.key(partition, "pending"), {customer.encode() for customer in customers}
        pattern = "*:" + literal(next(iter(customers))) if len(wanted) == 1 else "*"
        pages = scanned(self._calls.in_row, "HSCAN", pending, pattern)
        found = [name async for page in pages for name in page[::2] if name.partition(b":")[2] in wanted]
        return [name.decode() for name in dict.fromkeys(found)]

    async def erased(self, partition: int) -> ErasedCustomers:
        """See `RecordStore`."""
        pages = scanned(self._calls.in_row, "HSCAN", self.key(partition, "erased"))
        return erased_of({page[at]: page[at + 1] async for page in pages for at in range(0, len(page), 2)})

    async def erased_at(self, partition: int, digest: bytes) -> int | None:
        """See `RecordStore`."""
        erased = self.key(partition, "erased")
        time_ms = await self._calls.send("erased at", erased, "HGET", erased, digest)
        return None if time_ms is None else int(time_ms)

    async def scan_records(self, partition: int) -> AsyncIterator[tuple[str, bytes]]:
        """See `RecordStore`. Walks the whole key space of the owning server: for fitting and looking, not for the hot path."""
        seen: set[str] = set()
        async for customers in customer_pages(self._calls.in_row, self.key(partition, "c:")):
            fresh = [customer for customer in dict.fromkeys(customers) if customer not in seen]
            seen.update(fresh)
            for customer, record in zip(fresh, await self.load(partition, fresh), strict=True):
                if record is not None:
                    yield customer, record

    # Outbox

    async def outbox_read(self, partition: int, after_no: int, count: int) -> list[OutboxEntry]:
        """See `OutboxStore`."""
        outbox = self.key(partition, "outbox")
        found = await self._calls.send("read outbox", outbox, "XRANGE", outbox, f"({after_no}-0", "+", "COUNT", count)
        return [
            OutboxEntry(int(entry_id.split(b"-")[0]), fields[b"t"].decode(), fields[b"k"], fields[b"v"])
            for entry_id, fields in found
        ]

    async def outbox_ack(self, partition: int, epoch: int, nonce: str, up_to_no: int) -> None:
        """See `OutboxStore`."""
        keys = [self.key(partition, "meta"), self.key(partition, "outbox")]
        reply = await self._calls.run(self._ack, keys, epoch, nonce, up_to_no + 1)
        if reply[0] == b"refused":
            where = f"partition {partition}, outbox up to {up_to_no} in epoch {epoch}"
            check_owner(where, (int(reply[1]), reply[2].decode(), int(reply[3])), epoch, nonce)

    async def outbox_depth(self, partition: int) -> int:
        """See `OutboxStore`."""
        outbox = self.key(partition, "outbox")
        return int(await self._calls.send("outbox depth", outbox, "XLEN", outbox))

    async def confirmed(self, partition: int) -> int | None:
        """See `OutboxStore`.

        WAIT speaks of what its own connection wrote. So one connection reads how far the outbox goes on this server,
        writes something, and waits until that has reached the replicas, and with it all that was read.
        """
        if self._wait_replicas == 0:
            return None
        meta, probe = self.key(partition, "meta"), self.key(partition, "confirm")
        outbox_no, _, replicas = await self._calls.in_row(
            "confirm",
            meta,
            ("HGET", meta, "outbox_no"),
            ("SET", probe, "1"),
            ("WAIT", self._wait_replicas, self._wait_ms),
        )
        return int(outbox_no or 0) if int(replicas) >= self._wait_replicas else 0
