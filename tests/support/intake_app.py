"""The intake alone, in the test's own event loop: Faust as the worker sets it up, and an owner that only writes down."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalStateError
from faust.types import TP
from kafka import KafkaAdminClient

from streams.runtime.arrivals import ChunkNumbers, LostChunk
from streams.runtime.intake import Chunk, build_app
from tests.support.brokers import RunningBroker
from tests.support.eventually import DEADLINE_S

PARTITIONS = 4


@dataclass
class Recorder:
    """An owner without Redis (see intake.Owner).

    starts     offsets that "Redis" knows, sought on every claim; of others what Kafka has committed, or the beginning
    holding    what is not to be fetched
    behind     what is said to be passed
    passes     whether what arrives is passed, too
    claims     what was assigned, claim by claim
    chunks     what arrived, in order
    leases     number of the present claim of each
    positions  as the last fetch told
    counted    bytes handed over, as `fetched` told
    lost       chunks that came where another was to; none, or `running` raises when it ends
    gone       offsets that were out of range
    """

    starts: Mapping[TP, int] = field(default_factory=dict)
    holding: set[TP] = field(default_factory=set)
    behind: dict[TP, int] = field(default_factory=dict)
    passes: bool = True
    claims: list[frozenset[TP]] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    leases: Counter[TP] = field(default_factory=Counter)
    positions: dict[TP, int] = field(default_factory=dict)
    counted: dict[TP, int] = field(default_factory=lambda: defaultdict(int))
    gone: dict[TP, int] = field(default_factory=dict)
    numbers: ChunkNumbers = field(default_factory=ChunkNumbers)
    lost: list[LostChunk] = field(default_factory=list)
    app: Any = None
    _taking: asyncio.Task[None] | None = None

    async def claim(self, assigned: frozenset[TP], generation: int) -> None:
        assert generation >= 0
        self.claims.append(assigned)
        if self._taking is not None:
            self._taking.cancel()
        self._taking = asyncio.create_task(self._take(assigned))

    async def _take(self, assigned: frozenset[TP]) -> None:
        with contextlib.suppress(IllegalStateError):  # of another rebalance by now, which brings another claim
            for tp in assigned:
                kafkas = None if tp in self.starts else self.app.consumer._committed_offset.get(tp)
                await self.back(tp, kafkas or self.starts.get(tp, 0))

    async def back(self, tp: TP, offset: int) -> None:
        """Claim this partition anew, from there on, as an owner does."""
        async with self.app.consumer.fetching:
            self.leases[tp] += 1
            self.numbers.begin(tp)
            await self.app.consumer.seek(tp, offset)

    def lease(self, tp: TP) -> int:
        return self.leases[tp]

    def fetched(self, tp: TP, nbytes: int) -> int:
        self.counted[tp] += nbytes
        return self.numbers.next(tp)

    def reached(self, positions: Mapping[TP, int]) -> None:
        self.positions = dict(positions)

    def out_of_range(self, offsets: Mapping[TP, int]) -> None:
        self.gone |= offsets

    def held(self) -> frozenset[TP]:
        taken = self._taking is not None and self._taking.done()
        return frozenset(self.holding if taken or not self.claims else self.claims[-1])

    def passed(self) -> Mapping[TP, int]:
        arrived = {chunk.tp: chunk.last_offset + 1 for chunk in self.chunks if self.passes}
        return arrived | {tp: max(at, arrived.get(tp, 0)) for tp, at in self.behind.items()}

    async def receive(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        if chunk.lease == self.leases[chunk.tp]:
            try:
                self.numbers.arrived(chunk)
            except LostChunk as problem:  # faust would begin the agent anew, and say nothing
                self.lost.append(problem)

    def offsets(self, tp: TP) -> list[int]:
        """Offsets of all records of a partition, as they arrived."""
        return [record.offset for chunk in self.chunks if chunk.tp == tp for record in chunk.records]

    def latest(self, tp: TP) -> list[int]:
        """Offsets that arrived under the present claim."""
        mine = [chunk for chunk in self.chunks if (chunk.tp, chunk.lease) == (tp, self.leases[tp])]
        return [record.offset for chunk in mine for record in chunk.records]

    def received(self) -> int:
        """Records that arrived."""
        return sum(len(chunk.records) for chunk in self.chunks)


@contextlib.asynccontextmanager
async def running(
    broker: RunningBroker, group: str, topics: Iterable[str], recorder: Recorder, folder: Path, **options: Any
) -> AsyncIterator[Recorder]:
    """The intake of one worker, from joining the group to leaving it."""
    folder.mkdir(exist_ok=True)
    settings = {
        "broker": f"kafka://{broker.bootstrap}",
        "datadir": folder,
        "broker_commit_interval": 0.2,
        "broker_session_timeout": 3.0,
        "broker_heartbeat_interval": 0.3,
        "broker_max_poll_records": 10_000,
    }
    recorder.app = build_app(group, list(topics), recorder, recorder.receive, settings | options)
    await recorder.app.start()
    try:
        yield recorder
    finally:
        await recorder.app.stop()
    assert recorder.lost == []


async def until(holds: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Let the loop run until `holds()`. AssertionError naming `what` after the deadline."""
    try:
        async with asyncio.timeout(deadline_s):
            while not holds():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {deadline_s:g} s: {what}") from None


def committed(broker: RunningBroker, group: str) -> dict[TP, int]:
    """What the group has committed in Kafka."""
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap, request_timeout_ms=8_000)
    try:
        found = admin.list_group_offsets({group: None})[group]
    finally:
        admin.close()
    return {TP(tp.topic, tp.partition): at.offset for tp, at in found.items() if at.offset >= 0}


def made(broker: RunningBroker, prefix: str) -> list[str]:
    """Three fresh topics of four partitions."""
    names = [f"{prefix}{name}" for name in ("one", "two", "three")]
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap, request_timeout_ms=8_000)
    try:
        spec = {"num_partitions": PARTITIONS, "replication_factor": 1}
        admin.create_topics(dict.fromkeys(names, spec), wait_for_metadata=True)
    finally:
        admin.close()
    return names


def partitions_of(topics: Sequence[str]) -> list[TP]:
    return [TP(topic, partition) for topic in topics for partition in range(PARTITIONS)]


async def send(broker: RunningBroker, counts: dict[TP, int], size: int = 20) -> None:
    """So many records to each, in random turns."""
    turns = [tp for tp, count in counts.items() for _ in range(count)]
    random.Random(3).shuffle(turns)
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all", linger_ms=20, max_batch_size=65_536) as producer:
        futures = [await producer.send(tp.topic, b"x" * size, partition=tp.partition) for tp in turns]
        await asyncio.gather(*futures)
