"""One owned partition at work: receive, merge, fold, commit, publish. Partitions know nothing of each other.

Whatever happens to this process, the state in Redis is that of a whole number of commits, and whoever owns the partition
next reads on from the offsets of the last one.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import structlog

from alerts.alert import IngestionAlert
from detectors.parameters import BtydParameters
from streams.clock_rule import ClockAction, ClockDecision, ClockReason
from streams.columns import TOPIC_RANKS, Columns, empty_columns
from streams.contract import EventRules
from streams.customer import read_records
from streams.dead_letters import DeadLetter
from streams.engine import EngineRules, Step, advance
from streams.events import decode_chunk
from streams.inflow import InflowProfile
from streams.merge import CLOCK_RANK, PartitionMerge
from streams.runtime.backoff import Backoff
from streams.runtime.commits import JournalEntry, commit_request, messages, pack_state, unpack_state
from streams.runtime.graveyard import Graveyard
from streams.runtime.intake import Chunk
from streams.runtime.live_clock import ClockMemory, LiveClock, Probe
from streams.runtime.metrics import Metrics
from streams.runtime.outbox import OutboxPublisher
from streams.runtime.sender import Sender
from streams.runtime.settings import Settings
from streams.runtime.store import Meta, PartitionStore
from streams.runtime.topics import DEAD_LETTERS, INPUTS
from streams.state import PartitionState
from streams.table import CustomerTable
from streams.ticks import decode_ticks, tick_columns
from streams.watermark import by_wall_clock, running

log = structlog.get_logger()

EVENT_OVERHEAD_BYTES = 400
"""What a decoded event takes in memory beyond its bytes, about."""

POLL_S = 0.02
ALL_DUE = 1_000_000_000
DRAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Shop:
    """What all partitions of a worker share.

    model      the parameters in use now
    now_ms     wall clock, ms; not asked in history mode
    ends       (partition) -> topic rank -> end offset as the last fetch told, None when unknown
    fetched    (partition) -> topic rank -> position of the consumer where nothing is on its way to the task, else None
    """

    settings: Settings
    rules: EngineRules
    events: EventRules
    store: PartitionStore
    sender: Sender
    metrics: Metrics
    model: Callable[[], BtydParameters]
    now_ms: Callable[[], int]
    ends: Callable[[int], dict[int, int | None]]
    fetched: Callable[[int], dict[int, int | None]]
    backoff: Backoff


class PartitionTask:
    """The owner's work on one partition under one epoch.

    meta    what taking the epoch returned
    lease   number of the claim; chunks fetched under another are not ours
    """

    def __init__(self, partition: int, meta: Meta, lease: int, shop: Shop) -> None:
        self.partition, self.lease, self.shop = partition, lease, shop
        self.epoch, self.nonce, self.seq, self.outbox_no = meta.epoch, meta.nonce, meta.seq, meta.outbox_no
        history = shop.settings.time.clock == "history"
        self.done = {TOPIC_RANKS[topic]: offset for topic, offset in meta.offsets.items()}
        self.merge = PartitionMerge([TOPIC_RANKS[topic] for topic in INPUTS], self.done, history=history)
        stored = unpack_state(meta.state) if meta.state is not None else None
        state = PartitionState.from_bytes(stored.engine) if stored else PartitionState()
        self.table = CustomerTable(state, shop.settings.engine.cached_customers)
        profile = InflowProfile.from_bytes(stored.inflow) if stored and stored.inflow else InflowProfile.empty()
        memory = stored.clock if stored else ClockMemory()
        self.clock = None if history else LiveClock(partition, shop.settings.time, shop.now_ms(), profile, memory)
        self._clock_done = self.done.get(CLOCK_RANK, -1)
        self.publisher = OutboxPublisher(shop.store, partition, meta.outbox_no, self._publish, backoff=shop.backoff)
        self.probe: Probe | None = None
        self.wake = asyncio.Event()
        self._acks: deque[tuple[int, int, Callable[[], Any]]] = deque()
        self._graveyard = Graveyard(shop.sender, shop.settings.kafka.topic_prefix + DEAD_LETTERS)
        self._committed_s = self._ticked_s = time.monotonic()
        self._stopping = False
        self._log = log.bind(partition=partition, epoch=meta.epoch)

    # -- in ---------------------------------------------------------------------------------------------------------

    def receive(self, topic: str, chunk: Chunk, acknowledge: Callable[[], Any]) -> None:
        """Take a fetched chunk of `topic` (without prefix). `acknowledge` is called once all of it is committed."""
        rank = TOPIC_RANKS[topic]
        if topic == "clock":
            dead = self._receive_clock(chunk)
        else:
            dead = self._receive_events(cast(Literal["purchases", "complaints", "logins"], topic), rank, chunk)
        for letter in dead:
            self.shop.metrics.dead_letters[letter.reason].inc()
        self._graveyard.bury(dead)
        self._acks.append((rank, chunk.last_offset, acknowledge))
        self.wake.set()

    def _receive_events(self, topic: Literal["purchases", "complaints", "logins"], rank: int, chunk: Chunk) -> list[DeadLetter]:
        now_ms = self.shop.now_ms() if self.clock else 0
        decoded = decode_chunk(topic, chunk.records, self.shop.events, now_ms)
        if decoded.unknown_fields:
            self.shop.metrics.unknown_fields[topic].inc(decoded.unknown_fields)
        if self.clock:
            self.clock.arrived(len(chunk.records), now_ms)
        self.merge.push(rank, decoded.columns, chunk.last_offset, chunk.last_offset + 1, _memory_bytes(chunk))
        return decoded.dead

    def _receive_clock(self, chunk: Chunk) -> list[DeadLetter]:
        ticks, dead = decode_ticks(chunk.records)
        if self.clock is not None:
            for tick in ticks:
                if tick.heartbeat:
                    self.clock.beat(tick.record_time_ms)
            self._clock_done = max(self._clock_done, chunk.last_offset)
            return dead
        ticks = [tick for tick in ticks if not tick.heartbeat]
        for tick in ticks:
            self.merge.announce({TOPIC_RANKS[topic]: offset for topic, offset in tick.offsets.items() if topic in INPUTS})
        self.merge.push(CLOCK_RANK, tick_columns(ticks), chunk.last_offset, chunk.last_offset + 1, _memory_bytes(chunk))
        return dead

    @property
    def burying_bytes(self) -> int:
        """What dead letters that have not left yet take in memory, about."""
        return self._graveyard.nbytes

    # -- the loop ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until `stop`.

        Raises what the store raises (Fenced, LostCommits, …): the caller decides what becomes of the partition.
        """
        publishing = asyncio.create_task(self.publisher.run())
        try:
            while not self._stopping:
                await self._wait(publishing)
                await self._drain()
                if self.clock is not None:
                    await self._tick_by_wall_clock()
                if not self._stopping and time.monotonic() - self._committed_s >= self.shop.settings.engine.heartbeat_commit_s:
                    await self._advance(empty_columns(0), 0, sweep=False)
            with contextlib.suppress(TimeoutError):  # what does not get out now is in the outbox for the next owner
                await asyncio.wait_for(self.publisher.drained(), DRAIN_S)
        finally:
            publishing.cancel()
            await self._graveyard.leave()
            await asyncio.gather(publishing, return_exceptions=True)

    def stop(self) -> None:
        """Let the commit under way finish, and then end `run`."""
        self._stopping = True
        self.wake.set()

    async def _wait(self, publishing: asyncio.Task[Any]) -> None:
        # a topic that turns out to be caught up sends no chunk, so while rows wait for it its end is looked at again
        idle_s = POLL_S if self.merge.buffered_rows else min(0.5, self.shop.settings.engine.heartbeat_commit_s)
        waking = asyncio.create_task(self.wake.wait())
        try:
            await asyncio.wait((waking, publishing), timeout=idle_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
        if publishing.done():
            publishing.result()  # raises what ended it
        self.wake.clear()

    async def _drain(self) -> None:
        self._note_ends()
        while not self._stopping and (batch := self.merge.take(self.shop.settings.engine.max_rows)) is not None:
            await self._advance(batch, 0, sweep=not (self.clock and self.clock.holding))
            await asyncio.sleep(0)
            self._note_ends()
        if self.merge.done != {rank: self.done.get(rank, -1) for rank in self.merge.done} and not self._stopping:
            await self._advance(empty_columns(0), 0, sweep=False)  # nothing but dead letters: step over them

    def _note_ends(self) -> None:
        for rank, position in self.shop.fetched(self.partition).items():
            if position is not None and (rank != CLOCK_RANK or self.clock is None):
                self.merge.set_position(rank, position)
        for rank, end in self.shop.ends(self.partition).items():
            if rank != CLOCK_RANK or self.clock is None:
                self.merge.set_end(rank, end)

    async def _tick_by_wall_clock(self) -> None:
        """Let the wall clock move the watermark, where the rule allows it."""
        assert self.clock is not None
        probe, now_ms = self.probe, self.shop.now_ms()
        decision = self.clock.observe(probe, self._lag(probe), now_ms)
        self.shop.metrics.clock(self.partition, _clock_state(decision))
        alerts = self.clock.ingestion_alerts(now_ms)
        for alert in alerts:
            self._log.warning("ingestion alert", status=alert.status, reason=alert.reason, text=alert.text)
        due = time.monotonic() - self._ticked_s >= self.shop.settings.engine.heartbeat_commit_s
        if decision.action is ClockAction.ADVANCE and probe is not None and due:
            allowed_ms = by_wall_clock(self.table.state.watermark_ms, probe.asked_ms, self.shop.rules.lateness_ms)
            await self._advance(empty_columns(0), allowed_ms, sweep=True, ingestion=alerts)
            self._ticked_s = time.monotonic()
        elif alerts:
            await self._advance(empty_columns(0), 0, sweep=False, ingestion=alerts)

    def _lag(self, probe: Probe | None) -> int:
        """Records below the ends that the broker told, and that are not folded."""
        if probe is None:
            return 0
        lag, positions = 0, self.shop.fetched(self.partition)
        for rank, last in self.merge.done.items():
            # with nothing buffered or on its way, what lies between the last record and the position is no data
            position = None if self.merge.buffered_rows else positions.get(rank)
            lag += max(0, probe.ends[rank] - max(last + 1, position or 0))
        return lag

    # -- one commit -------------------------------------------------------------------------------------------------

    async def _advance(self, batch: Columns, now_ms: int, *, sweep: bool, ingestion: Sequence[IngestionAlert] = ()) -> None:
        """Fold, sweep and commit, in several commits where more customers come due at once than one should hold."""
        while (stop_ms := await self._load(batch, now_ms, sweep=sweep)) is not None:
            # rows beyond move the watermark beyond: to stop at it before them changes nothing of what they meet
            _, after = running(self.table.state.watermark_ms, batch.kind, batch.time_ms, self.shop.rules.lateness_ms)
            cut = int(np.searchsorted(after, stop_ms, side="right"))
            part, batch = batch.take(slice(0, cut)), batch.take(slice(cut, None))
            taken = {int(rank): int(part.offset[part.rank == rank].max()) for rank in np.unique(part.rank)}
            await self._step(part, stop_ms, self.done | taken, sweep=True)
        offsets = self.merge.done | ({CLOCK_RANK: self._clock_done} if self.clock else {})
        await self._step(batch, now_ms, offsets, sweep=sweep, ingestion=ingestion)

    async def _step(
        self, batch: Columns, now_ms: int, offsets: dict[int, int], *, sweep: bool, ingestion: Sequence[IngestionAlert] = ()
    ) -> None:
        # what is passed over must be safe in its topic before the commit that passes it over; what comes meanwhile is not passed
        passed = self._graveyard.under_way()
        model = self.shop.model()
        began_s = time.perf_counter()
        step = advance(self.table, batch, now_ms, self.shop.rules, model, sweep=sweep)
        self.shop.metrics.fold_seconds.observe(time.perf_counter() - began_s)
        await self._graveyard.safe(passed)
        await self._commit(batch, now_ms, step, model, offsets, sweep=sweep, ingestion=ingestion)

    async def _load(self, batch: Columns, now_ms: int, *, sweep: bool) -> int | None:
        """Bring the rows into the table that the step needs: the batch's customers', and those of who comes due.

        Returns None, or where more come due than one commit should hold, the watermark at which to stop first, ms.
        """
        await self._bring(batch.customer.tolist())
        if not sweep:
            return None
        most = self.shop.settings.engine.max_rows
        watermark_ms = self.table.state.watermark_ms
        _, after = running(watermark_ms, batch.kind, batch.time_ms, self.shop.rules.lateness_ms)
        until_ms = max(int(after[-1]) if len(after) else 0, watermark_ms, now_ms)
        due = await self.shop.store.due(self.partition, until_ms // 1000, most + 1)
        await self._bring(due[:most])
        if len(due) <= most:
            return None
        stop_s = int(self.table.records["due_s"][self.table.rows(due[:most])].max())
        # customers who were due under a hold come at once: their times lie behind the watermark, so there is nowhere to stop
        stop_ms = stop_s * 1000 if stop_s * 1000 > watermark_ms else None
        await self._bring(await self.shop.store.due(self.partition, until_ms // 1000 if stop_ms is None else stop_s, ALL_DUE))
        return stop_ms

    async def _bring(self, customers: Sequence[str]) -> None:
        """Read the rows of those that the table does not hold."""
        ids = sorted({customer for customer in customers if customer and customer not in self.table.row_of})
        if not ids:
            return
        blobs = await self.shop.store.load(self.partition, ids)
        known = [(customer, blob) for customer, blob in zip(ids, blobs, strict=True) if blob is not None]
        if known:
            self.table.put([customer for customer, _ in known], read_records([blob for _, blob in known]))

    async def _commit(
        self,
        batch: Columns,
        now_ms: int,
        step: Step,
        model: BtydParameters,
        offsets: dict[int, int],
        *,
        sweep: bool,
        ingestion: Sequence[IngestionAlert],
    ) -> None:
        journal = JournalEntry(
            partition=self.partition,
            seq=self.seq + 1,
            epoch=self.epoch,
            offsets={topic: offsets[rank] for topic, rank in TOPIC_RANKS.items() if offsets.get(rank, -1) >= 0},
            rows=len(batch),
            now_ms=now_ms,
            sweep=sweep,
            watermark_ms=step.state.watermark_ms,
            model=model.version,
            config_hash=self.shop.rules.context.alert.config_hash,
        )
        outbox = messages(self.shop.settings.kafka.topic_prefix, self.outbox_no, step, ingestion, journal)
        inflow, memory = (self.clock.profile.to_bytes(), self.clock.memory) if self.clock else (b"", ClockMemory())
        state = pack_state(step.state.to_bytes(), inflow, memory)
        request = commit_request(self.seq + 1, step, self.table, offsets, state, outbox)
        began_s = time.perf_counter()
        await self.shop.store.commit(self.partition, self.epoch, self.nonce, request)
        self.shop.metrics.commit_seconds.observe(time.perf_counter() - began_s)
        self.seq, self.outbox_no, self.done = self.seq + 1, outbox[-1].number, offsets
        self._committed_s = time.monotonic()
        self.table.apply(step)
        self.table.forget_unused()
        self.publisher.committed(outbox)
        self._acknowledge()
        self._count(step, len(batch))

    def _acknowledge(self) -> None:
        """Tell Faust about the chunks that are committed, so that Kafka's offsets show the lag."""
        waiting: deque[tuple[int, int, Callable[[], Any]]] = deque()
        for rank, offset, acknowledge in self._acks:
            if offset <= self.done.get(rank, -1):
                acknowledge()
            else:
                waiting.append((rank, offset, acknowledge))
        self._acks = waiting

    def _count(self, step: Step, rows: int) -> None:
        metrics, stats, partition = self.shop.metrics, step.stats, str(self.partition)
        purchases, complaints, logins, refunds = stats.events
        for topic, count in zip(INPUTS, (purchases + refunds, complaints, logins), strict=True):
            metrics.events[topic].inc(count)
        purchases, complaints, logins, refunds = stats.duplicates
        for topic, count in zip(INPUTS, (purchases + refunds, complaints, logins), strict=True):
            metrics.duplicates[topic].inc(count)
        if rows:
            metrics.batches.inc()
            metrics.batch_rows.observe(rows)
        metrics.risk.observe(stats.risk_bp)
        for reason, count in zip(metrics.decisions, stats.decisions.tolist(), strict=True):
            if count:
                metrics.decisions[reason].inc(count)
        for alert in step.alerts:
            metrics.alerts[alert.tier, alert.decision].inc()
        metrics.customers.put(self.partition, step.state.customers)
        metrics.watermark.labels(partition).set(step.state.watermark_ms / 1000)
        metrics.cache_rows.labels(partition).set(len(self.table))
        metrics.outbox_depth.labels(partition).set(self.publisher.depth or 0)

    async def _publish(self, topic: str, key: bytes, value: bytes) -> None:
        # outputs have the inputs' partitions (`topics check` sees to it), so this is where the key belongs anyway
        await (await self.shop.sender.submit(topic, key, value, self.partition))
        short = topic.removeprefix(self.shop.settings.kafka.topic_prefix)
        self.shop.metrics.outbox_published[short].inc()


def _clock_state(decision: ClockDecision) -> str:
    told = decision.action is ClockAction.HOLD or decision.reason is ClockReason.LOW_INFLOW_RELEASED
    return decision.reason.value if told else decision.action.value


def _memory_bytes(chunk: Chunk) -> int:
    return chunk.nbytes + EVENT_OVERHEAD_BYTES * len(chunk.records)
