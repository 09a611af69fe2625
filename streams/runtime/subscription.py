"""One channel's own consumer group on `churn.alerts`, held by one worker at a time.

Its backlog is in Kafka, so a receiver that hangs or fails holds up neither the worker nor another channel, and what was not
settled is read again by whoever takes over: at least once. A group that has no position yet begins at the end of the topic and
says so to Kafka at once; a position that retention has overtaken goes on at the earliest record that is left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition  # type: ignore[import-untyped] # no types
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError  # type: ignore[import-untyped] # as above

from alerts.channels.port import Channel
from alerts.selection import Recent
from streams.runtime.backoff import Backoff
from streams.runtime.held_channel import HeldChannel
from streams.runtime.kafka_login import aiokafka_options
from streams.runtime.kafka_refused import refused_for_good
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from streams.runtime.sole_assignor import SoleAssignor
from streams.runtime.topics import ALERTS

log = structlog.get_logger()

POLL_MS = 1_000
MAX_RECORDS = 500
KAFKA_S = 10.0
"""Longest wait for an answer of Kafka's, after which the round is begun anew."""
REJOIN_S = 0.5
"""After a commit that Kafka did not take, so that the rebalance behind it can come about."""
BACKLOG_S = 10.0
DELIVERED = 20_000
SESSION_MS = 10_000
PROOF_S = 5.0
"""A commit that Kafka took proves for so long that nobody else holds the channel: well below the session's end."""
MAX_POLL_MS = 300_000
"""A member that does not poll for so long is taken for dead. We poll every round, and a round lasts no longer than a receiver's
timeout, a refresh and a few answers of Kafka's."""
RESTART = Backoff(first_s=1.0, cap_s=30.0)


class Subscription(ConsumerRebalanceListener):  # type: ignore[misc] # no types there
    """One channel, from joining its group to leaving it.

    name   of the channel
    make   the way to its receiver, anew for each tenure
    """

    def __init__(self, name: str, make: Callable[[], Channel], settings: Settings, metrics: Metrics) -> None:
        self._name, self._make, self._settings, self._metrics = name, make, settings, metrics
        self._topic = settings.kafka.topic_prefix + ALERTS
        self._delivered = Recent(DELIVERED)
        self._held: HeldChannel | None = None
        self._former: HeldChannel | None = None
        self._committed: dict[int, int] = {}
        self._backlog_s = 0.0
        self._proved_s = float("-inf")
        self._stopping = False

    def _consumer(self, **more: Any) -> AIOKafkaConsumer:
        group = f"{self._settings.kafka.group}-channel-{self._name}"
        return AIOKafkaConsumer(
            **aiokafka_options(self._settings.kafka),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **more,
        )

    async def begin(self) -> None:
        """A channel that is new begins here: what is told from now on reaches it."""
        consumer = self._consumer()
        await consumer.start()
        try:
            partitions = [TopicPartition(self._topic, number) for number in range(self._settings.kafka.partitions)]
            consumer.assign(partitions)
            new = [tp for tp in partitions if await consumer.committed(tp) is None]
            if new:
                await consumer.commit(await consumer.end_offsets(new))
        except CommitFailedError:
            log.info("another worker holds the channel", channel=self._name)
        finally:
            await consumer.stop()

    async def run(self) -> None:
        """Hold the channel, or stand by, until `stop`. Whatever goes wrong is logged, and begun anew."""
        failures = 0
        while not self._stopping:
            began_s = time.monotonic()
            try:
                await self._session()
            except Exception as problem:  # noqa: BLE001 - a channel's trouble is its own: the worker goes on
                failures = failures + 1 if time.monotonic() - began_s < RESTART.cap_s else 1
                refused = refused_for_good(problem)
                told = {"error": type(problem).__name__} if refused is None else refused._asdict()
                log.warning("channel begins anew", channel=self._name, **told)
                await asyncio.sleep(RESTART.pause_s(failures))

    def stop(self) -> None:
        """Finish the message that is under way, and leave."""
        self._stopping = True

    async def _session(self) -> None:
        consumer = self._consumer(
            partition_assignment_strategy=(SoleAssignor(),),
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=SESSION_MS // 3,
            max_poll_interval_ms=MAX_POLL_MS,
        )
        consumer.subscribe([self._topic], listener=self)
        try:
            await consumer.start()
            while not self._stopping:
                await self._round(consumer)
        finally:
            self._let_go()
            await self._close_former()
            await consumer.stop()

    # -- rebalances, called by the consumer while a round may wait ---------------------------------------------------

    def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002 - aiokafka passes it; ours are all or none
        self._let_go()

    def on_partitions_assigned(self, assigned: Any) -> None:
        """The next round takes them."""

    def _let_go(self) -> None:
        """What is not settled is read again, by us or by another."""
        if self._held is not None:
            self._former, self._held = self._held, None
            self._metrics.channel_backlog.remove_by_labels({"channel": self._name})

    async def _close_former(self) -> None:
        if self._former is not None:
            former, self._former = self._former, None
            await former.close()

    # -- rounds -----------------------------------------------------------------------------------------------------

    async def _round(self, consumer: AIOKafkaConsumer) -> None:
        """Read, send one message, commit. Keeps polling whatever the receiver does, or Kafka would take us for dead."""
        held = self._held or await self._take_over(consumer)
        if held is None:
            await consumer.getmany(timeout_ms=POLL_MS)
            return
        _only_if(held.wants_more(), consumer)
        found = await consumer.getmany(timeout_ms=held.wait_ms(POLL_MS), max_records=MAX_RECORDS)
        if held is not self._held:
            return
        for tp, records in found.items():
            for record in records:
                held.take(tp.partition, record.offset, record.value)
        if held.has_work() and await self._surely_holds(consumer, held):
            if held.refresh_is_due():
                await held.refresh()
            await held.send()
        if held is self._held:
            await self._commit(consumer, held)
            await self._gauge(consumer, held)

    async def _take_over(self, consumer: AIOKafkaConsumer) -> HeldChannel | None:
        """What was assigned to us, from where it was committed; None when nothing is, or not any more."""
        await self._close_former()
        assigned = consumer.assignment()
        if not assigned:
            return None
        held = HeldChannel(self._name, self._make(), self._settings.channels, self._metrics, self._delivered, steady_clock())
        self._held = held  # a rebalance while we wait lets it go again
        self._committed = {}
        self._backlog_s = 0.0
        self._proved_s = float("-inf")
        try:
            async with asyncio.timeout(KAFKA_S):
                for tp in assigned:
                    await self._begin(consumer, tp, held)
        except IllegalStateError:  # not ours any more
            self._let_go()
        if held is not self._held:
            return None
        log.info("channel taken", channel=self._name, partitions=len(assigned))
        return held

    async def _begin(self, consumer: AIOKafkaConsumer, tp: TopicPartition, held: HeldChannel) -> None:
        offset = await consumer.committed(tp)
        if offset is None:
            offset = (await consumer.end_offsets([tp]))[tp]
        else:
            self._committed[tp.partition] = offset
        consumer.seek(tp, offset)
        held.desk.begin(tp.partition, offset)

    async def _surely_holds(self, consumer: AIOKafkaConsumer, held: HeldChannel) -> bool:
        """A worker that was frozen holds the channel no more and does not know: it would tell of what has ended since."""
        return time.monotonic() - self._proved_s < PROOF_S or await self._commit(consumer, held, anew=True)

    async def _commit(self, consumer: AIOKafkaConsumer, held: HeldChannel, *, anew: bool = False) -> bool:
        """Tell Kafka where a successor begins, if that has changed, or `anew`: False when Kafka does not take it from us."""
        positions = held.desk.positions()
        moved = {partition: at for partition, at in positions.items() if anew or self._committed.get(partition) != at}
        if not moved:
            return True
        asked_s = time.monotonic()
        try:
            async with asyncio.timeout(KAFKA_S):
                await consumer.commit({TopicPartition(self._topic, partition): offset for partition, offset in moved.items()})
            self._committed |= moved
            self._proved_s = asked_s
        except (KafkaError, TimeoutError) as problem:  # a rebalance, or an outage; the next round tries again
            log.info("position not committed", channel=self._name, error=type(problem).__name__)
            await asyncio.sleep(REJOIN_S)
            return False
        return True

    async def _gauge(self, consumer: AIOKafkaConsumer, held: HeldChannel) -> None:
        if time.monotonic() < self._backlog_s:
            return
        self._backlog_s = time.monotonic() + BACKLOG_S
        positions = held.desk.positions()
        try:
            async with asyncio.timeout(KAFKA_S):
                ends = await consumer.end_offsets([TopicPartition(self._topic, partition) for partition in positions])
        except (KafkaError, TimeoutError):
            return
        if held is self._held:
            backlog = sum(max(0, end - positions[tp.partition]) for tp, end in ends.items())
            self._metrics.channel_backlog.labels(self._name).set(backlog)


def steady_clock() -> Callable[[], int]:
    """Wall clock, ms since 1970, that never falls: a minute would not end where this host's clock is set back."""
    began_ms, began_s = time.time_ns() // 1_000_000, time.monotonic()
    return lambda: began_ms + round((time.monotonic() - began_s) * 1000)


def _only_if(wanted: bool, consumer: AIOKafkaConsumer) -> None:
    """Fetch records, or only keep in touch."""
    assigned, paused = consumer.assignment(), consumer.paused()
    if wanted and paused:
        consumer.resume(*paused)
    elif not wanted and len(paused) < len(assigned):
        consumer.pause(*assigned)
