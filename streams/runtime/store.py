"""The port behind which a partition's state lives: who may write, what one commit is, what each error asks of the caller.

A partition's state (records, looks that are due, risks, offsets, outbox) changes only by numbered, fenced, atomic commits
of the epoch's owner. Bytes in, bytes out: nothing here knows what a record means. `redis_store.py` is the adapter.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

LAYOUT_VERSION = 1
"""Of the keys and of meta's fields. Another one is refused; record versions are the engine's own.
A key that an older program can do without (`triggered`, `erased` and `pending` came later) is no new layout."""


class StoreError(Exception):
    """Anything the store says no to. Messages never contain a password."""


class StaleGeneration(StoreError):
    """An epoch was asked for with an older Kafka generation than the stored one: this worker was replaced while frozen.
    Remedy: leave the partition alone. If the consumer group was deleted, generations began anew: `reset_generation`.
    """


class PartitionCountChanged(StoreError):
    """Redis was written for another number of partitions, so customers now live elsewhere. Remedy: rebuild."""


class OtherSystem(StoreError):
    """Redis was written by another consumer group or from other topics, whose offsets say nothing of these."""


class UnknownVersion(StoreError):
    """Redis was written by a newer layout or record version than this program knows. Remedy: upgrade the program."""


class Fenced(StoreError):
    """Someone took a newer epoch. Stop the partition's task; nothing was written."""


class LostCommits(StoreError):
    """Redis went back behind what it had acknowledged to this epoch's owner (a replica took over); nothing was written.
    Drop the partition's rows and publisher, take the epoch again with the same generation and a fresh nonce, seek to the
    offsets it returns. If that Meta has `exists` False, everything was lost: refuse and name the remedy.
    """


class StoreUnavailable(StoreError):
    """The caller's patience ran out. A commit that ends so may have been applied or may still be: retry it as it is."""


class StoreMisconfigured(StoreError):
    """Waiting will not help: wrong password, cluster setting, key of another type, a blob the script refuses."""


class StoreDamaged(StoreMisconfigured):
    """What Redis holds of one partition cannot be: a key of another type, something gone that must be there. Nothing was written.

    Remedy: see the message. Other partitions are not concerned: set this one aside, and try it again later.
    """


class OutboxEntry(NamedTuple):
    """A message on its way to Kafka. `number` counts per partition from 1 and never comes twice in one history.
    Numbers are given without gaps; an erasure may take waiting entries away, and then theirs are missing.
    """

    number: int
    topic: str
    key: bytes
    value: bytes


class System(NamedTuple):
    """Whose state it is. An empty group: not known."""

    group: str = ""
    topic_prefix: str = ""


UNKNOWN_SYSTEM = System()


@dataclass(frozen=True, slots=True)
class Meta:
    """What is known of a partition.

    epoch, nonce   its owner: a counter that only grows, and the owner's own random mark; 0 and "" when never taken
    generation     Kafka generation it was taken with; -1 when unknown or reset
    seq            number of the last commit; 0 before the first
    commit_id      the id that commit carried
    offsets        topic -> last folded offset
    state          the partition's opaque state, None before the first commit that wrote one
    outbox_no      number of the last outbox entry ever committed, 0 before the first
    system         who wrote it
    exists         whether there was ever a commit. False with offsets committed in Kafka means that state was lost.
    """

    epoch: int = 0
    nonce: str = ""
    generation: int = -1
    seq: int = 0
    commit_id: str = ""
    offsets: dict[str, int] = field(default_factory=dict)
    state: bytes | None = None
    outbox_no: int = 0
    partition_count: int | None = None
    system: System = UNKNOWN_SYSTEM

    @property
    def exists(self) -> bool:
        return self.seq > 0


class ErasedCustomers(NamedTuple):
    """What is kept of customers who were erased: nothing but that they were.

    fingerprint   of the secret by which the digests were made; "" where nobody was erased yet
    times         digest of a customer -> time up to which all that is told of it is erased, ms since 1970
    """

    fingerprint: str
    times: dict[bytes, int]


@dataclass(frozen=True, slots=True)
class Removal:
    """What a commit takes away of customers, beside their records, looks and risks.

    triggered     names of what was triggered for them
    outbox        numbers of entries that wait, and shall not leave
    erased        digest -> time as in `ErasedCustomers`; replaces what is stored for the digest
    fingerprint   of the secret behind the digests; not empty where `erased` is not
    forgotten     digests of which nothing need be known any more
    """

    triggered: Sequence[str] = ()
    outbox: Sequence[int] = ()
    erased: Mapping[bytes, int] = field(default_factory=dict)
    fingerprint: str = ""
    forgotten: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """Everything one commit changes; all of it is applied or none. A customer, or a name, comes at most once in each list.

    seq, commit_id   n; unique to this content: a retry repeats it, other content under the same seq has another
    follows     commit_id of n - 1, "" for the first: applied onto no other, as after a fail-over; None: onto any n - 1
    records     (customer, bytes)
    due         (customer, event time of the next look in s, or None to remove)
    risk        (customer, risk 0..1)
    offsets     topic -> last folded offset; topics left out keep theirs
    state       the partition's state; None keeps the stored one
    outbox      entries numbered on from the last committed one
    triggered   (name of what was triggered for whom, event time in s); a later time replaces the stored one
    forget_triggered_before_s   of what was triggered, forget what lies before this event time, s; None: nothing
    pending     (name of what waits for its outcome, <day>:<customer>, bytes); replaces what is stored under the name
    settled     names of what waits no more; none of them is in `pending`
    gone, removal   customers whose record, look and risk are deleted, not in `records`, `due` or `risk`; what else goes
    """

    seq: int
    commit_id: str
    records: Sequence[tuple[str, bytes]] = ()
    due: Sequence[tuple[str, int | None]] = ()
    risk: Sequence[tuple[str, float]] = ()
    offsets: dict[str, int] = field(default_factory=dict)
    state: bytes | None = None
    outbox: Sequence[OutboxEntry] = ()
    triggered: Sequence[tuple[str, int]] = ()
    forget_triggered_before_s: int | None = None
    pending: Sequence[tuple[str, bytes]] = ()
    settled: Sequence[str] = ()
    gone: Sequence[str] = ()
    removal: Removal | None = None
    follows: str | None = None


@dataclass(frozen=True, slots=True)
class StoredCustomer:
    """One customer as stored. due_s: event time of the next look, None if none is planned; risk 0..1, None if never scored."""

    record: bytes
    due_s: int | None
    risk: float | None


class EpochStore(Protocol):
    """Ownership and what the owner must know before its first commit."""

    async def take_epoch(
        self, partition: int, generation: int, partition_count: int, nonce: str, system: System = UNKNOWN_SYSTEM
    ) -> Meta:
        """Become the owner: epoch + 1 under this nonce. The same generation and nonce again is a retry and changes nothing.

        generation   of Kafka's consumer group, >= 0
        nonce        random, fresh for every attempt to own, not empty
        system       who we are; from now on the partition is refused to anyone else
        From now on it is refused as well to a program that does not read the records we write; that never goes back.
        Raises StaleGeneration, PartitionCountChanged, OtherSystem, UnknownVersion; each of them leaves everything as it was.
        """
        ...

    async def reset_generation(self, partition: int) -> bool:
        """Forget the Kafka generation and the group (it was deleted, or renamed) and fence whoever still owns the partition.

        Returns False when Redis knew nothing of the partition.
        """
        ...

    async def read_meta(self, partition: int) -> Meta:
        """Look without owning. A partition never taken has epoch 0."""
        ...

    async def commit(self, partition: int, epoch: int, nonce: str, request: CommitRequest) -> None:
        """Apply the request whole, once, if (epoch, nonce) own the partition and the stored seq is request.seq - 1.

        Succeeds as well if exactly this commit was applied before. Raises Fenced, LostCommits; ValueError for a request
        that breaks its own rules. Whatever is raised, nothing of this call was written (StoreUnavailable: not known).
        """
        ...


class RecordStore(Protocol):
    """Reading customers."""

    async def load(self, partition: int, ids: Sequence[str]) -> list[bytes | None]:
        """Records in the order of ids; None for a customer not seen yet."""
        ...

    async def due(self, partition: int, until_s: int, limit: int) -> list[str]:
        """Customers whose look is due at or before until_s: earliest first, ties by the id's bytes."""
        ...

    async def riskiest(self, partition: int, limit: int) -> list[tuple[str, float]]:
        """Customers by falling risk, at most limit."""
        ...

    async def read_customer(self, partition: int, customer_id: str) -> StoredCustomer | None:
        """One customer, or None."""
        ...

    async def triggered(self, partition: int, names: Sequence[str]) -> list[int | None]:
        """When these were last triggered, event time in s, in the order of names; None for never, or forgotten."""
        ...

    async def triggered_of(self, partition: int, customers: Collection[str]) -> list[str]:
        """Names of all that was triggered for these customers, whatever the play, in no order. Reads all that was triggered."""
        ...

    async def pending(self, partition: int, names: Sequence[str]) -> list[bytes | None]:
        """What waits for its outcome, in the order of names; None where nothing does."""
        ...

    async def pending_of(self, partition: int, customers: Collection[str]) -> list[str]:
        """Names of all that waits for these customers, whatever the day, in no order. Reads all that waits."""
        ...

    async def erased(self, partition: int) -> ErasedCustomers:
        """Who was erased, as far as it is remembered."""
        ...

    async def erased_at(self, partition: int, digest: bytes) -> int | None:
        """The time of one, ms since 1970; None for one who was not erased."""
        ...

    def scan_records(self, partition: int) -> AsyncIterator[tuple[str, bytes]]:
        """Every (customer, record) there from beginning to end of the scan, once, in no order; others may come too."""
        ...


class OutboxStore(Protocol):
    """Entries that are committed and not yet acknowledged by Kafka."""

    async def outbox_read(self, partition: int, after_no: int, count: int) -> list[OutboxEntry]:
        """Up to count entries numbered above after_no, in order."""
        ...

    async def outbox_ack(self, partition: int, epoch: int, nonce: str, up_to_no: int) -> None:
        """Forget the entries up to and with this number, if (epoch, nonce) own the partition.

        Raises Fenced, LostCommits as `commit` does; then nothing was forgotten.
        """
        ...

    async def outbox_depth(self, partition: int) -> int:
        """How many entries wait."""
        ...

    async def confirmed(self, partition: int) -> int | None:
        """Highest outbox number that enough replicas hold by now; None when no replicas are asked for, so all are safe."""
        ...


class PartitionStore(EpochStore, RecordStore, OutboxStore, Protocol):
    """All of it."""
