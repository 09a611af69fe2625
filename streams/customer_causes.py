"""Why customers would leave, most probably: what their last complaint spoke of and what is known of them, put together."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.facts import CustomerFacts
from detectors.causes import CAUSE_CLASSES, Cause, LastComplaint, probable_cause
from streams.columns import DAY_MS
from streams.customer import Records
from streams.record_marks import causes


def probable_causes(known: Sequence[CustomerFacts], rows: Records) -> list[Cause]:
    """The probable cause of each customer, whose record is the row."""
    places, confidence = causes(rows["spare"])
    return [_cause(*told) for told in zip(known, places.tolist(), confidence.tolist(), strict=True)]


def _cause(one: CustomerFacts, place: int, confidence: float) -> Cause:
    last = None
    if one.last_complaint_ms is not None:
        last = LastComplaint(CAUSE_CLASSES[place], confidence, max(0.0, (one.as_of_ms - one.last_complaint_ms) / DAY_MS))
    return probable_cause(
        complaints_90d=one.complaints_90d,
        refunds_90d_minor=one.refunded_90d_minor,
        spent_90d_minor=one.spent_90d_minor,
        last_complaint=last,
    )
