"""From the outbox to Kafka: in order, at least once, through outages of either side.

One publisher serves one partition for one epoch. The commit loop hands it what it committed; only what a predecessor left,
or what did not fit in memory, is read back from Redis. When the epoch or commits are lost, cancel `run` and make a new one.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NoReturn, Protocol, TypeVar

from streams.runtime.backoff import Backoff
from streams.runtime.store import Meta, OutboxEntry, OutboxStore, StoreDamaged
from streams.runtime.waits import Server

T = TypeVar("T")

_ENTRY_OVERHEAD_BYTES = 300  # of the Python objects that hold one entry


class Publish(Protocol):
    """The way to Kafka."""

    def __call__(self, entries: Sequence[OutboxEntry], /) -> Awaitable[Sequence[BaseException | None]]:
        """Send these and wait for the broker: for each, None once acknowledged, or why the broker may not have it."""
        ...


class Unpublished(Exception):
    """Messages that Kafka has not acknowledged, or that too few replicas of Redis hold; tried again."""


class OutboxPublisher:
    """Publishes one partition's outbox.

    store          without an end to its patience: an error of the store ends `run`
    meta           what taking the epoch returned that this publisher serves
    publish        the way to Kafka
    batch          most entries on their way to the broker at once
    memory_bytes   most that committed entries may take in memory; the rest is read back from Redis
    backoff        pauses and reporting while Kafka is away; its patience does not apply

    Order: two messages of one topic and key are never on their way together, so a failure cannot swap them. Whatever
    comes in great numbers under a single key should therefore travel as one message per commit.
    """

    def __init__(
        self,
        store: OutboxStore,
        partition: int,
        meta: Meta,
        publish: Publish,
        *,
        batch: int = 500,
        memory_bytes: int = 4 << 20,
        backoff: Backoff | None = None,
    ) -> None:
        self._store, self._partition, self._publish = store, partition, publish
        self._batch, self._memory_bytes = batch, memory_bytes
        self._backoff = backoff or Backoff()
        self._epoch, self._nonce = meta.epoch, meta.nonce
        self._first_no = self._committed_no = meta.outbox_no
        self._taken_no: int | None = None  # last entry that was taken for publishing; None until `run` knows where to begin
        self._acked_no: int | None = None
        self._memory: deque[OutboxEntry] = deque()  # beginning at _taken_no + 1, without gaps but for what was forgotten
        self._gone: set[int] = set()  # numbers above _acked_no that were forgotten
        self._memory_used = 0
        self._gaps_expected_up_to_no = 0
        self._vanishing: frozenset[int] = frozenset()
        self._wake, self._progress = asyncio.Event(), asyncio.Event()

    @property
    def depth(self) -> int | None:
        """Entries that are committed and not acknowledged; None until `run` has looked what a predecessor left."""
        return None if self._acked_no is None else max(0, self._committed_no - self._acked_no)

    @property
    def memory_used(self) -> int:
        """Bytes that committed entries take in memory, about."""
        return self._memory_used

    def committed(self, entries: Sequence[OutboxEntry]) -> None:
        """Take over what a commit has just put into the outbox. Raises ValueError unless numbers go on from the last."""
        if not entries:
            return
        if entries[0].number != self._committed_no + 1:
            raise ValueError(f"outbox of partition {self._partition}: {entries[0].number} after {self._committed_no}")
        self._committed_no = entries[-1].number
        last_no = self._memory[-1].number if self._memory else self._taken_no
        size = sum(map(_size, entries))
        if last_no is not None and entries[0].number == last_no + 1 and self._memory_used + size <= self._memory_bytes:
            self._memory.extend(entries)
            self._memory_used += size
        self._wake.set()

    def expect_gaps(self) -> None:
        """Customers were erased here, and what waited about them with them: of what predecessors left, numbers may be missing."""
        self._gaps_expected_up_to_no = self._first_no

    def may_vanish(self, numbers: Collection[int]) -> None:
        """A commit that is about to be made takes these out; whether it has, is told by `forget`."""
        self._vanishing = frozenset(numbers)

    def forget(self, numbers: Collection[int]) -> None:
        """These entries are taken out of the outbox: what of them is not with the broker yet is not sent any more."""
        if numbers:
            self._gone |= {number for number in numbers if number > (self._acked_no or 0)}
            self._memory = deque(entry for entry in self._memory if entry.number not in self._gone)
            self._memory_used = sum(map(_size, self._memory))
            self._wake.set()

    async def drained(self) -> None:
        """Wait until everything committed so far is acknowledged."""
        up_to_no = self._committed_no
        while self._acked_no is None or self._acked_no < up_to_no:
            self._progress.clear()
            await self._progress.wait()

    async def run(self) -> NoReturn:
        """Publish until cancelled, or raise what the store raises. A crash at any point repeats messages and loses none."""
        await self._begin()
        while True:
            batch = await self._confirmed(await self._next())
            await self._publish_in_order(batch)
            await self._store.outbox_ack(self._partition, self._epoch, self._nonce, batch[-1].number)
            self._note_acked(batch[-1].number)

    async def _begin(self) -> None:
        left = await self._store.outbox_read(self._partition, 0, 1)
        self._taken_no = left[0].number - 1 if left else self._first_no
        self._note_acked(self._taken_no)

    async def _next(self) -> list[OutboxEntry]:
        """What follows, at least one entry; it stays in memory until it counts as taken."""
        assert self._taken_no is not None
        while True:
            self._wake.clear()  # before looking: a commit during the read below must not be slept through
            self._pass_by_gone()
            if self._memory:
                return [self._memory[at] for at in range(min(self._batch, len(self._memory)))]
            if self._taken_no < self._committed_no:
                found = await self._store.outbox_read(self._partition, self._taken_no, self._batch)
                if found:
                    return await self._in_row(found)
                # Redis has lost what it had: the commit loop will notice (LostCommits) and replace this publisher.
            await self._wake.wait()

    async def _in_row(self, found: list[OutboxEntry]) -> list[OutboxEntry]:
        """These up to the first that is missing; which is not stepped over: nobody would ever know of those alerts."""
        assert self._taken_no is not None
        last_no, known = self._taken_no, self._gone | self._vanishing
        for at, entry in enumerate(found):
            begin = max(last_no, self._gaps_expected_up_to_no) + 1
            if not known.issuperset(range(begin, entry.number)):
                return found[:at] or await self._damaged(begin, entry.number)
            last_no = entry.number
        return found

    async def _damaged(self, begin: int, number: int) -> NoReturn:
        assert self._taken_no is not None
        # a newer owner may have sent them; then this raises Fenced
        await self._store.outbox_ack(self._partition, self._epoch, self._nonce, self._taken_no)
        raise StoreDamaged(
            f"partition {self._partition}: messages {begin} to {number - 1} are gone from the outbox in Redis: "
            "keys were evicted or deleted; restore Redis from its backup, or run `churnwatch rebuild`"
        )

    def _pass_by_gone(self) -> None:
        """Of what follows on the entries taken, which are all acknowledged, nothing need be done about those that are gone."""
        assert self._taken_no is not None
        if self._taken_no + 1 in self._gone:
            while self._taken_no + 1 in self._gone:
                self._taken_no += 1
            self._note_acked(self._taken_no)

    async def _confirmed(self, batch: list[OutboxEntry]) -> list[OutboxEntry]:
        """The part of the batch that enough replicas hold, at least one entry. From now on it counts as taken."""

        async def ask() -> list[OutboxEntry]:
            safe_no = await self._store.confirmed(self._partition)
            if safe_no is not None and safe_no < batch[0].number:
                raise Unpublished(f"outbox entry {batch[0].number}: too few replicas hold it")
            return batch if safe_no is None else [entry for entry in batch if entry.number <= safe_no]

        ready = await self._until_done("confirm outbox", ask, "redis")
        while self._memory and self._memory[0].number <= ready[-1].number:
            self._memory_used -= _size(self._memory.popleft())
        self._taken_no = ready[-1].number
        return ready

    async def _publish_in_order(self, batch: list[OutboxEntry]) -> None:
        together: dict[tuple[str, bytes], OutboxEntry] = {}
        for entry in batch:
            if (entry.topic, entry.key) in together:
                await self._publish_together(list(together.values()))
                together.clear()
            together[entry.topic, entry.key] = entry
        await self._publish_together(list(together.values()))

    async def _publish_together(self, waiting: list[OutboxEntry]) -> None:
        async def send_all() -> None:
            nonlocal waiting
            waiting = [entry for entry in waiting if entry.number not in self._gone]
            outcomes = await self._publish(waiting)
            failed = [(entry, error) for entry, error in zip(waiting, outcomes, strict=True) if error is not None]
            waiting = [entry for entry, _ in failed]
            if failed:
                entry, error = failed[0]
                what = f"outbox entry {entry.number} to {entry.topic}"
                raise Unpublished(f"{what} and {len(failed) - 1} more: {type(error).__name__}: {error}") from error

        await self._until_done("publish outbox", send_all, "broker")

    async def _until_done(self, operation: str, call: Callable[[], Awaitable[T]], server: Server) -> T:
        endless = dataclasses.replace(self._backoff, patience_s=None, server=server)
        return await endless.run(operation, call, lambda error: str(error) if isinstance(error, Unpublished) else None)

    def _note_acked(self, number: int) -> None:
        self._acked_no = number
        if self._gone:
            self._gone = {gone for gone in self._gone if gone > number}
        self._progress.set()


def _size(entry: OutboxEntry) -> int:
    return len(entry.key) + len(entry.value) + _ENTRY_OVERHEAD_BYTES
