"""Alerts and dead letters as they stand on their topics: read by a thread, counted, the most telling ones kept for show."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from alerts.alert import Alert, decode_any
from streams.dead_letters import DeadLetter
from streams.runtime.kafka_client import kafka_client_options
from streams.runtime.settings import Settings
from streams.runtime.topics import ALERTS, DEAD_LETTERS

TIERS = ("critical", "high", "watch")
DECISIONS = ("fired", "escalated", "deescalated", "resolved_returned", "resolved_risk_fell")
WEIGHT = {"critical": 3, "high": 2, "watch": 1, "none": 0}

ENDS_S = 2.0

_decode_letter = msgspec.json.Decoder(DeadLetter).decode


class Tally:
    """What has been read so far.

    alerts      distinct messages about customers
    repeated    messages that had been read before (a crash may repeat one)
    counts      (decision, tier) -> messages; of a resolved alert, the tier that it had
    latest      event time of the last message, RFC 3339
    letters     dead letters, each once, in order of arrival
    followed    customer -> messages, for the customers that are to be followed
    striking    of the followed customers' messages, the most telling one; None before there is any
    """

    def __init__(self, follow_prefix: str) -> None:
        self.repeated = 0
        self.counts: Counter[tuple[str, str]] = Counter()
        self.latest = ""
        self.letters: list[DeadLetter] = []
        self.followed: dict[str, list[Alert]] = {}
        self.striking: Alert | None = None
        self._follow = follow_prefix
        self._seen: set[str] = set()
        self._letter_ids: set[str] = set()
        self._worst: Alert | None = None
        self._back: Alert | None = None
        self._unshown: deque[DeadLetter] = deque()
        self._lock = threading.Lock()

    @property
    def alerts(self) -> int:
        return len(self._seen)

    def take_alert(self, alert: Alert) -> None:
        """Count a message, unless it is a repeat."""
        if alert.message_id in self._seen:
            self.repeated += 1
            return
        tier = alert.previous_tier if alert.status == "resolved" else alert.tier
        with self._lock:
            self._seen.add(alert.message_id)
            self.counts[alert.decision, tier] += 1
            self.latest = alert.as_of
            if alert.customer_id.startswith(self._follow):
                self.followed.setdefault(alert.customer_id, []).append(alert)
            if alert.decision == "resolved_returned":
                self._back = _better(self._back, alert)
            elif alert.decision in ("fired", "escalated"):
                self._worst = _better(self._worst, alert)
                if alert.customer_id.startswith(self._follow):
                    self.striking = _better(self.striking, alert)

    def take_letter(self, letter: DeadLetter) -> None:
        """Count a dead letter, unless it is a repeat."""
        if letter.id in self._letter_ids:
            return
        with self._lock:
            self._letter_ids.add(letter.id)
            self.letters.append(letter)
            self._unshown.append(letter)

    def next_alert(self, *, returned: bool) -> Alert | None:
        """The most telling alert since the last call; with `returned`, one that ended because its customer bought again."""
        with self._lock:
            if returned and self._back is not None:
                back, self._back = self._back, None
                return back
            worst, self._worst = self._worst, None
            return worst

    def next_letter(self) -> DeadLetter | None:
        """A dead letter that was not shown yet."""
        with self._lock:
            return self._unshown.popleft() if self._unshown else None


def _better(one: Alert | None, other: Alert) -> Alert:
    return other if one is None or _telling(other) >= _telling(one) else one


def _telling(alert: Alert) -> tuple[int, int]:
    """Worst tier first, then most at stake; it counts for more where something was seen beside the purchases."""
    tier = max(WEIGHT[alert.tier], WEIGHT[alert.previous_tier])
    seen = sum(reason.contribution is None for reason in alert.reasons)
    return tier, alert.value_at_stake.amount_minor * (1 + seen)


class Feed:
    """Reads both topics from their beginning, in a thread, into `tally`."""

    def __init__(self, settings: Settings, tally: Tally) -> None:
        self.tally = tally
        self.problem: Exception | None = None
        self._settings = settings
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-feed", daemon=True)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(ENDS_S)  # its first poll cannot be interrupted; a daemon may be left

    def _run(self) -> None:
        try:
            consumer = self._consumer()
            try:
                while not self._stop.is_set():
                    for tp, records in consumer.poll(timeout_ms=200).items():
                        self._take(tp.topic, records)
            finally:
                consumer.close(autocommit=False)
        except Exception as problem:  # noqa: BLE001  # told by whoever waits for the feed, in the main thread
            self.problem = problem

    def _consumer(self) -> Any:
        kafka = self._settings.kafka
        # check_crcs: in kafka-python checksums are computed in Python, which would take a core from the replay
        options = {"group_id": None, "enable_auto_commit": False, "check_crcs": False, "fetch_max_wait_ms": 100}
        consumer = KafkaConsumer(**kafka_client_options(self._settings) | options, auto_offset_reset="earliest")
        names = (kafka.topic_prefix + ALERTS, kafka.topic_prefix + DEAD_LETTERS)
        partitions = [TopicPartition(name, partition) for name in names for partition in range(kafka.partitions)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        return consumer

    def _take(self, topic: str, records: list[Any]) -> None:
        for record in records:
            if topic.endswith(DEAD_LETTERS):
                self.tally.take_letter(_decode_letter(record.value))
            elif isinstance(alert := decode_any(record.value), Alert):
                self.tally.take_alert(alert)
