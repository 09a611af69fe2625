"""Why a record is no event: the reason code, and a message that names field, value and fix.

The fast path only finds *that* a record fails. Here it is read once more, field by field, so that codes rest on the
record itself and not on the wording of a parser's errors. Slow (tens of microseconds), for the few that need it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import msgspec

from streams.contract import MAX_VALUE_BYTES, STRUCTS, EventRules, InputTopic, RawRecord, Rfc3339, appended_at_ms
from streams.dead_letters import DeadReason
from streams.field_checks import OPTIONAL, REQUIRED, Refusal, parse_field, shown, to_ms
from streams.money import MAX_AMOUNT_MINOR

Fields = Mapping[str, msgspec.Raw]
_shapes = {topic: msgspec.json.Decoder(struct) for topic, struct in STRUCTS.items()}
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def why_refused(topic: InputTopic, record: RawRecord, rules: EventRules, now_ms: int) -> Refusal | None:
    """The first thing wrong with the record, or None where nothing is. Raises for no bytes whatever.

    now_ms   this host's clock, ms; used where the broker has not stamped the record itself
    """
    value = record.value
    if not value:
        return Refusal(DeadReason.EMPTY, "the record has no value; send one JSON object an event")
    if len(value) > MAX_VALUE_BYTES:
        return Refusal(DeadReason.TOO_LARGE, f"the value has {len(value)} bytes; send at most {MAX_VALUE_BYTES}")
    try:
        value.decode()
        fields = _decode_fields(value)
    except msgspec.ValidationError:
        return Refusal(DeadReason.NOT_AN_OBJECT, f"the value is {shown(value)}; send one JSON object an event")
    except (ValueError, RecursionError) as problem:
        return _why_not_json(topic, value, problem)
    by_field = _why_fields(topic, fields, rules) or _why_amount(topic, fields, rules)
    return by_field or _why_shape(topic, value) or _why_record(fields, record, rules, now_ms)


def _why_not_json(topic: InputTopic, value: bytes, problem: Exception) -> Refusal:
    """Many writers put NaN and Infinity, which are no JSON; as an amount they have a reason of their own."""
    if topic == "purchases":
        try:
            loose = json.loads(value)
        except (ValueError, RecursionError):
            loose = None
        amount = loose.get("amount") if isinstance(loose, dict) else None
        if isinstance(amount, float) and not math.isfinite(amount):
            return Refusal(DeadReason.AMOUNT_NOT_FINITE, f"amount is {amount}; send a finite number")
    return Refusal(
        DeadReason.NOT_JSON, f"the value is not JSON in UTF-8 ({problem}): {shown(value)}; send one JSON object an event"
    )


def _why_fields(topic: InputTopic, fields: Fields, rules: EventRules) -> Refusal | None:
    """What is wrong with the first bad field by itself."""
    for name, check in (*REQUIRED[topic].items(), *OPTIONAL[topic].items()):
        raw = fields.get(name)
        if raw is None:
            if name in REQUIRED[topic]:
                return Refusal(DeadReason.MISSING_FIELD, f"{name} is missing; every event on {topic} needs it")
            continue
        field = parse_field(name, bytes(raw))
        refusal = field if isinstance(field, Refusal) else check(field, rules)
        if refusal is not None:
            return refusal
    return None


def _why_amount(topic: InputTopic, fields: Fields, rules: EventRules) -> Refusal | None:
    """Whether a valid number in a known currency is more than any order can be."""
    if topic != "purchases":
        return None
    amount = msgspec.json.decode(fields["amount"], type=float)
    currency = msgspec.json.decode(fields["currency"], type=str)
    if abs(amount * rules.factors[currency]) <= MAX_AMOUNT_MINOR + 0.5:
        return None
    most = f"{MAX_AMOUNT_MINOR / rules.factors[currency]:.0f}"
    return Refusal(
        DeadReason.AMOUNT_OUT_OF_RANGE, f"amount is {amount:g} {currency}; at most {most} are believed: check the producer"
    )


def _why_shape(topic: InputTopic, value: bytes) -> Refusal | None:
    """Whether a field is given twice, and the one that does not count is wrong."""
    try:
        _shapes[topic].decode(value)
    except (ValueError, RecursionError) as problem:
        return Refusal(DeadReason.WRONG_TYPE, f"a field is given twice, and once it is wrong ({problem}); send each field once")
    return None


def _why_record(fields: Fields, record: RawRecord, rules: EventRules, now_ms: int) -> Refusal | None:
    """What is wrong between record and event, all fields being right by themselves."""
    customer_id = msgspec.json.decode(fields["customer_id"], type=str)
    if record.key != customer_id.encode():
        key = "no key" if record.key is None else f"the key {shown(record.key)}"
        return Refusal(
            DeadReason.KEY_MISMATCH,
            f"the record has {key} and customer_id {shown(customer_id.encode())}; key records by customer_id in UTF-8",
        )
    occurred = msgspec.json.decode(fields["occurred_at"], type=int | Rfc3339)
    time_ms = occurred if isinstance(occurred, int) else to_ms(occurred)
    ahead_ms = time_ms - appended_at_ms(record, now_ms)
    if rules.skew_ms is None or ahead_ms <= rules.skew_ms:
        return None
    allowed = f"at most {rules.skew_ms / 1000:g} s are allowed: set the producer's clock, or raise time.skew_s"
    message = (
        f"occurred_at is {shown(bytes(fields['occurred_at']))}, {ahead_ms / 1000:.0f} s after the record was taken; {allowed}"
    )
    return Refusal(DeadReason.TOO_FAR_AHEAD, message)
