"""What an event may look like on the input topics, and the rules of this system by which it is judged.

The structs are the contract (JSON Schema is generated from them); unknown fields are ignored, an optional field may be
null, and of a field given twice the last counts, if the first is as it must be too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec

from detectors.cause_model import CauseModel
from streams.money import minor_factors

MIN_TIME_MS = 315_532_800_000
"""1980-01-01: the earliest instant an event may carry."""
END_TIME_MS = 4_102_444_800_000
"""2100-01-01: the first instant an event may no longer carry."""
MAX_ID_CHARS = 128
MAX_VALUE_BYTES = 256 * 1024
"""A longer value is not even parsed."""
DEFAULT_SEVERITY = 3

InputTopic = Literal["purchases", "complaints", "logins", "cancellations"]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_CHARS)]
EpochMs = Annotated[int, msgspec.Meta(ge=MIN_TIME_MS, lt=END_TIME_MS)]
Rfc3339 = Annotated[datetime, msgspec.Meta(tz=True)]
Severity = Annotated[int, msgspec.Meta(ge=1, le=5)]


class Event(msgspec.Struct, frozen=True, gc=False):
    """Fields of every event.

    event_id      1-128 characters, the same whenever the producer repeats the event
    customer_id   1-128 characters, and the record's key in UTF-8
    occurred_at   RFC 3339 with offset, or whole milliseconds since 1970 UTC; 1980 to 2099
    """

    event_id: Id
    customer_id: Id
    occurred_at: EpochMs | Rfc3339


class Purchase(Event, frozen=True, gc=False):
    """amount >= 0 is a purchase, < 0 a refund; currency is an ISO 4217 code for which a rate is configured."""

    amount: float
    currency: str
    order_id: str | None = None
    channel: str | None = None
    product: str | None = None


class Complaint(Event, frozen=True, gc=False):
    """severity 1 (a remark) to 5 (a threat to leave), 3 where it is not given; text in any language.

    Text and category are read once for the complaint's probable cause, and not kept."""

    severity: Severity | None = None
    category: str | None = None
    text: str | None = None
    channel: str | None = None


class Login(Event, frozen=True, gc=False):
    """A sign of use that is not a purchase."""

    device: str | None = None
    session_id: str | None = None


class Cancellation(Event, frozen=True, gc=False):
    """The customer has ended the relationship: given up a subscription, closed an account. The reason is not kept."""

    reason: str | None = None


STRUCTS: Mapping[InputTopic, type[Event]] = {
    "purchases": Purchase,
    "complaints": Complaint,
    "logins": Login,
    "cancellations": Cancellation,
}


class RawRecord(Protocol):
    """A record as a Kafka client hands it out (aiokafka's ConsumerRecord fits).

    timestamp        ms since 1970, set by the producer (timestamp_type 0) or by the broker on append (1)
    headers          looked at in records that are refused only
    """

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def timestamp_type(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


@dataclass(frozen=True, slots=True)
class EventRules:
    """What this system accepts beyond the shape of an event.

    base_currency   ISO 4217 code in whose minor units all amounts are kept
    rates           currency -> value of one unit in the base currency; the base's own rate is 1 and may be left out
    skew_ms         how far an event may be dated after the broker took it, ms, >= 0; None (history) checks nothing
    causes          by what model complaints are read; None: not at all
    factors         derived: currency -> minor units of the base currency in one unit
    Raises ValueError for rates or a skew outside their range.
    """

    base_currency: str
    rates: Mapping[str, float]
    skew_ms: int | None
    causes: CauseModel | None = None
    factors: Mapping[str, float] = field(init=False)

    def of_history(self) -> EventRules:
        """The same, judging nobody by a clock."""
        return replace(self, skew_ms=None)

    def __post_init__(self) -> None:
        if self.skew_ms is not None and self.skew_ms < 0:
            raise ValueError(f"time.skew_s: {self.skew_ms / 1000:g} is negative; give seconds, 0 or more")
        object.__setattr__(self, "factors", minor_factors(self.base_currency, self.rates))


def appended_at_ms(record: RawRecord, now_ms: int) -> int:
    """When the broker took the record, where it says so (LogAppendTime); else `now_ms`: a producer's stamp proves nothing."""
    return record.timestamp if record.timestamp_type == 1 else now_ms
