"""The partition store in a dictionary: the fake for tests that need no Redis. It passes the contract that Redis passes."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field

from streams.runtime.store import (
    UNKNOWN_SYSTEM,
    CommitRequest,
    ErasedCustomers,
    LostCommits,
    Meta,
    OutboxEntry,
    PartitionCountChanged,
    StaleGeneration,
    StoredCustomer,
    StoreMisconfigured,
    System,
)
from streams.runtime.store_rules import check_owner, check_request, check_system, unknown_version


@dataclass
class Partition:
    """All that is kept of one partition."""

    meta: Meta = field(default_factory=Meta)
    record_version: int = 0
    records: dict[str, bytes] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)
    risk: dict[str, float] = field(default_factory=dict)
    outbox: list[OutboxEntry] = field(default_factory=list)
    triggered: dict[str, int] = field(default_factory=dict)
    pending: dict[str, bytes] = field(default_factory=dict)
    fingerprint: str = ""
    erased: dict[bytes, int] = field(default_factory=dict)


class MemoryStore:
    """`PartitionStore` in memory.

    record_version, newest_record   see RedisPartitionStore
    replicas_hold   what `confirmed` answers: None (no replicas asked for) or the highest number they hold
    `partitions` may be copied and put back by a test to play a replica that lost commits.
    """

    def __init__(self, record_version: int = 1, newest_record: int | None = None) -> None:
        self.partitions: dict[int, Partition] = {}
        self.replicas_hold: int | None = None
        self._record_version, self._newest_record = record_version, record_version if newest_record is None else newest_record

    def of(self, partition: int) -> Partition:
        return self.partitions.setdefault(partition, Partition())

    async def take_epoch(
        self, partition: int, generation: int, partition_count: int, nonce: str, system: System = UNKNOWN_SYSTEM
    ) -> Meta:
        at = self.of(partition)
        meta = at.meta
        if at.record_version > self._newest_record:
            raise unknown_version(partition, "record version", at.record_version, self._newest_record)
        check_system(partition, meta.system, system)
        if meta.partition_count not in (None, partition_count):
            raise PartitionCountChanged(f"{meta.partition_count}, not {partition_count}")
        if meta.generation > generation:
            raise StaleGeneration(f"{generation} is older than {meta.generation}")
        if (meta.generation, meta.nonce) != (generation, nonce):
            at.meta = dataclasses.replace(
                meta, epoch=meta.epoch + 1, generation=generation, nonce=nonce, partition_count=partition_count, system=system
            )
            at.record_version = max(at.record_version, self._record_version)
        return copy.deepcopy(at.meta)

    async def reset_generation(self, partition: int) -> bool:
        if partition not in self.partitions or self.of(partition).meta == Meta():
            return False
        at = self.of(partition)
        forgotten = at.meta.system._replace(group="")
        at.meta = dataclasses.replace(at.meta, epoch=at.meta.epoch + 1, generation=-1, nonce="", system=forgotten)
        return True

    async def read_meta(self, partition: int) -> Meta:
        return copy.deepcopy(self.of(partition).meta)

    async def commit(self, partition: int, epoch: int, nonce: str, request: CommitRequest) -> None:
        check_request(request)
        at = self.of(partition)
        meta = at.meta
        check_owner("commit", (meta.epoch, meta.nonce, meta.seq), epoch, nonce)
        if (meta.seq, meta.commit_id) == (request.seq, request.commit_id):
            return
        if meta.seq != request.seq - 1 or request.follows not in (None, meta.commit_id):
            raise LostCommits(f"at commit {meta.seq} of epoch {meta.epoch}")
        if request.outbox and request.outbox[0].number != meta.outbox_no + 1:
            raise StoreMisconfigured(f"outbox number {request.outbox[0].number}, expected {meta.outbox_no + 1}")
        at.records |= dict(request.records)
        at.risk |= dict(request.risk)
        at.due = {customer: due_s for customer, due_s in (at.due | dict(request.due)).items() if due_s is not None}
        at.triggered |= dict(request.triggered)
        if (before_s := request.forget_triggered_before_s) is not None:
            at.triggered = {name: time_s for name, time_s in at.triggered.items() if time_s >= before_s}
        at.pending |= dict(request.pending)
        for name in request.settled:
            at.pending.pop(name, None)
        self._take_away(at, request)
        at.meta = dataclasses.replace(
            meta,
            seq=request.seq,
            commit_id=request.commit_id,
            offsets=meta.offsets | request.offsets,
            state=meta.state if request.state is None else request.state,
            outbox_no=meta.outbox_no + len(request.outbox),
        )

    def _take_away(self, at: Partition, request: CommitRequest) -> None:
        for kept in (at.records, at.due, at.risk):
            for customer in request.gone:
                kept.pop(customer, None)
        if (removal := request.removal) is not None:
            names, numbers, forgotten = set(removal.triggered), set(removal.outbox), set(removal.forgotten)
            at.triggered = {name: time_s for name, time_s in at.triggered.items() if name not in names}
            at.outbox = [entry for entry in at.outbox if entry.number not in numbers]
            at.erased = {digest: at_ms for digest, at_ms in at.erased.items() if digest not in forgotten} | dict(removal.erased)
            at.fingerprint = removal.fingerprint if removal.erased else at.fingerprint
        at.outbox += [OutboxEntry(*entry) for entry in request.outbox]

    async def load(self, partition: int, ids: Sequence[str]) -> list[bytes | None]:
        return [self.of(partition).records.get(customer) for customer in ids]

    async def due(self, partition: int, until_s: int, limit: int) -> list[str]:
        found = sorted((due_s, customer.encode()) for customer, due_s in self.of(partition).due.items() if due_s <= until_s)
        return [customer.decode() for _, customer in found[:limit]]

    async def riskiest(self, partition: int, limit: int) -> list[tuple[str, float]]:
        found = sorted(((risk, customer.encode()) for customer, risk in self.of(partition).risk.items()), reverse=True)
        return [(customer.decode(), risk) for risk, customer in found[:limit]]

    async def read_customer(self, partition: int, customer_id: str) -> StoredCustomer | None:
        at = self.of(partition)
        record = at.records.get(customer_id)
        return None if record is None else StoredCustomer(record, at.due.get(customer_id), at.risk.get(customer_id))

    async def triggered(self, partition: int, names: Sequence[str]) -> list[int | None]:
        return [self.of(partition).triggered.get(name) for name in names]

    async def triggered_of(self, partition: int, customers: Collection[str]) -> list[str]:
        return [name for name in self.of(partition).triggered if name.partition("\0")[2] in customers]

    async def pending(self, partition: int, names: Sequence[str]) -> list[bytes | None]:
        return [self.of(partition).pending.get(name) for name in names]

    async def pending_of(self, partition: int, customers: Collection[str]) -> list[str]:
        return [name for name in self.of(partition).pending if name.partition(":")[2] in customers]

    async def erased(self, partition: int) -> ErasedCustomers:
        return ErasedCustomers(self.of(partition).fingerprint, dict(self.of(partition).erased))

    async def erased_at(self, partition: int, digest: bytes) -> int | None:
        return self.of(partition).erased.get(digest)

    async def scan_records(self, partition: int) -> AsyncIterator[tuple[str, bytes]]:
        for customer, record in list(self.of(partition).records.items()):
            yield customer, record

    async def outbox_read(self, partition: int, after_no: int, count: int) -> list[OutboxEntry]:
        return [entry for entry in self.of(partition).outbox if entry.number > after_no][:count]

    async def outbox_ack(self, partition: int, epoch: int, nonce: str, up_to_no: int) -> None:
        at = self.of(partition)
        check_owner("outbox", (at.meta.epoch, at.meta.nonce, at.meta.seq), epoch, nonce)
        at.outbox = [entry for entry in at.outbox if entry.number > up_to_no]

    async def outbox_depth(self, partition: int) -> int:
        return len(self.of(partition).outbox)

    async def confirmed(self, partition: int) -> int | None:  # noqa: ARG002 # one answer for all
        return self.replicas_hold
