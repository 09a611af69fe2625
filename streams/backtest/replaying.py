"""Replay out: a history into the topics, with the clock's ticks, so that a worker lives through it as it was.

Promised: every event of the history stands in its topic once, however often the replay is killed and started again (one
replay at a time; it resumes the same history only). A tick T is written only when every event up to T is acknowledged on
every topic; it names per topic the offset below which these stand, also of a topic that the history lacks: what is sent
there once the history stands is dated by nobody into it.

Ticks lag behind the events by some windows while the broker works, so that no day costs a round trip.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from kafka import KafkaProducer  # type: ignore[import-untyped]  # kafka-python ships no types
from kafka.errors import KafkaError  # type: ignore[import-untyped]  # kafka-python ships no types

from streams.backtest.history import History
from streams.backtest.pace import Pace
from streams.backtest.payloads import partitions_of, payload, tick_times
from streams.backtest.resume import PartitionState, ReplayError, ReplayTick, name_every_topic, read_topics
from streams.backtest.windows import Window, broker_error, check
from streams.columns import CANCELLATION, DAY_MS
from streams.runtime.kafka_client import kafka_client_options
from streams.runtime.settings import KafkaSettings, Settings
from streams.runtime.topics import CLOCK

__all__ = ["ReplayError", "ReplayOptions", "ReplaySummary", "replay_history"]

MAX_IN_FLIGHT = 30_000
"""Events sent and not yet seen acknowledged. More would only hold memory."""
ANSWER_S = 150.0
"""Longer than the producer itself keeps trying to deliver (120 s)."""
LINGER_MS = 20
BATCH_BYTES = 128 * 1024

Progress = Callable[[int, int], None]
"""Called now and then with (events of the history passed, event time in ms)."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """speed_days_per_s  event days in a second; 0 is as fast as it goes
    tick_days            days between ticks, >= 1
    run_on_days          days of ticks beyond the last event, >= 0
    """

    speed_days_per_s: float = 0.0
    tick_days: int = 1
    run_on_days: int = 0


class ReplaySummary(msgspec.Struct, frozen=True):
    """What a replay did.

    events           of the history
    written          of them, by this run
    already_written  of them, found in place
    days             from the first event to the last tick
    ticks            distinct times ticked by this run
    seconds          this run took; events_per_s is written / seconds
    resumed_from_ms  event time of the tick it went on from; null where there was none
    source           fingerprint of the history
    """

    events: int
    written: int
    already_written: int
    days: int
    ticks: int
    seconds: float
    events_per_s: float
    resumed_from_ms: int | None
    source: str


def replay_history(
    history: History, settings: Settings, options: ReplayOptions, progress: Progress = lambda _events, _at_ms: None
) -> ReplaySummary:
    """Write what is missing of `history` and its ticks into the topics that `settings` name.

    Raises ReplayError: topics missing or unequal, a clock that is ahead of this history, a broker that takes no events.
    Raises AdminError where the broker cannot be reached.
    """
    begun_s = time.monotonic()
    _check_topics_for(history, settings.kafka)
    states = read_topics(settings)
    name_every_topic(states, history)
    source = history.fingerprint()
    resumed = _resumed_from(history, states, source)
    with _producer(settings) as producer:
        replayer = _Replayer(history, states, producer, settings.kafka, source, progress)
        replayer.run(options)
    seconds = time.monotonic() - begun_s
    return ReplaySummary(
        events=len(history),
        written=replayer.written,
        already_written=len(history) - replayer.written,
        days=replayer.days,
        ticks=replayer.ticks,
        seconds=round(seconds, 3),
        events_per_s=round(replayer.written / seconds, 1),
        resumed_from_ms=resumed,
        source=source,
    )


def _check_topics_for(history: History, kafka: KafkaSettings) -> None:
    cancellations = int((history.kind == CANCELLATION).sum())
    if cancellations and not kafka.cancellations:
        raise ReplayError(
            f"the history has {cancellations} cancellations, and this system no topic for them; set kafka.cancellations: true, "
            "for its workers too, and run `churnwatch topics create`"
        )


def _resumed_from(history: History, states: list[PartitionState], source: str) -> int | None:
    """The earliest tick of this history that a partition stands at; None where one has none. Refuses to go back in time."""
    first_ms = int(history.time_ms[0])
    for number, state in enumerate(states):
        if state.source != source and state.done_ms >= first_ms:
            raise ReplayError(
                f"partition {number} of {CLOCK} has reached {_utc(state.done_ms)} with another history, and this one begins "
                f"at {_utc(first_ms)}; replay it into fresh topics (kafka.topic_prefix), or only events after that time"
            )
    ours = [state.done_ms for state in states if state.source == source and state.done_ms >= 0]
    return min(ours) if len(ours) == len(states) else None


def _utc(time_ms: int) -> str:
    return str(np.datetime64(time_ms, "ms")) + "Z"


@contextmanager
def _producer(settings: Settings) -> Iterator[Any]:
    """A producer that loses and repeats nothing. When the block fails, what is in flight is not waited for."""
    options = kafka_client_options(settings) | {"client_id": "churnwatch-replay"}
    producer = None
    wait_s = 1.0
    try:
        producer = KafkaProducer(
            **options, acks="all", enable_idempotence=True, allow_auto_create_topics=False, linger_ms=LINGER_MS,
            batch_size=BATCH_BYTES, compression_type="gzip",  # gzip: the client's checksum is Python, and so has fewer bytes
        )  # fmt: skip
        yield producer
        wait_s = ANSWER_S
    except KafkaError as problem:
        raise broker_error(problem) from None
    finally:
        if producer is not None:
            producer.close(timeout=wait_s)


class _Replayer:
    """One run. written, ticks, days: as in `ReplaySummary`."""

    def __init__(
        self, history: History, states: list[PartitionState], producer: Any, kafka: KafkaSettings, source: str, progress: Progress
    ) -> None:
        self.written = self.ticks = self.days = 0
        self._history, self._states, self._producer = history, states, producer
        self._inputs, prefix = kafka.inputs, kafka.topic_prefix
        self._topics = [prefix + name for name in self._inputs]
        self._clock, self._source, self._progress = prefix + CLOCK, source, progress
        self._partitions = partitions_of(history, len(states))
        self._waiting: deque[Window] = deque()
        self._in_flight = 0
        self._tick_futures: deque[Any] = deque()

    def run(self, options: ReplayOptions) -> None:
        """Send every window, then wait until all is acknowledged and ticked."""
        times = self._history.time_ms
        ticks = tick_times(int(times[0]), int(times[-1]), tick_days=options.tick_days, run_on_days=options.run_on_days)
        done_ms = min(state.done_ms for state in self._states)
        self.days = -(-int(ticks[-1] - times[0]) // DAY_MS)
        pace = Pace(options.speed_days_per_s, max(int(times[0]), done_ms))
        ends = np.searchsorted(times, ticks, side="right")
        start = 0
        for at_ms, end in zip(ticks.tolist(), ends.tolist(), strict=True):
            if at_ms > done_ms:
                self._send(start, end, at_ms, pace)
                self._close_windows(pace, at_ms)
                self._progress(end, at_ms)
            start = end
        self._producer.flush()
        while self._waiting:
            self._tick(self._waiting.popleft())
        self._producer.flush()
        self._check_ticks(wait=True)

    def _send(self, start: int, end: int, at_ms: int, pace: Pace) -> None:
        """Events start..end-1 of the history, save those in place already."""
        window = Window(at_ms)
        history, states, send = self._history, self._states, self._producer.send
        ranks, partitions = history.rank[start:end].tolist(), self._partitions[start:end].tolist()
        times = history.time_ms[start:end].tolist()
        for index, (rank, partition, time_ms) in enumerate(zip(ranks, partitions, times, strict=True), start=start):
            state = states[partition]
            if time_ms <= state.done_ms:
                continue
            written = state.written.get((rank, history.event_id[index])) if state.written else None
            if written:
                window.found.append((rank, partition, written.popleft()))
                continue
            if pace.wait_for(time_ms):
                self._tick_ready()
            key, value = history.customer[index].encode(), payload(history, index)
            window.sent.append((rank, partition, send(self._topics[rank], key=key, value=value, partition=partition)))
        self.written += len(window.sent)
        self._in_flight += len(window.sent)
        self._waiting.append(window)

    def _close_windows(self, pace: Pace, at_ms: int) -> None:
        """Tick what is acknowledged. Wait only when the pace leaves time for it, or too much is in flight."""
        if pace.wait_for(at_ms):
            self._producer.flush()
        self._tick_ready()

    def _tick_ready(self) -> None:
        while self._waiting and (self._waiting[0].settle() or self._in_flight > MAX_IN_FLIGHT):
            self._tick(self._waiting.popleft())
        self._check_ticks(wait=False)

    def _tick(self, window: Window) -> None:
        """Wait for the window's events, then say so on every partition of the clock that does not stand there yet."""
        window.settle(ANSWER_S)
        self._in_flight -= len(window.sent)
        for rank, partition, offset in window.offsets():
            offsets = self._states[partition].next_offsets
            name = self._inputs[rank]
            offsets[name] = max(offsets[name], offset + 1)
        self.ticks += 1
        for number, state in enumerate(self._states):
            if state.done_ms >= window.at_ms:
                continue
            offsets = {name: state.next_offsets[name] for name in self._inputs}
            value = msgspec.json.encode(ReplayTick(at_ms=window.at_ms, offsets=offsets, source=self._source))
            self._tick_futures.append(self._producer.send(self._clock, key=b"%d" % number, value=value, partition=number))

    def _check_ticks(self, *, wait: bool) -> None:
        while self._tick_futures and (wait or self._tick_futures[0].is_done):
            check(self._tick_futures.popleft(), ANSWER_S)
