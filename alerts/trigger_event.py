"""A retention trigger as it leaves on `churn.triggers`: a CloudEvent, its id, its bytes.

CloudEvents 1.0 in structured mode: the JSON value is the whole event, so it can be told without any header. The id is made
of the alert's message and the play, so a message that a crash repeats bears the id it had: drop the ids you know.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from alerts.alert import Alert, Risk, ValueAtStake
from alerts.foreign_json import decoded
from alerts.ids import AlertId, Instant, MessageId
from alerts.playbook import Play
from detectors.actions import Tier

REASONS_TOLD = 3


class TriggerData(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What to do, and why for this customer."""

    play: Annotated[str, Meta(description="name of the play in the playbook")]
    action: str
    message: Annotated[str, Meta(description="key of the message to send; the retention tool knows it")]
    tier: Tier
    risk: Annotated[Risk, Meta(description="P(no purchase in the alert's horizon_days), or P(no login): see risk_of")]
    risk_of: Annotated[Literal["no_login"] | UnsetType, Meta(description="absent: the risk is P(no purchase)")] = UNSET
    value_at_stake: ValueAtStake
    segment: Annotated[str, Meta(description="RFM segment")]
    cause: Annotated[str, Meta(description="probable cause class")]
    reasons: Annotated[list[str], Meta(description="in words, strongest first", max_length=REASONS_TOLD)]
    alert_id: Annotated[AlertId, Meta(description="the episode, on churn.alerts")]
    message_id: Annotated[MessageId, Meta(description="the message in it that set this off")]
    playbook: Annotated[str, Meta(pattern="^[0-9a-f]{12}$", description="hash of the playbook")]


class Trigger(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One play for one customer: a CloudEvent."""

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(description="message_id:play; drop the ids you know")]
    source: Annotated[str, Meta(description="URI reference of the system: /churnwatch/<consumer group>", min_length=1)]
    type: Literal["churnwatch.trigger.v1"]
    subject: Annotated[str, Meta(description="customer_id", min_length=1)]
    time: Annotated[Instant, Meta(description="event time of the decision")]
    datacontenttype: Literal["application/json"]
    data: TriggerData


def build_trigger(alert: Alert, play: Play, playbook_hash: str, source: str) -> Trigger:
    """The event of a play that an alert has set off; `source` is the system's URI reference."""
    return Trigger(
        specversion="1.0",
        type="churnwatch.trigger.v1",
        datacontenttype="application/json",
        id=f"{alert.message_id}:{play.name}",
        source=source,
        subject=alert.customer_id,
        time=alert.as_of,
        data=TriggerData(
            play=play.name,
            action=play.action,
            message=play.message,
            tier=alert.tier,
            risk=alert.risk,
            risk_of=alert.risk_of,
            value_at_stake=alert.value_at_stake,
            segment=alert.segment,
            cause=alert.cause,
            reasons=[reason.text for reason in alert.reasons[:REASONS_TOLD]],
            alert_id=alert.alert_id,
            message_id=alert.message_id,
            playbook=playbook_hash,
        ),
    )


def encode_trigger(trigger: Trigger) -> bytes:
    """JSON, keys in declared order; the same bytes for the same content."""
    return _ENCODER.encode(trigger)


def decode_trigger(data: bytes) -> Trigger:
    """Inverse of `encode_trigger`. Raises msgspec.ValidationError or DecodeError for anything else."""
    return decoded(_DECODER, data)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Trigger)
