"""What is done about dead letters, written to Kafka so that it is done once: each event and its mark in one transaction.

Whatever kills a command, an event that was sent has its mark and a mark has its event: workers and commands read nothing of a
transaction that was not committed. All commands of a system share one transactional id, so the one that comes ends what a
dead one left open, and a live one finds that it has been replaced before it writes anything more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from kafka import errors as kafka_errors  # type: ignore[import-untyped]  # kafka-python ships no types

from streams.letter_marks import REREAD_KEY, REREAD_PARTITION, LetterMark, Reread, partition_of
from streams.runtime.admin import topic_configs
from streams.runtime.kafka_client import AdminError, admin_client, producer
from streams.runtime.settings import Settings
from streams.runtime.topics import DEAD_LETTER_MARKS

TRANSACTIONAL_ID = "churnwatch-dead-letters"
"""After the topics' prefix."""
TIMEOUT_MS = 10_000
"""A command that dies in a transaction keeps workers from what follows it in these partitions for so long, or twice that."""
ANSWER_S = 15.0
KAFKA_MAX_BYTES = 1_048_588
OVERHEAD_BYTES = 128
"""Of a batch and its one record: 61, and at most 40 in lengths and differences."""
MAX_REQUEST_BYTES = 64 * 1024 * 1024
"""It is for the broker to say what is too long."""

Told = Callable[[str], None]
"""Called after each step: sent (the events are acknowledged), marked (the marks too), committed."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record that is to be sent."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]

    @property
    def nbytes(self) -> int:
        """What it takes in the broker, at most."""
        headers = sum(len(name.encode()) + len(text) + 10 for name, text in self.headers)
        return OVERHEAD_BYTES + len(self.key or b"") + len(self.value) + headers


Work = Sequence[tuple[LetterMark, Outgoing]] | Sequence[tuple[LetterMark, None]]
"""Marks with what they tell of; None for what is dropped."""


class LetterTransactions:
    """The one writer of marks."""

    def __init__(self, settings: Settings, client: Any) -> None:
        self._topic, self._client = settings.kafka.topic_prefix + DEAD_LETTER_MARKS, client

    def commit(self, work: Work, told: Told = lambda _step: None) -> list[LetterMark]:
        """Send all this and its marks, or nothing; the marks with the places where the records stand.

        Raises AdminError when another command has taken over, KafkaError; nothing was done then, or the answer was lost.
        """
        with self._transaction():
            sent = [None if out is None else self._send(out) for _, out in work]
            marks = [_placed(mark, future) for (mark, _), future in zip(work, sent, strict=True)]
            told("sent")
            for future in [self._mark(mark) for mark in marks]:
                future.get(ANSWER_S)
            told("marked")
        told("committed")
        return marks

    def reread(self, mark: Reread) -> None:
        """Write that a rebuild reads everything again."""
        with self._transaction():
            value = msgspec.json.encode(mark)
            self._client.send(self._topic, key=REREAD_KEY, value=value, partition=REREAD_PARTITION).get(ANSWER_S)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        # whatever goes wrong, the next command ends the transaction, or the broker after TIMEOUT_MS: to abort it here would
        # be to wait for a broker that may be the very thing that is wrong
        try:
            self._client.begin_transaction()
            yield
            self._client.commit_transaction()
        except (kafka_errors.ProducerFencedError, kafka_errors.InvalidProducerEpochError):
            raise AdminError("another dead-letters command has taken over", "run this again when that has ended") from None

    def _send(self, out: Outgoing) -> Any:
        return self._client.send(out.topic, key=out.key, value=out.value, partition=out.partition, headers=out.headers)

    def _mark(self, mark: LetterMark) -> Any:
        value = msgspec.json.encode(mark)
        return self._client.send(self._topic, key=mark.id.encode(), value=value, partition=partition_of(mark.id))


def _placed(mark: LetterMark, future: Any) -> LetterMark:
    """The mark with where its record stands, once the broker has it."""
    if future is None:
        return mark
    at = future.get(ANSWER_S)
    return msgspec.structs.replace(mark, sent_to=f"{at.topic}-{at.partition}-{at.offset}")


@contextlib.contextmanager
def letter_transactions(settings: Settings) -> Iterator[LetterTransactions]:
    """The writer, once every transaction of an earlier command is over: read the marks after this and not before."""
    options = {
        "transactional_id": settings.kafka.topic_prefix + TRANSACTIONAL_ID,
        "transaction_timeout_ms": TIMEOUT_MS,
        "max_request_size": MAX_REQUEST_BYTES,
        "max_block_ms": round(ANSWER_S * 1000),
        "client_id": "churnwatch-dead-letters",
    }
    with producer(settings, **options) as client:
        client.init_transactions()
        yield LetterTransactions(settings, client)


def longest(settings: Settings, topics: Sequence[str]) -> dict[str, int]:
    """Topic -> the longest record that the broker takes on it, bytes; Kafka's own limit where it does not say."""
    with admin_client(settings) as admin:
        configs = topic_configs(admin, list(topics))
    return {topic: int(configs[topic].get("max.message.bytes", KAFKA_MAX_BYTES)) for topic in topics}
