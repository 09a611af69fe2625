"""One owned partition at work: receive, merge, commit, publish. Partitions know nothing of each other.

Whatever happens to this process, the state in Redis is that of a whole number of commits, and whoever owns the partition
next reads on from the offsets of the last one.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import structlog

from alerts.alert import IngestionAlert
from streams.clock_rule import ClockAction, ClockDecision, ClockReason
from streams.columns import TOPIC_RANKS, Columns, empty_columns
from streams.contract import InputTopic
from streams.dead_letters import DeadLetter
from streams.events import decode_chunk
from streams.merge import CLOCK_RANK, PartitionMerge
from streams.runtime.asking_time import ask_the_time
from streams.runtime.claim import Claim
from streams.runtime.command_inbox import COMMANDS_RANK, CommandInbox
from streams.runtime.committer import Committer, Work
from streams.runtime.graveyard import Graveyard
from streams.runtime.history_clock import HistoryClock
from streams.runtime.intake import Chunk
from streams.runtime.live_clock import LiveClock, Probe
from streams.runtime.losses import Gap, Losses, alerts_of
from streams.runtime.mode import clock_of, mode_of
from streams.runtime.shop import Shop
from streams.runtime.store import Meta
from streams.runtime.taking import Taking
from streams.runtime.topics import DEAD_LETTERS
from streams.ticks import decode_ticks
from streams.watermark import by_wall_clock

log = structlog.get_logger()

EVENT_OVERHEAD_BYTES = 400
"""What a decoded event takes in memory beyond its bytes, about."""

POLL_S = 0.02
FOUND_NOTHING = Claim()
DRAIN_S = 5.0


class WentLive(Exception):
    """History has ended, and that is committed. Take the partition again, with the same generation and a fresh nonce."""


class PartitionTask:
    """The owner's work on one partition under one epoch.

    meta    what taking the epoch returned
    lease   number of the claim; chunks fetched under another are not ours
    claim   what else was found out then
    """

    def __init__(self, partition: int, meta: Meta, lease: int, shop: Shop, claim: Claim = FOUND_NOTHING) -> None:
        self.partition, self.lease, self.shop, self._meta, self._voids = partition, lease, shop, meta, claim.voids
        mode = mode_of(meta, shop.settings.time, shop.now_ms)
        self.clock = clock_of(partition, meta, mode, shop.settings.time, shop.now_ms)
        self._events = shop.events.of_history() if mode.history else shop.events
        self._graveyard = Graveyard(shop.sender, shop.settings.kafka.topic_prefix + DEAD_LETTERS)
        self.topic_ids = claim.topic_ids
        self._losses = Losses(shop.metrics, claim.gaps)
        self.committer = Committer(partition, meta, shop, self._graveyard, self.clock, mode, claim.topic_ids)
        ranks = [TOPIC_RANKS[topic] for topic in shop.settings.kafka.inputs]
        self.merge = PartitionMerge(ranks, self.committer.done, history=mode.history)
        self._history = HistoryClock(self.merge)
        self.commands = CommandInbox(shop, self.committer.done.get(COMMANDS_RANK, -1), claim.commands_end)
        self._clock_done = self.committer.done.get(CLOCK_RANK, -1)
        self.probe: Probe | None = None
        self.wake = asyncio.Event()
        self._ticked_s = time.monotonic()
        self._stopping = self._switched = False
        self._taking = Taking(partition, self.merge, shop, history=mode.history)
        self._log = log.bind(partition=partition, epoch=meta.epoch)

    # -- in ---------------------------------------------------------------------------------------------------------

    def receive(self, topic: str, chunk: Chunk) -> None:
        """Take a fetched chunk of `topic` (without prefix)."""
        rank = TOPIC_RANKS[topic]
        if topic == "clock":
            dead = self._receive_clock(chunk)
        elif topic == "commands":
            dead = self.commands.receive(chunk)
        else:
            dead = self._receive_events(cast(InputTopic, topic), rank, chunk)
        for letter in dead:
            self.shop.metrics.dead_letters[letter.reason].inc()
        self._graveyard.bury(dead)
        self.wake.set()

    def _receive_events(self, topic: InputTopic, rank: int, chunk: Chunk) -> list[DeadLetter]:
        now_ms = self.shop.now_ms() if self.clock else 0
        records = self._voids.without(chunk.tp.topic, chunk.records)
        if len(records) < len(chunk.records):
            log.info("passed over what was redriven or dropped", topic=topic, records=len(chunk.records) - len(records))
        decoded = decode_chunk(topic, records, self._events, now_ms)
        if decoded.unknown_fields:
            self.shop.metrics.unknown_fields[topic].inc(decoded.unknown_fields)
        if self.clock:
            self.clock.arrived(topic, len(chunk.records), now_ms)
        self.merge.push(rank, decoded.columns, chunk.last_offset, chunk.last_offset + 1, _memory_bytes(chunk))
        return decoded.dead

    def _receive_clock(self, chunk: Chunk) -> list[DeadLetter]:
        if self.clock is None:
            return self._history.receive(chunk, _memory_bytes(chunk))
        ticks, dead = decode_ticks(chunk.records)
        for tick in ticks:
            if tick.kind == "heartbeat":
                self.clock.beat(tick.record_time_ms)
        self._clock_done = max(self._clock_done, chunk.last_offset)
        return dead

    def skip(self, gap: Gap) -> None:
        """These offsets are gone, and all before them was received: go on behind them, with an alert."""
        rank = TOPIC_RANKS[gap.short]
        if rank == CLOCK_RANK and self.clock is not None:
            self._clock_done = max(self._clock_done, gap.end - 1)
        elif rank == COMMANDS_RANK:
            self.commands.skip(gap.end - 1)
        else:
            self.merge.push(rank, empty_columns(0), gap.end - 1, gap.end, 0)
        self._losses.add(gap)
        self.wake.set()

    @property
    def burying_bytes(self) -> int:
        """What dead letters that have not left yet take in memory, about."""
        return self._graveyard.nbytes

    def passed(self, done: Mapping[int, int]) -> dict[int, int]:
        """Topic rank -> where to go on, when all up to these last offsets is done."""
        at = {rank: last + 1 for rank, last in done.items()}
        # with nothing buffered or on its way, what lies between the last record and the position is no data
        if self.merge.buffered_rows or self._switched:  # behind a switch stands what the live clock will read
            return at
        fetched = self.shop.fetched(self.partition)
        beside = {rank: last for rank, last in self._beside_events().items() if rank in done}
        for rank, last in (self.merge.done | beside).items():
            if done.get(rank, -1) == last:
                at[rank] = max(last + 1, fetched.get(rank) or 0)
        return at

    def _beside_events(self) -> dict[int, int]:
        """Of what is not merged the last offset behind which nothing waits; commands that wait leave it out."""
        clock = {CLOCK_RANK: self._clock_done} if self.clock else {}
        return clock if self.commands.first() else clock | {COMMANDS_RANK: self.commands.done}

    # -- the loop ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until `stop`.

        Raises what the store raises (Fenced, LostCommits, …), and WentLive: the caller decides what becomes of the partition.
        """
        await self.committer.begin()
        publishing = asyncio.create_task(self.committer.publisher.run())
        try:
            if self._losses.passed(self.committer.done):  # the very first commit passes what is gone, so it must tell
                await self._advance(empty_columns(0), 0, sweep=False)
            if self.clock is not None:
                await ask_the_time(self.committer, self._meta, self.shop)
            while not self._stopping:
                await self._wait(publishing)
                if await self._obey():
                    await self._drain()
                    if self.clock is not None:
                        await self._tick_by_wall_clock()
                if not self._stopping and self._too_quiet(self.committer.committed_s):
                    await self._advance(empty_columns(0), 0, sweep=False)
            with contextlib.suppress(TimeoutError):  # what does not get out now is in the outbox for the next owner
                await asyncio.wait_for(self.committer.publisher.drained(), DRAIN_S)
            if self._switched:
                raise WentLive(f"partition {self.partition} is live")
        finally:
            publishing.cancel()
            await self._graveyard.leave()
            await asyncio.gather(publishing, return_exceptions=True)

    def _too_quiet(self, since_s: float) -> bool:
        """Whether a commit is due although nothing happens: a new owner must be noticed, and time must pass."""
        return time.monotonic() - since_s >= self.shop.settings.engine.heartbeat_commit_s

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

    async def _obey(self) -> bool:
        """Carry out what was commanded; returns whether all that was there at the claim is, so that events may be folded."""
        while not self._stopping and (orders := self.commands.first()):
            await self.committer.erase(orders)
            self.commands.carried_out(orders)
        return self.commands.begun(self.shop.fetched(self.partition).get(COMMANDS_RANK))

    async def _drain(self) -> None:
        self._note_ends()
        while not self._stopping and (batch := self._taking.next(self.committer.labelling.tick_ms)) is not None:
            if self.clock is not None:
                self._judge(self.clock)  # a long backlog must not be folded under a judgement of long ago
            # events on the way make the clock wait; what was found out about the sources before stands meanwhile
            batch, switch_ms = self._history.split(batch)
            await self._advance(batch, 0, sweep=not (self.clock and self.clock.holding), switch_ms=switch_ms)
            if switch_ms is not None:
                self._switched = self._stopping = True
            self._taking.committed()
            await asyncio.sleep(0)
            await self._obey()
            self._note_ends()
        if self.merge.done != {rank: self.committer.done.get(rank, -1) for rank in self.merge.done} and not self._stopping:
            await self._advance(empty_columns(0), 0, sweep=False)  # nothing but dead letters: step over them

    def _note_ends(self) -> None:
        merged = self.merge.done
        for rank, position in self.shop.fetched(self.partition).items():
            if position is not None and rank in merged:
                self.merge.set_position(rank, position)
        for rank, end in self.shop.ends(self.partition).items():
            if rank in merged:
                self.merge.set_end(rank, end)

    async def _tick_by_wall_clock(self) -> None:
        """Let the wall clock move the watermark, where the rule allows it."""
        assert self.clock is not None
        probe, now_ms = self.probe, self.shop.now_ms()
        decision = self._judge(self.clock)
        alerts = self.clock.ingestion_alerts(now_ms)
        for alert in alerts:
            self._log.warning("ingestion alert", status=alert.status, reason=alert.reason, text=alert.text)
        due = self._too_quiet(self._ticked_s)
        if decision.action is ClockAction.ADVANCE and probe is not None and due:
            allowed_ms = by_wall_clock(self.committer.table.state.watermark_ms, probe.asked_ms, self.shop.rules.lateness_ms)
            await self._advance(empty_columns(0), allowed_ms, sweep=True, ingestion=alerts)
            self._ticked_s = time.monotonic()
        elif alerts:
            await self._advance(empty_columns(0), 0, sweep=False, ingestion=alerts)

    def _judge(self, clock: LiveClock) -> ClockDecision:
        """What the clock may do by what is seen now."""
        decision = clock.observe(self.probe, self._lag(self.probe), self.shop.now_ms(), self.shop.ahead_s())
        self.shop.metrics.clock(self.partition, _clock_state(decision))
        return decision

    def _lag(self, probe: Probe | None) -> int:
        """Records below the ends that the broker told, and that are not folded."""
        if probe is None:
            return 0
        return sum(max(0, probe.ends[rank] - at) for rank, at in self.passed(self.merge.done).items())

    async def _advance(
        self,
        batch: Columns,
        now_ms: int,
        *,
        sweep: bool,
        ingestion: Sequence[IngestionAlert] = (),
        switch_ms: int | None = None,
    ) -> None:
        # no await between these two: what comes meanwhile may be behind `done`, and must not be passed over
        offsets = self.merge.done | ({CLOCK_RANK: self._clock_done} if self.clock else {}) | {COMMANDS_RANK: self.commands.done}
        lost = self._losses.passed(offsets)
        told = [*ingestion, *alerts_of(lost, self.shop.now_ms() if self.clock else self.committer.table.state.watermark_ms)]
        await self.committer.advance(Work(batch, now_ms, offsets, sweep, told, switch_ms=switch_ms))
        self._losses.told(lost)


def _clock_state(decision: ClockDecision) -> str:
    told = decision.action is ClockAction.HOLD or decision.reason is ClockReason.LOW_INFLOW_RELEASED
    return decision.reason.value if told else decision.action.value


def _memory_bytes(chunk: Chunk) -> int:
    return chunk.nbytes + EVENT_OVERHEAD_BYTES * len(chunk.records)
