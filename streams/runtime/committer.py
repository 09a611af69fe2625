"""From a batch to a commit: bring the rows, fold and sweep, write all of it or nothing, hand the messages on."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from alerts.alert import IngestionAlert
from alerts.triggers import forgettable_before_s
from detectors.served import ServedModel
from streams.columns import TICK, TOPIC_RANKS, Columns, empty_columns
from streams.commands import Erase
from streams.customer import read_records
from streams.engine import advance
from streams.runtime.command_inbox import COMMANDS_RANK
from streams.runtime.commits import JournalEntry, LiveState, PastAlerts, commit_request, messages, pack_state
from streams.runtime.dispatch import Dispatch
from streams.runtime.erasing import Erasing, Leaving
from streams.runtime.graveyard import Graveyard
from streams.runtime.labelling import Labelling
from streams.runtime.live_clock import ClockMemory, LiveClock
from streams.runtime.mode import Mode, recorded
from streams.runtime.outbox import OutboxPublisher
from streams.runtime.shop import Shop
from streams.runtime.step_metrics import count_step
from streams.runtime.store import Meta, StoreDamaged
from streams.runtime.triggering import Triggering
from streams.state import PartitionState
from streams.step import Step
from streams.table import CustomerTable
from streams.watermark import running


@dataclass(frozen=True, slots=True)
class Work:
    """What one commit is about.

    Events and looks are those of `engine.advance`.

    batch       rows to fold, in merge order
    now_ms      watermark that the clock allows, ms; 0 = events and ticks only
    offsets     topic rank -> offset up to which everything is in the batch, committed before, or a dead letter
    sweep       whether looks of silent customers may fire
    ingestion   alerts about missing data to send with it
    only        of the silent who are due, look at these alone; None = at all
    switch_ms   history ends with this commit, by a `go-live` of then; None = it does not
    leaving     erasures to carry out with it; None = there are none
    """

    batch: Columns
    now_ms: int
    offsets: dict[int, int]
    sweep: bool
    ingestion: Sequence[IngestionAlert] = ()
    only: Sequence[str] | None = None
    switch_ms: int | None = None
    leaving: Leaving | None = None


class Committer:
    """A partition's state as its owner has committed it, and the way to the next commit.

    done        topic rank -> last offset that is committed
    table       customers in memory; equal to what Redis holds
    seq, outbox_no   numbers of the last commit and of the last message in it
    committed_s when that was, s of the monotonic clock
    commits     how many there were under this epoch

    clock, mode   the partition's; no clock while history is loaded
    topic_ids     Kafka's ids of the topics that the offsets are about
    labelling     what is told to the learner, and which tick was passed last
    """

    def __init__(
        self,
        partition: int,
        meta: Meta,
        shop: Shop,
        graveyard: Graveyard,
        clock: LiveClock | None,
        mode: Mode,
        topic_ids: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._partition, self._shop, self._graveyard, self._clock = partition, shop, graveyard, clock
        self.follow(mode)
        self._epoch, self._nonce = meta.epoch, meta.nonce
        self.seq, self.outbox_no, self._commit_id = meta.seq, meta.outbox_no, meta.commit_id
        self.done = {TOPIC_RANKS[topic]: offset for topic, offset in meta.offsets.items()}
        stored = recorded(meta)
        state = PartitionState() if stored is None else PartitionState.from_bytes(stored.engine)
        self._past = PastAlerts() if stored is None else stored.past
        self._topic_ids = ({} if stored is None else stored.topic_ids) | dict(topic_ids)
        self.table = CustomerTable(state, shop.settings.engine.cached_customers)
        self._whole = not meta.exists  # it began empty under us, so the table has every customer as long as none was dropped
        self._triggering = Triggering(partition, shop)
        self._erasing = Erasing(partition, shop)
        self.labelling = Labelling(partition, shop, 0 if stored is None else stored.tick_ms)
        self.publisher = OutboxPublisher(shop.store, partition, meta, Dispatch(partition, shop).publish, backoff=shop.backoff)
        self.committed_s, self.commits = time.monotonic(), 0

    def follow(self, mode: Mode) -> None:
        """From the next commit on the partition stands in time like this."""
        self._mode, self._rules = mode, self._shop.rules.live_after(mode.live_after_ms)

    async def begin(self) -> None:
        """Learn who was erased. Call it once, before anything else. Raises ErasureKeyError."""
        await self._erasing.begin()
        if len(self._erasing.tombstones):
            self.publisher.expect_gaps()

    async def erase(self, orders: Sequence[Erase]) -> None:
        """Carry out these erasures, in the order in which they were asked for, in one commit with their offset.

        Every dead letter before the last of them must be in the graveyard by now. Raises ErasureKeyError; nothing was passed by.
        """
        passed = self._graveyard.under_way()
        await self._bring([order.customer_id for order in orders])
        leaving = await self._erasing.plan(orders, self.table, anything_waits=self.publisher.depth != 0)
        await self._graveyard.safe(passed)
        if leaving.notices:
            work = Work(empty_columns(0), 0, self.done | {COMMANDS_RANK: orders[-1].offset}, sweep=False, leaving=leaving)
            await self._commit(work, leaving.step, self._model().version)

    async def advance(self, work: Work) -> None:
        """Fold, sweep and commit, in several commits where more customers come due at once than one should hold.

        Every dead letter that `work.offsets` passes over must be in the graveyard by now.
        """
        # what is passed over must be safe in its topic before the commit that passes it over; what comes later is not passed
        passed = self._graveyard.under_way()
        work = replace(work, batch=self._erasing.kept(work.batch, self.table.row_of))
        while (first := await self._load(work)) is not None:
            # rows beyond move the watermark beyond: to stop at it before them changes nothing of what they meet
            stop_ms = self._due_by_ms(first)
            _, after = self._watermarks(work.batch)
            cut = int(np.searchsorted(after, stop_ms, side="right"))
            while cut and work.batch.kind[cut - 1] == TICK and after[cut - 1] == stop_ms:
                cut -= 1  # a tick is passed once all who are due by it were looked at
            part = work.batch.take(slice(0, cut))
            taken = {int(rank): int(part.offset[part.rank == rank].max()) for rank in np.unique(part.rank)}
            # the clock's memory goes with every commit, so what it has told must go with the first
            await self._step(Work(part, stop_ms, self.done | taken, True, work.ingestion, first), passed)
            work = replace(work, batch=work.batch.take(slice(cut, None)), ingestion=())
        await self._step(work, passed)

    def _watermarks(self, batch: Columns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return running(self.table.state.watermark_ms, batch.kind, batch.time_ms, self._rules.lateness_ms)

    async def _step(self, work: Work, passed: frozenset[asyncio.Task[None]]) -> None:
        model = self._model()
        began_s = time.perf_counter()
        step = advance(self.table, work.batch, work.now_ms, self._rules, model, sweep=work.sweep, only=work.only)
        self._shop.metrics.fold_seconds.observe(time.perf_counter() - began_s)
        await self._graveyard.safe(passed)
        await self._commit(work, step, model.version)

    def _model(self) -> ServedModel:
        return self._shop.model(self.labelling.tick_ms if self._mode.history else None)

    async def _load(self, work: Work) -> list[str] | None:
        """Bring the rows into the table that the step needs: the batch's customers', and those of who comes due.

        Returns None, or where more come due than one commit should hold, those who come due first.
        """
        await self._bring(work.batch.customer.tolist())
        if not work.sweep:
            return None
        most = self._shop.settings.engine.max_rows
        _, after = self._watermarks(work.batch)
        until_ms = max(int(after[-1]) if len(after) else 0, self.table.state.watermark_ms, work.now_ms)
        if self._whole and len(self.table.due.due(until_ms // 1000)) <= most:
            return None  # the engine finds them itself; a question to Redis would wait behind the other partitions' commits
        due = await self._due(until_ms // 1000, most + 1)
        await self._bring(due[:most])
        self._check_there(due[:most])
        return due[:most] if len(due) > most else None

    async def _due(self, until_s: int, limit: int) -> list[str]:
        """Customers whose look is due, earliest first, `limit` at most."""
        if self._whole:
            return self.table.first_due(until_s, limit)
        return await self._shop.store.due(self._partition, until_s, limit)

    def _check_there(self, customers: Sequence[str]) -> None:
        """Who is due has a record. One that has none would never be looked at again, and nobody would know."""
        rows = self.table.rows(customers)
        if (rows < 0).any():
            lost = customers[int(np.argmin(rows))]
            what = f"partition {self._partition}: {lost!r} is due and has no record: keys were evicted or deleted"
            raise StoreDamaged(f"{what}; restore Redis from its backup, or run `churnwatch rebuild`")

    def _due_by_ms(self, customers: Sequence[str]) -> int:
        """The time by which all of these are due."""
        return int(self.table.records["due_s"][self.table.rows(customers)].max()) * 1000

    async def _bring(self, customers: Sequence[str]) -> None:
        """Read the rows of those that the table does not hold."""
        if self._whole:
            return
        missing = np.flatnonzero(self.table.rows(customers) < 0).tolist()
        ids = sorted({customers[at] for at in missing} - {""})  # a tick's customer is ""
        if not ids:
            return
        blobs = await self._shop.store.load(self._partition, ids)
        known = [(customer, blob) for customer, blob in zip(ids, blobs, strict=True) if blob is not None]
        try:
            rows = read_records([blob for _, blob in known])
        except ValueError as problem:
            raise StoreDamaged(f"partition {self._partition}: {problem}; or restore Redis from its backup") from None
        self._erasing.tombstones.met([customer for customer, _ in known])
        if known:
            self.table.put([customer for customer, _ in known], rows)

    async def _commit(self, work: Work, step: Step, model_version: str) -> None:
        prefix = self._shop.settings.kafka.topic_prefix
        decided = await self._triggering.decide(step)
        journal = self._journal(work, step, model_version)
        notices = work.leaving.notices if work.leaving else ()
        labelled = await self.labelling.settle(
            step, work.batch, self._rules.outcomes, history=self._mode.history,
            before_ms=self.table.state.watermark_ms, erased=work.leaving.pending if work.leaving else (),
        )  # fmt: skip
        outbox = messages(prefix, self.outbox_no, step, work.ingestion, decided.triggers, journal, notices, labelled.messages)
        past = self._past.and_those_of(step.alerts)
        state, version = self._state(work, step, past), self._shop.settings.engine.record_version
        request = commit_request(journal, step, self.table, work.offsets, state, outbox, version, labelled)
        if decided.triggers:
            past_s = self._past_s(work, step)
            request = replace(request, triggered=list(decided.triggered_s.items()), forget_triggered_before_s=past_s)
        if removal := self._erasing.removal(work.leaving, step.state.watermark_ms):
            request = replace(request, removal=removal)
            self.publisher.may_vanish(removal.outbox)
        began_s = time.perf_counter()
        await self._shop.store.commit(self._partition, self._epoch, self._nonce, request)
        self._shop.metrics.commit_seconds.observe(time.perf_counter() - began_s)
        self.seq, self.outbox_no, self._commit_id = journal.seq, outbox[-1].number, journal.commit_id
        self.done, self._past = work.offsets, past
        self.labelling.committed(work.batch, self._rules.outcomes, history=self._mode.history)
        self.committed_s, self.commits = time.monotonic(), self.commits + 1
        self.table.apply(step)
        self._whole = self.table.forget_unused() == 0 and self._whole
        self.publisher.committed(outbox)
        if removal:
            self.publisher.forget(removal.outbox)
            self._erasing.committed(removal, len(notices))
        count_step(self._shop.metrics, self._partition, step, len(work.batch), decided)
        self._shop.metrics.cache_rows.labels(str(self._partition)).set(len(self.table))

    def _past_s(self, work: Work, step: Step) -> int | None:
        """Event time before which triggers may be forgotten, s; None while looks are in arrears, which may be older than that."""
        if self._shop.playbook is None or not work.sweep or work.only is not None:
            return None
        return forgettable_before_s(step.state.watermark_ms, self._shop.playbook)

    def _state(self, work: Work, step: Step, past: PastAlerts) -> bytes:
        mode, watermark_ms = self._mode, step.state.watermark_ms
        if work.switch_ms is not None:
            mode = mode.switched(work.switch_ms, watermark_ms, self._rules.lateness_ms, self._shop.now_ms())
        inflow, memory = (self._clock.profile.to_bytes(), self._clock.memory) if self._clock else (b"", ClockMemory())
        tick_ms = self.labelling.tick_after(work.batch, self._rules.outcomes, history=self._mode.history)
        told = (mode.live_after_ms, mode.switched_ms, past, self._topic_ids, tick_ms)
        return pack_state(LiveState(step.state.to_bytes(), inflow, memory, *told))

    def _journal(self, work: Work, step: Step, model_version: str) -> JournalEntry:
        return JournalEntry(
            partition=self._partition,
            seq=self.seq + 1,
            epoch=self._epoch,
            commit_id=secrets.token_hex(8),
            follows=self._commit_id,
            offsets={topic: work.offsets[rank] for topic, rank in TOPIC_RANKS.items() if work.offsets.get(rank, -1) >= 0},
            rows=len(work.batch),
            now_ms=work.now_ms,
            sweep=work.sweep,
            looked_at=None if work.only is None else len(work.only),
            watermark_ms=step.state.watermark_ms,
            model=model_version,
            config_hash=self._rules.context.alert.config_hash,
            live_after_ms=self._mode.live_after_ms,
            ingestion=[alert.message_id for alert in work.ingestion],
            causes="" if self._shop.events.causes is None else self._shop.events.causes.version,
        )
