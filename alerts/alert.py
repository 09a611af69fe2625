"""An alert as it leaves on `churn.alerts`: the contract, its ids, its bytes.

An episode runs from the moment a customer's alert fires until it is resolved; it has one `alert_id`. Each change of
tier within it is one message, numbered from 1. A crash may repeat a message, never lose one: consumers drop a
`message_id` they know and keep the highest `transition`. Equal content is equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from alerts.context import AlertContext
from alerts.facts import CustomerFacts
from alerts.foreign_json import decoded
from alerts.ids import AlertId, Instant, MessageId, alert_id, rfc3339
from alerts.policy import ReasonCode, Transition
from alerts.stages.holdout import in_holdout
from detectors.actions import TIERS, Tier
from detectors.causes import Cause, controllable
from detectors.reasons import Reason

RULE: Final = "churn-risk"
STAKE_BASIS = "spent in the last 365 days"

Status = Literal["firing", "resolved"]
Decision = Literal["fired", "escalated", "deescalated", "resolved_returned", "resolved_risk_fell", "resolved_cancelled"]
Risk = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
Score = Annotated[int, Meta(ge=1, le=5)]


class ValueAtStake(msgspec.Struct, frozen=True, gc=False):
    """Money that leaves with the customer: minor units (ISO 4217) of `currency`, and what it was counted from."""

    amount_minor: int
    currency: str
    basis: str


class ModelRef(msgspec.Struct, frozen=True, gc=False):
    """Which model gave the risk."""

    name: str
    version: str


class EventRef(msgspec.Struct, frozen=True, gc=False):
    """The event at which a decision was made."""

    kind: Literal["purchase", "complaint", "login", "refund", "cancellation"]
    event_id: str
    occurred_at: Instant


class Alert(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="schema", tag="churnwatch.alert/1"):
    """One transition of one customer's alert. A firing message has a tier above none, a resolved one has none."""

    alert_id: AlertId
    message_id: MessageId
    transition: Annotated[Count, Meta(description="number of this message in its episode")]
    status: Status
    decision: Annotated[Decision, Meta(description="why this message was sent")]
    rule: Literal["churn-risk"]
    customer_id: str
    tier: Annotated[Tier, Meta(description="from now on")]
    previous_tier: Annotated[Tier, Meta(description="until now")]
    risk: Annotated[Risk, Meta(description="P(no purchase in the next horizon_days), or P(no login): see risk_of")]
    idle_risk: Annotated[Risk | None, Meta(description="silence against the customer's own rhythm; null before there is one")]
    horizon_days: float
    risk_of: Annotated[Literal["no_login"] | UnsetType, Meta(description="absent: the risk is P(no purchase)")] = UNSET
    reasons: Annotated[list[Reason], Meta(description="what moved the risk, strongest first")]
    baseline: Annotated[float | None, Meta(description="log odds of the risk = this + the reasons' contributions")] = None
    cause: Annotated[str, Meta(description="probable cause class")]
    cause_why: str
    cause_confidence: Annotated[
        Risk | None, Meta(description="probability that this is the cause; null where a rule says so, or nothing does")
    ] = None
    controllable: Annotated[
        bool | None, Meta(description="whether the business can act on such a cause; null where it is unknown")
    ] = None
    suggested_action: str
    value_at_stake: ValueAtStake
    segment: Annotated[str, Meta(description="RFM segment")]
    rfm: Annotated[tuple[Score, Score, Score] | None, Meta(description="R, F and M quintiles, 5 best")]
    holdout: Annotated[bool, Meta(description="true: leave this customer alone, so that uplift can be measured")]
    live: Annotated[bool, Meta(description="false: about the past, decided while history was loaded; never leaves Kafka")]
    episode_started_at: Instant
    as_of: Annotated[Instant, Meta(description="event time of the decision")]
    idle_days: Annotated[float | None, Meta(description="since the last purchase")]
    usual_gap_days: Annotated[float | None, Meta(description="median days between purchases")]
    model: ModelRef
    config_hash: str
    event: Annotated[EventRef | None, Meta(description="what moved it; null when silence alone did")]
    resolved_by: Annotated[str | None, Meta(description="purchase, risk_fell or cancellation; null while firing")]


class IngestionAlert(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="churnwatch.ingestion-alert/1"):
    """Data have stopped arriving, so silence proves nothing: alerts of this partition that silence alone would raise are held.
    With reason `events_lost`: events were deleted before they were read; nothing is held, and nothing resolves it."""

    alert_id: AlertId
    message_id: MessageId
    transition: Count
    status: Status
    rule: Literal["ingestion"]
    partition: Annotated[int, Meta(ge=0)]
    reason: Annotated[str, Meta(description="what tells that data are missing")]
    since: Instant
    as_of: Instant
    text: str


class ModelAlert(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="churnwatch.model-alert/1"):
    """What was learnt serves no more, since it did worse than the closed form, which scores instead; resolved when it serves."""

    alert_id: AlertId
    message_id: MessageId
    transition: Count
    status: Status
    rule: Literal["model"]
    model: Annotated[str, Meta(description="version of what scores from now on")]
    live: Annotated[bool, Meta(description="false: about the past, while history was loaded; never leaves Kafka")]
    since: Instant
    as_of: Instant
    text: Annotated[str, Meta(description="why, with the numbers")]


class DigestEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One of the customers that a digest names."""

    customer_id: str
    tier: Tier
    risk: Risk
    text: Annotated[str, Meta(description="what says so, in words")]


class Digest(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag="churnwatch.digest/1"):
    """One message in place of many alerts. `catch_up`: those that history left when a system went live, on `churn.alerts`.
    `overflow`: what a channel was not told singly since its minute was full; all of it is on `churn.alerts`."""

    digest_id: Annotated[str, Meta(description="drop the ids you know")]
    kind: Literal["catch_up", "overflow"]
    since: Instant
    until: Instant
    alerts: Annotated[int, Meta(ge=0, description="how many it stands for")]
    by_tier: Annotated[dict[Tier, int], Meta(description="of these, by tier; without those that ended")]
    top: Annotated[list[DigestEntry], Meta(description="the most pressing, at most 10")]


Message = Alert | IngestionAlert | ModelAlert | Digest
"""What `churn.alerts` carries."""


def build_alert(
    facts: CustomerFacts,
    transition: Transition,
    *,
    risk_bp: int,
    idle_risk: float | None,
    reasons: Sequence[Reason],
    baseline: float | None = None,
    cause: Cause,
    suggested_action: str,
    event: EventRef | None,
    model: ModelRef,
    context: AlertContext,
) -> Alert:
    """The message of one transition.

    risk_bp     P(no purchase in the horizon), 1e-4, 0..10000
    idle_risk   silence score in [0, 1]; None or NaN where there is no rhythm to compare with
    reasons     strongest first
    baseline    what they leave of the log odds of the risk; None: not told
    event       that the customer was evaluated at; None for a look
    Raises ValueError for a holdout share outside 0..1.
    """
    code, resolved_by = int(transition.decision), _RESOLVED_BY.get(int(transition.decision))
    episode = alert_id(facts.customer_id, RULE, transition.episode_s)
    return Alert(
        alert_id=episode,
        message_id=f"{episode}-{transition.number}",
        transition=transition.number,
        status="resolved" if resolved_by else "firing",
        decision=_DECISIONS[code],
        rule=RULE,
        customer_id=facts.customer_id,
        tier=TIERS[transition.tier],
        previous_tier=TIERS[transition.previous_tier],
        risk=int(risk_bp) / 10_000,
        idle_risk=_rounded(idle_risk, 4),
        horizon_days=float(context.horizon_days),
        risk_of="no_login" if context.risk_of(model.name) == "no_login" else UNSET,
        reasons=list(reasons),
        baseline=baseline,
        cause=cause.cause,
        cause_why=cause.why,
        cause_confidence=_rounded(cause.confidence, 4),
        controllable=controllable(cause.cause),
        suggested_action=suggested_action,
        value_at_stake=ValueAtStake(facts.spent_365d_minor, context.currency, STAKE_BASIS),
        segment=facts.segment,
        rfm=facts.rfm,
        holdout=in_holdout(facts.customer_id, context.holdout_share, context.holdout_salt),
        live=context.live_after_ms is not None and facts.as_of_ms > context.live_after_ms,
        episode_started_at=rfc3339(transition.episode_s * 1000),
        as_of=rfc3339(facts.as_of_ms),
        idle_days=_rounded(facts.idle_days, 3),
        usual_gap_days=_rounded(facts.usual_gap_days, 3),
        model=model,
        config_hash=context.config_hash,
        event=event,
        resolved_by=resolved_by,
    )


def build_ingestion_alert(
    partition: int, reason: str, *, resolved: bool, transition: int, since_ms: int, as_of_ms: int, text: str
) -> IngestionAlert:
    """The message that data of a partition are missing, or arrive again.

    reason, text    what tells so: a code, and words for people
    transition      number of the message since `since_ms`, from 1
    since_ms        event time since when, ms; as_of_ms   event time of this message, ms
    """
    episode = alert_id(f"partition-{partition}", "ingestion", since_ms // 1000)
    return IngestionAlert(
        alert_id=episode,
        message_id=f"{episode}-{transition}",
        transition=transition,
        status="resolved" if resolved else "firing",
        rule="ingestion",
        partition=partition,
        reason=reason,
        since=rfc3339(since_ms),
        as_of=rfc3339(as_of_ms),
        text=text,
    )


def encode(alert: Message) -> bytes:
    """JSON, keys in declared order, `schema` first; the same bytes for the same content."""
    return _ENCODER.encode(alert)


def decode(data: bytes) -> Alert:
    """The alert that `encode` wrote. Unknown keys are ignored.

    Raises msgspec.ValidationError for any other content and msgspec.DecodeError for what is not JSON.
    """
    message = decode_any(data)
    if not isinstance(message, Alert):
        raise msgspec.ValidationError(f"Expected `churnwatch.alert/1`, got `{message.__struct_config__.tag}` - at `$.schema`")
    return message


def decode_any(data: bytes) -> Message:
    """Any kind of message that `churn.alerts` may carry, told apart by `schema`. Raises as `decode`."""
    return decoded(_DECODER, data)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or value != value else round(float(value), digits)


_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
# Keyed by number: an enum's member is hashed by a function in Python.
_DECISIONS: dict[int, Decision] = {
    int(ReasonCode.FIRED): "fired",
    int(ReasonCode.ESCALATED): "escalated",
    int(ReasonCode.DEESCALATED): "deescalated",
    int(ReasonCode.RESOLVED_RETURNED): "resolved_returned",
    int(ReasonCode.RESOLVED_RISK_FELL): "resolved_risk_fell",
    int(ReasonCode.RESOLVED_CANCELLED): "resolved_cancelled",
}
_RESOLVED_BY = {
    int(ReasonCode.RESOLVED_RETURNED): "purchase",
    int(ReasonCode.RESOLVED_RISK_FELL): "risk_fell",
    int(ReasonCode.RESOLVED_CANCELLED): "cancellation",
}
