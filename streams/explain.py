"""From transitions to alerts: each decision that sends a message gets the facts, reasons and words that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.alert import Alert, EventRef, ModelRef, build_alert
from alerts.context import AlertContext
from alerts.facts import CustomerFacts
from alerts.ids import rfc3339
from alerts.policy import Transition, transitions
from detectors import reasons, silence
from detectors.actions import suggested_action
from detectors.causes import Cause
from detectors.served import ServedModel
from streams.columns import DAY_MS, KIND_NAMES, Columns
from streams.customer import Records, join, new_records
from streams.customer_causes import probable_causes
from streams.features import closed_form_inputs, facts
from streams.model_inputs import model_inputs


@dataclass(frozen=True, slots=True)
class Context:
    """alert              what all alerts of a run share
    silence_patience   k of the silence score, dimensionless
    """

    alert: AlertContext
    silence_patience: float


@dataclass(frozen=True, slots=True)
class Moved:
    """Customers whose evaluation sends a message, as they were just after it; one entry a message.

    evaluation      position among the step's evaluations
    slot            position among the step's working rows
    rows            their records
    as_of_ms        event time of the evaluation
    event           position in the batch of the event that moved it; -1 for a look
    reason          what was decided: a ReasonCode
    previous_tier   tier before it, 0-3
    """

    evaluation: NDArray[np.intp]
    slot: NDArray[np.intp]
    rows: Records
    as_of_ms: NDArray[np.int64]
    event: NDArray[np.intp]
    reason: NDArray[np.uint8]
    previous_tier: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.slot)


_COLUMNS = {
    "evaluation": np.intp,
    "slot": np.intp,
    "as_of_ms": np.int64,
    "event": np.intp,
    "reason": np.uint8,
    "previous_tier": np.uint8,
}


def together(moved: Sequence[Moved]) -> Moved:
    """All of them as one: each call costs the same for one customer and for a thousand."""
    if len(moved) == 1:
        return moved[0]
    columns: dict[str, Any] = {
        name: np.concatenate([np.empty(0, kind), *(getattr(part, name) for part in moved)]) for name, kind in _COLUMNS.items()
    }
    return Moved(rows=join(new_records(0), *(part.rows for part in moved)), **columns)


@dataclass(frozen=True, slots=True)
class Explained:
    """Why customers' risk is what it is, one entry a customer; baseline and reasons add up to the risk's log odds."""

    facts: list[CustomerFacts]
    reasons: list[list[reasons.Reason]]
    baseline: list[float]
    idle_risk: NDArray[np.float64]
    causes: list[Cause]


def explain(
    part: Moved, rfm: NDArray[np.uint8], ids: Sequence[str], batch: Columns, context: Context, model: ServedModel
) -> list[Alert]:
    """The messages of a step, ordered by event time, customer and number; `rfm` has the packed scores of every evaluation."""
    if not len(part):
        return []
    customers = [ids[slot] for slot in part.slot.tolist()]
    explained = why(customers, part.rows, part.as_of_ms, rfm[part.evaluation], context, model)
    events = _events(batch, part.event)
    named = ModelRef(model.name, model.version)
    alerts = [
        _alert(known, told, baseline, idle_risk, cause, transition, risk_bp, event, context, named)
        for known, told, baseline, idle_risk, cause, transition, risk_bp, event in zip(
            explained.facts,
            explained.reasons,
            explained.baseline,
            explained.idle_risk.tolist(),
            explained.causes,
            transitions(part.rows["policy"], part.reason, part.previous_tier),
            part.rows["risk_bp"].tolist(),
            events,
            strict=True,
        )
    ]
    alerts.sort(key=lambda alert: (alert.as_of, alert.customer_id, alert.transition))
    return alerts


def why(
    customers: Sequence[str],
    rows: Records,
    as_of_ms: NDArray[np.int64],
    rfm: NDArray[np.uint8],
    context: Context,
    model: ServedModel,
) -> Explained:
    """Facts, reasons and probable causes of customers with at least one purchase at `as_of_ms`."""
    parts = _parts(rows, as_of_ms, model)
    known = facts(customers, rows, as_of_ms, rfm)
    told = [_reasons(one, part) for one, part in zip(known, parts, strict=True)]
    baseline = [_baseline(part, found) for part, found in zip(parts, told, strict=True)]
    return Explained(known, told, baseline, _idle_risk(known, context.silence_patience), probable_causes(known, rows))


def _parts(rows: Records, as_of_ms: NDArray[np.int64], model: ServedModel) -> list[dict[str, float]]:
    """Contributions by feature, one dict a row; "base" among them."""
    if model.serving is None:
        x, t_x, observed = closed_form_inputs(rows, as_of_ms)
        columns = reasons.contributions(model.closed_form, x, t_x, observed, model.horizon_days)._asdict()
    else:
        columns = model.contributions(model_inputs(rows, as_of_ms))
    return [dict(zip(columns, values, strict=True)) for values in zip(*(c.tolist() for c in columns.values()), strict=True)]


def _baseline(parts: dict[str, float], told: Sequence[reasons.Reason]) -> float:
    """What the reasons leave of the log odds: the base, and what is not told."""
    return round(sum(parts.values()) - sum(reason.contribution or 0.0 for reason in told), 3) + 0.0


def _idle_risk(known: Sequence[CustomerFacts], patience: float) -> NDArray[np.float64]:
    risk = np.full(len(known), np.nan)
    rhythm = [k for k, one in enumerate(known) if one.usual_gap_days is not None]
    idle = np.array([known[k].idle_days or 0.0 for k in rhythm])
    gap = np.array([known[k].usual_gap_days for k in rhythm], np.float64)
    if rhythm:
        risk[rhythm] = silence.score(idle, gap, patience)
    return risk


def _reasons(one: CustomerFacts, parts: dict[str, float]) -> list[reasons.Reason]:
    def days_since(time_ms: int | None) -> float | None:
        return None if time_ms is None else max(0.0, (one.as_of_ms - time_ms) / DAY_MS)

    first_day = one.first_purchase_day if one.first_purchase_day is not None else one.as_of_ms // DAY_MS
    return reasons.explain(
        idle_days=one.idle_days or 0.0,
        usual_gap_days=one.usual_gap_days,
        gap_spread_days=one.gap_spread_days,
        purchases=one.purchases,
        tenure_days=max(0.0, one.as_of_ms / DAY_MS - first_day),
        parts=parts,
        complaints_30d=one.complaints_30d,
        complaints_90d=one.complaints_90d,
        mean_severity_90d=one.severity_90d / one.complaints_90d if one.complaints_90d else None,
        last_complaint_days=days_since(one.last_complaint_ms),
        logins_30d=one.logins_30d,
        logins_90d=one.logins_90d,
        last_login_days=days_since(one.last_login_ms),
        refunds_90d_minor=one.refunded_90d_minor,
        spent_90d_minor=one.spent_90d_minor,
        purchases_30d=one.purchases_30d,
        purchases_90d=one.purchases_90d,
        purchases_365d=one.purchases_365d,
        spent_365d_minor=one.spent_365d_minor,
    )


def _alert(
    known: CustomerFacts,
    told: list[reasons.Reason],
    baseline: float,
    idle_risk: float,
    cause: Cause,
    transition: Transition,
    risk_bp: int,
    event: EventRef | None,
    context: Context,
    model: ModelRef,
) -> Alert:
    return build_alert(
        known,
        transition,
        risk_bp=risk_bp,
        idle_risk=idle_risk,
        reasons=told,
        baseline=baseline,
        cause=cause,
        suggested_action=suggested_action(transition.tier, cause.cause),
        event=event,
        model=model,
        context=context.alert,
    )


def _events(batch: Columns, indices: NDArray[np.intp]) -> list[EventRef | None]:
    """The events at these positions of the batch; None where the position is below 0 (a look)."""
    at = indices[indices >= 0]
    found = zip(batch.kind[at].tolist(), batch.event_id[at].tolist(), batch.time_ms[at].tolist(), strict=True)
    told = (
        EventRef(kind=KIND_NAMES[kind], event_id=event_id, occurred_at=rfc3339(time_ms))  # type: ignore[arg-type] # a folded event's kind is one of the contract's
        for kind, event_id, time_ms in found
    )
    return [next(told) if index >= 0 else None for index in indices.tolist()]
