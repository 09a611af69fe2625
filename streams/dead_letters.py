"""Records that are no events: why, where they stand, and the original bytes.

A dead letter is found again by its id, topic-partition-offset, so one that is sent twice is the same one.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from alerts.foreign_json import decoded
from streams.contract import RawRecord
from streams.redriven import OUR_HEADERS, origin_of

KEPT_BYTES = 384 * 1024
"""Of a longer original only the beginning is kept; the rest stands in the topic at the position named."""
KEPT_KEY_BYTES = 1024
"""No valid key is longer than 512 bytes (128 characters of 4)."""
KEPT_HEADER_BYTES = 8 * 1024
"""Of names and values together; of more headers none is kept."""
MESSAGE_CHARS = 500

Header = tuple[str, str | None]
"""Name, and value in base64; null where it has none."""


class DeadReason(StrEnum):
    """Why a record is no event. The closed set of metric labels."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    BAD_ID = "bad_id"
    NO_OFFSET_IN_TIME = "no_offset_in_time"
    BAD_TIME = "bad_time"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    TOO_FAR_AHEAD = "too_far_ahead"
    AMOUNT_NOT_FINITE = "amount_not_finite"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    UNKNOWN_CURRENCY = "unknown_currency"
    BAD_SEVERITY = "bad_severity"
    KEY_MISMATCH = "key_mismatch"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    UNKNOWN_COMMAND = "unknown_command"


class DeadLetter(msgspec.Struct, frozen=True):
    """One refused record, as it stands on `churn.dead-letters`.

    id               topic-partition-offset
    topic, partition, offset   where the record stands
    reason           see DeadReason
    message          for people: field, value where short, and the fix
    key              the record's key in base64; null where it has none
    key_cut          the key was longer than KEPT_KEY_BYTES and only its beginning is here
    original         the record's value in base64, or its beginning; "" for a tombstone
    original_bytes   length of the whole value, bytes
    cut              `original` is not the whole value: read the rest at topic, partition and offset
    record_time_ms   the record's own timestamp, ms since 1970 UTC
    headers          the record's headers, without those by which `redrive` marks what it sends
    headers_cut      they were longer than KEPT_HEADER_BYTES, and none is here
    redrive_of       the record was sent by `churnwatch dead-letters redrive`: id of the letter that was refused first; else null
    attempt          how often it was sent with this record, 1 for what a source sent
    """

    id: str
    topic: str
    partition: int
    offset: int
    reason: DeadReason
    message: str
    key: str | None
    key_cut: bool
    original: str
    original_bytes: int
    cut: bool
    record_time_ms: int
    headers: list[Header] = []
    headers_cut: bool = False
    redrive_of: str | None = None
    attempt: int = 1

    def kafka_key(self) -> bytes | None:
        """The key to send it with: the original's, so that both land in the same partition (unless it was cut)."""
        return None if self.key is None else base64.b64decode(self.key)


def dead_letter(record: RawRecord, reason: DeadReason, message: str) -> DeadLetter:
    """The dead letter of `record`."""
    value = record.value or b""
    key = record.key
    origin = origin_of(record.headers)
    foreign = [(name, text) for name, text in record.headers if name not in OUR_HEADERS]
    headers_cut = sum(len(name.encode()) + len(text or b"") for name, text in foreign) > KEPT_HEADER_BYTES
    return DeadLetter(
        id=f"{record.topic}-{record.partition}-{record.offset}",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        message=message[:MESSAGE_CHARS],
        key=None if key is None else _base64(key[:KEPT_KEY_BYTES]),
        key_cut=key is not None and len(key) > KEPT_KEY_BYTES,
        original=base64.b64encode(value[:KEPT_BYTES]).decode(),
        original_bytes=len(value),
        cut=len(value) > KEPT_BYTES,
        record_time_ms=record.timestamp,
        headers=[] if headers_cut else [(name, _base64(text)) for name, text in foreign],
        headers_cut=headers_cut,
        redrive_of=origin.first,
        attempt=origin.attempt,
    )


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def headers_in_bytes(headers: Iterable[Header]) -> list[tuple[str, bytes | None]]:
    """A letter's headers as the record had them."""
    return [(name, None if value is None else base64.b64decode(value)) for name, value in headers]


def decode(data: bytes) -> DeadLetter:
    """The message that `encode` wrote. Raises msgspec.DecodeError for anything else."""
    return decoded(_decoder, data)


def encode(dead: DeadLetter, limit_bytes: int = 700_000) -> bytes:
    """The message as JSON, never longer than `limit_bytes`; the original is cut further where it must be, then the headers go.

    limit_bytes   at most what the topic carries (Kafka's default is 1,048,588 with key and headers), at least 8,192
    Raises ValueError for a lower limit: the message must hold everything but original and headers.
    """
    if limit_bytes < 8_192:
        raise ValueError(f"limit_bytes: {limit_bytes} is too low; a dead letter without its original may need 8192")
    encoded = msgspec.json.encode(dead)
    if len(encoded) <= limit_bytes:
        return encoded
    over = len(encoded) - limit_bytes + 1  # "cut":true is one byte shorter than "cut":false, never longer
    kept = max(0, len(dead.original) - over) // 4 * 4  # whole base64 groups decode by themselves
    cut = msgspec.structs.replace(dead, original=dead.original[:kept], cut=True)
    encoded = msgspec.json.encode(cut)
    if len(encoded) <= limit_bytes:
        return encoded
    return encode(msgspec.structs.replace(dead, headers=[], headers_cut=True), limit_bytes)


_decoder = msgspec.json.Decoder(DeadLetter)
