"""Faust, set up to deliver whole fetched batches and to start where Redis says.

One event at a time Faust costs about 80 µs of CPU each; handed over as fetched chunks it is some 20 times faster. A schema
does it, and subclasses of its consumer whose overridden methods are named below with their reasons. Pinned to faust-streaming
0.15.3; tests/contract/test_faust_contract.py holds what is relied on.

What was read, and what Kafka is told of it, is the owner's to say: of both Faust keeps its own account, one record at a time,
and goes by it when it should not. It drops what stands before the last record handed on, also after a seek back that came while
chunks were on their way; what Redis had not committed would then be passed over. So it is kept from knowing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import faust
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError  # type: ignore[import-untyped] # it ships no types
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.drivers.aiokafka import Consumer as AiokafkaConsumer
from faust.transport.drivers.aiokafka import Transport as AiokafkaTransport
from faust.types import TP

from streams.runtime import fetch_state
from streams.runtime.told_offsets import ToldOffsets

CHUNK_RECORDS = 4_000
FETCH_WAIT_S = 0.25
"""A fetch that brings nothing ends after so long: only then is it known how far it came (see `Owner.reached`)."""
BROKER_WAIT_MS = 50
"""The broker answers a request that finds nothing new after so long."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Fetched records of one topic and partition, in offset order, never empty.

    lease    which claim on the partition they were fetched under; a chunk of an older claim must not be folded
    number   of the topic's chunks under this claim, from 1: one that is missing was lost on its way
    """

    tp: TP
    records: Sequence[Any]
    lease: int
    nbytes: int
    number: int

    @property
    def last_offset(self) -> int:
        return int(self.records[-1].offset)


class NothingRead(dict[TP, int | None]):
    """What Faust has read of each partition: none, whatever it is told."""

    def __missing__(self, _tp: TP) -> None:
        """None."""

    def __setitem__(self, _tp: TP, _offset: int | None) -> None:
        """Nothing."""

    def update(self, *_: Any, **__: Any) -> None:
        """Nothing."""


class ChunkRecord:
    """A chunk as Faust wants to see it: one record whose value is the chunk, at the offset of the chunk's last record."""

    __slots__ = (
        "checksum",
        "headers",
        "key",
        "offset",
        "partition",
        "serialized_key_size",
        "serialized_value_size",
        "timestamp",
        "timestamp_type",
        "topic",
        "value",
    )

    def __init__(self, chunk: Chunk) -> None:
        last = chunk.records[-1]
        self.topic, self.partition, self.offset = last.topic, last.partition, last.offset
        self.timestamp, self.timestamp_type = last.timestamp, last.timestamp_type
        self.headers: tuple[()] = ()
        self.key = None
        self.value = chunk
        self.checksum = None
        self.serialized_key_size = self.serialized_value_size = 0


class ChunkSchema(faust.Schema[Any, Any]):
    """Hands the chunk over as it is; decoding is ours, since an error in Faust's would crash the agent."""

    def loads_key(self, app: Any, message: Any, **kwargs: Any) -> None:
        """Keys are inside the chunk."""

    def loads_value(self, app: Any, message: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - faust's signature
        """The chunk."""
        return message.value


class Owner(Protocol):
    """Who takes the partitions that Kafka assigns, and says where to read and what to leave for now."""

    async def claim(self, assigned: frozenset[TP], generation: int) -> None:
        """Begin to own these and to seek to the offsets that Redis knows, and return without waiting for Redis.

        Whatever has to wait is in `held` meanwhile; what goes wrong ends the worker and is not raised.
        """
        ...

    def lease(self, tp: TP) -> int:
        """Number of the present claim on this partition."""
        ...

    def fetched(self, tp: TP, nbytes: int) -> int:
        """A chunk of so many bytes is now in memory; returns its number under the present claim."""
        ...

    def reached(self, positions: Mapping[TP, int]) -> None:
        """A fetch has ended at these positions. What it brought was told by `fetched` just before."""
        ...

    def out_of_range(self, offsets: Mapping[TP, int]) -> None:
        """The broker does not have these offsets, which were to be fetched: deleted, or the topic is another. Does not wait."""
        ...

    def held(self) -> frozenset[TP]:
        """What not to fetch from now: it is ahead, or lost."""
        ...

    def passed(self) -> Mapping[TP, int]:
        """Where to go on reading, of all that is taken: what stands before is committed, or is no data."""
        ...


def _chunks(owner: Owner, found: Mapping[TP, list[Any]], positions: Mapping[TP, int]) -> dict[TP, list[ChunkRecord]]:
    """Chunks of what a fetch brought. What a seek overtook on its way to us is behind the position, and comes again."""
    kept = {tp: got for tp, got in found.items() if positions.get(tp, got[-1].offset + 1) > got[-1].offset}
    return {tp: list(_cut(owner, TP(tp.topic, tp.partition), got)) for tp, got in kept.items()}


def _cut(owner: Owner, tp: TP, records: list[Any]) -> Iterator[ChunkRecord]:
    for start in range(0, len(records), CHUNK_RECORDS):
        part = records[start : start + CHUNK_RECORDS]
        nbytes = sum(len(record.value or b"") for record in part)
        yield ChunkRecord(Chunk(tp, part, owner.lease(tp), nbytes, owner.fetched(tp, nbytes)))


class IntakeThread(AIOKafkaConsumerThread):
    """Reads nothing of transactions that are open or were aborted, and lets no topic wait long for the others."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        # Faust ties this to its own transactions; a sale whose transaction was aborted has not happened
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        # one request is under way at a time: while one about topics that are read to their end waits at the broker for
        # something new (1.5 s by faust's will), none about a topic with a backlog is sent
        consumer._fetch_max_wait_ms = BROKER_WAIT_MS
        # it would go on silently at the earliest record, as if nothing had been lost; where to begin is the claim's to say
        consumer._auto_offset_reset = "none"
        return consumer


def chunk_transport(owner: Owner) -> type[AiokafkaTransport]:
    """Faust's aiokafka transport: its consumer seeks to Redis' offsets, leaves out what is held, and delivers chunks."""
    told = ToldOffsets(owner.passed)

    class ChunkConsumer(AiokafkaConsumer):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._read_offset = NothingRead()

        @cached_property
        def fetching(self) -> asyncio.Lock:
            """Held during a fetch. Who holds it may seek, and knows that no fetch from before the seek is on its way."""
            return asyncio.Lock()

        def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
            return IntakeThread(self, loop=self.loop, beacon=self.beacon)

        async def perform_seek(self) -> None:
            # runs last of all in a rebalance, and would overwrite any seek made earlier
            await super().perform_seek()
            assigned = frozenset(TP(tp.topic, tp.partition) for tp in self.assignment())
            await owner.claim(assigned, int(self.app.consumer_generation_id))

        async def _wait_next_records(self, timeout: float) -> Any:
            found = await super()._wait_next_records(timeout)
            # in a rebalance getmany would seek, and so claim what was assigned before; the claim at its end seeks everything
            return found if self.flow_active else (None, None)

        async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
            # `pause_partitions` would drop what is already fetched; an empty set would fetch everything
            async with self.fetching:
                wanted = active_partitions - owner.held() if active_partitions else active_partitions
                if wanted or not active_partitions:
                    return await _fetch(super()._getmany(wanted, min(timeout, FETCH_WAIT_S)), owner, self.app)
            await asyncio.sleep(0.02)
            return {}

        def _filter_committable_offsets(self, _tps: Iterable[TP]) -> dict[TP, int]:
            return told.news()

        async def _commit_offsets(self, offsets: Mapping[TP, int], *args: Any, **options: Any) -> bool:
            done = await super()._commit_offsets(offsets, *args, **options)
            told.answered(done=done)
            return bool(done)

        async def seek(self, partition: TP, offset: int) -> None:
            await super().seek(partition, offset)
            told.sought(TP(partition.topic, partition.partition))

    class ChunkTransport(AiokafkaTransport):
        Consumer = ChunkConsumer

    return ChunkTransport


async def _fetch(fetching: Awaitable[Mapping[TP, Any]], owner: Owner, app: Any) -> dict[TP, list[ChunkRecord]]:
    """Chunks of what the fetch brings. Whoever awaits it holds the lock that claims take, so none can come between."""
    found = await _what_is_there(fetching, owner)
    # the fetcher's thread moves a position before we have its records: only now do the two agree
    positions = fetch_state.positions(app)
    chunks = _chunks(owner, found, positions)
    owner.reached(positions)
    return chunks


async def _what_is_there(fetching: Awaitable[Mapping[TP, Any]], owner: Owner) -> Mapping[TP, Any]:
    """What the fetch brings; nothing where the broker has not what was to be fetched, and the owner is told."""
    try:
        return await fetching
    except OffsetOutOfRangeError as problem:
        owner.out_of_range({TP(tp.topic, tp.partition): offset for tp, offset in problem.args[0].items()})
    except NoOffsetForPartitionError:
        await asyncio.sleep(0.02)  # the claim has not sought it yet
    return {}


def build_app(
    name: str, topics: Sequence[str], owner: Owner, receive: Callable[[Chunk], Awaitable[None]], options: Mapping[str, Any]
) -> Any:
    """The Faust app: one agent over the input topics that hands each chunk to `receive`.

    name     consumer group
    options  broker, credentials, data folder and timeouts, as Faust names them
    """
    app = faust.App(
        name,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        stream_wait_empty=False,
        autodiscover=False,
        **options,
    )
    app.transport = chunk_transport(owner)(app.conf.broker_consumer, app)
    # below 256 the consumer sleeps a second whenever all partitions are full
    topic = app.topic(*topics, schema=ChunkSchema(), maxsize=256)

    async def stand_by(app: Any, /, *_: Any, **__: Any) -> None:
        # with more workers than partitions some get none; faust then never comes to perform_seek
        if not app.consumer.assignment():
            await owner.claim(frozenset(), int(app.consumer_generation_id))

    app.on_rebalance_complete.connect(stand_by)

    @app.agent(topic, name=f"{name}-intake", concurrency=1)
    async def intake(stream: Any) -> None:
        async for chunk in stream.noack():
            await receive(chunk)

    return app
