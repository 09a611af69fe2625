"""The whole record of a dead letter: from the letter where it holds all of it, else from the topic where it stands."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import TopicPartition  # type: ignore[import-untyped]  # kafka-python ships no types

from streams.dead_letters import DeadLetter, headers_in_bytes
from streams.letter_marks import Identity, identity
from streams.redriven import OUR_HEADERS
from streams.rejudge import SentAgain
from streams.runtime.kafka_client import AdminError, high_watermarks, reader
from streams.runtime.letter_plan import records_at
from streams.runtime.settings import Settings


def originals(client: Any, letters: Sequence[DeadLetter]) -> Mapping[Identity, SentAgain]:
    """The records by letter, as if they were sent now; those that are not to be had any more are left out.

    client   from `kafka_client.reader`; its assignment is used up
    """
    now_ms = time.time_ns() // 1_000_000
    found = {identity(letter): _kept(letter, now_ms) for letter in letters if not is_cut(letter)}
    cut = {(_place(letter), letter.record_time_ms): letter for letter in letters if is_cut(letter)}
    places: dict[TopicPartition, list[int]] = {}
    for (topic, partition, offset), _ in cut:
        places.setdefault(TopicPartition(topic, partition), []).append(offset)
    for record in records_at(client, _within_reach(client, places)):
        # a topic that was made anew has others at these places
        letter = cut.get(((record.topic, record.partition, record.offset), record.timestamp))
        value = record.value or b""
        if letter is not None and len(value) == letter.original_bytes:
            headers = [(name, text) for name, text in record.headers if name not in OUR_HEADERS]
            found[identity(letter)] = SentAgain(*_place(letter), record.key, value, headers, now_ms)
    return found


def _within_reach(client: Any, places: Mapping[TopicPartition, Sequence[int]]) -> dict[TopicPartition, list[int]]:
    """The places that their topics have now: of one that was made anew the end may be lower."""
    if not places:
        return {}
    ends = high_watermarks(client, client.end_offsets(list(places)))
    return {tp: [offset for offset in offsets if offset < ends.get(tp, 0)] for tp, offsets in places.items()}


def whole_original(settings: Settings, letter: DeadLetter) -> bytes:
    """The record's value. Raises AdminError where only a part of it is left."""
    if not letter.cut:
        return base64.b64decode(letter.original)
    with reader(settings) as client:
        record = originals(client, [letter]).get(identity(letter))
    if record is None:
        kept = len(base64.b64decode(letter.original))
        what = f"of {letter.original_bytes} bytes the letter has the first {kept}, and the topic has the record no more"
        raise AdminError(what, "`churnwatch dead-letters show` without --raw and --out prints that part")
    return record.value


def is_cut(letter: DeadLetter) -> bool:
    """Whether the letter lacks a part of the record."""
    return letter.cut or letter.key_cut or letter.headers_cut


def _place(letter: DeadLetter) -> tuple[str, int, int]:
    return letter.topic, letter.partition, letter.offset


def _kept(letter: DeadLetter, now_ms: int) -> SentAgain:
    value, headers = base64.b64decode(letter.original), headers_in_bytes(letter.headers)
    return SentAgain(*_place(letter), letter.kafka_key(), value, headers, now_ms)
