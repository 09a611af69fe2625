"""A complaint's words on their way: read once, kept as one byte, told with the alert, and stored nowhere."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import Alert
from detectors.cause_model import CauseModel
from detectors.causes import CAUSE_CLASSES
from streams import rfm
from streams.columns import DAY_MS
from streams.contract import EventRules
from streams.customer import new_records
from streams.engine import advance
from streams.events import decode_chunk
from streams.record_marks import STEPS, UNKNOWN, cause_marks, causes, with_cause
from streams.runtime.cause_files import shipped_snapshot
from streams.table import CustomerTable
from tests.oracle.rfm_twin import EventTwin
from tests.support.engine_rules import engine_rules, served
from tests.support.intake_app import until
from tests.support.played import NOW_MS, SILENT_FOR_MONTHS, Played
from tests.support.records import record, valid
from tests.support.streams_of_rows import as_columns

MODEL = CauseModel(shipped_snapshot())
RULES = EventRules("USD", {}, None, MODEL)
SERVICE, PRICE = CAUSE_CLASSES.index("service"), CAUSE_CLASSES.index("price")
LATE_WORDS = "客服态度很差，打电话没人接"


@given(st.integers(0, 7), st.floats(0, 1), st.integers(0, 1))
def test_a_mark_keeps_the_cause_and_its_confidence_to_a_fifteenth(place, confidence, ended):
    mark = cause_marks(np.array([place]), np.array([confidence]))
    kept = with_cause(np.array([ended << 7 | 0x7F], np.uint8), mark)
    assert kept[0] >> 7 == ended
    (back,), (sure,) = causes(kept)
    assert back == place
    assert sure == 0 if place == UNKNOWN else abs(sure - max(confidence, 1 / STEPS)) <= 0.5 / STEPS + 1e-12
    assert (mark[0] == 0) == (place == UNKNOWN)


def complaint(**fields):
    return valid("complaints", **fields)


def marks(*records, rules=RULES):
    return decode_chunk("complaints", records, rules, NOW_MS).columns.cause


def test_words_and_category_are_read_for_their_cause():
    found = marks(
        complaint(text="Far too expensive for what it is."), complaint(text=LATE_WORDS), complaint(category="points"), complaint()
    )
    places, sure = causes(found)
    assert [CAUSE_CLASSES[place] for place in places] == ["price", "service", "benefit", "unknown"]
    _, confidence = MODEL.classify([("Far too expensive for what it is.", ""), (LATE_WORDS, ""), ("", "points")])
    assert np.abs(sure[:3] - confidence).max() <= 0.5 / STEPS
    assert found[3] == 0


def test_what_is_empty_null_or_says_nothing_is_unknown():
    assert not marks(complaint(text=""), complaint(text=None, category=None), complaint(text="Hello!"), complaint(text="…")).any()


def test_without_a_model_nothing_is_read():
    assert not marks(complaint(text="Far too expensive"), rules=EventRules("USD", {}, None)).any()


def test_no_other_event_has_a_cause():
    for topic in ("purchases", "logins"):
        assert not decode_chunk(topic, [valid(topic)], RULES, NOW_MS).columns.cause.any()


def test_what_a_complaint_says_does_not_depend_on_its_chunk():
    texts = ["太贵了", "rude staff", "", "We moved away", "积分过期了"] * 3
    records = [complaint(text=text, offset=k) for k, text in enumerate(texts)]
    assert marks(*records).tolist() == [int(mark) for one in records for mark in marks(one)]


def test_refused_complaints_take_no_others_cause():
    found = marks(complaint(text="too expensive"), record("complaints", b"{"), complaint(text=LATE_WORDS))
    assert causes(found)[0].tolist() == [PRICE, SERVICE]


def folded(*told: tuple[int, int]) -> int:
    """The record's byte of marks after complaints (ms, mark) in this order."""
    rows = new_records(1)
    rows["spare"] = 0x80
    for n, (time_ms, mark) in enumerate(told):
        one = as_columns([EventTwin("complaint", time_ms, "c", 0, 3, n + 1, mark)])
        rfm.fold(rows, one.kind, one.time_ms, one.amount_minor, one.severity, one.cause, one.id_hash)
    return int(rows["spare"][0])


@pytest.mark.parametrize(
    ("told", "mark"),
    [
        ([(5_000, 0x12)], 0x12),
        ([(5_000, 0x12), (9_000, 0x23)], 0x23),
        ([(9_000, 0x23), (5_000, 0x12)], 0x23),  # late
        ([(5_100, 0x12), (5_900, 0x23)], 0x23),
        ([(5_900, 0x23), (5_100, 0x12)], 0x12),  # within a second the later row
        ([(5_000, 0x12), (9_000, 0)], 0),  # the last complaint said nothing
    ],
)
def test_the_newest_complaint_says_the_cause_and_other_marks_stay(told, mark):
    assert folded(*told) == 0x80 | mark


def alerts_about(as_of_ms: int, *complaints: EventTwin) -> list[Alert]:
    """Alerts on somebody who bought every fortnight and then fell silent, by `as_of_ms`."""
    bought = [EventTwin("purchase", at_ms, "anna", 2_000, 0, n + 1) for n, at_ms in enumerate(SILENT_FOR_MONTHS)]
    table, rules = CustomerTable(), engine_rules()
    batch = as_columns(sorted([*bought, *complaints], key=lambda event: event.time_ms))
    return advance(table, batch, as_of_ms, rules, served(rules)).alerts


def said(kind: str, time_ms: int, confidence: float) -> EventTwin:
    mark = cause_marks(np.array([CAUSE_CLASSES.index(kind)]), np.array([confidence]))[0]
    return EventTwin("complaint", time_ms, "anna", 0, 4, 99, int(mark))


@pytest.mark.parametrize(("cause", "controllable"), [("price", True), ("natural", False)])
def test_an_alert_names_what_the_last_complaint_spoke_of(cause, controllable):
    at_ms = SILENT_FOR_MONTHS[-1] + DAY_MS
    alerts = alerts_about(NOW_MS, said(cause, at_ms, 0.8))
    assert alerts
    for alert in alerts:
        days = (ms_of(alert) - at_ms) / DAY_MS
        if days <= 90:
            assert (alert.cause, alert.controllable) == (cause, controllable)
            assert alert.cause_confidence == pytest.approx(0.8 * 2 ** (-days / 45), abs=1e-4)
            assert alert.cause_why.startswith("learnt: ")
        else:
            assert (alert.cause, alert.cause_confidence) == ("unknown", None)
    assert {alert.cause for alert in alerts} >= {cause}


def ms_of(alert: Alert) -> int:
    return int(np.datetime64(alert.as_of.removesuffix("Z"), "ms").astype(np.int64))


def test_a_complaint_of_which_nothing_was_understood_goes_by_the_rule():
    alerts = alerts_about(NOW_MS, said("unknown", SILENT_FOR_MONTHS[-1] + DAY_MS, 0.9))
    assert (alerts[0].cause, alerts[0].cause_confidence) == ("service", None)
    assert alerts[0].cause_why == "rule: 1 complaint in 90 days"


async def test_the_words_themselves_are_stored_nowhere() -> None:
    """Searched for in all that a partition at work has put into its store, sent, and keeps."""
    words, category = "Zanzibar too expensive 价格太贵了 xylophone", "quetzalcoatl"
    async with Played().running() as played:
        played.buys(0, *SILENT_FOR_MONTHS)
        fields = {"event_id": "k-1", "customer_id": "anna", "occurred_at": SILENT_FOR_MONTHS[-1] + DAY_MS}
        value = json.dumps(fields | {"text": words, "category": category}, ensure_ascii=False).encode()
        played.receives("complaints", 0, value)
        played.probed(NOW_MS - 5_000, purchases=6, complaints=1)
        await until(lambda: bool(played.fired()), "an alert")
        await until(played.commits(2), "all is stored")
        stored = played.store.of(3)
        sent = {topic: [record.value for record in records] for topic, records in played.sender.records.items()}
        held = played.task.committer.table
        alert = next(alert for alert in played.sender.alerts if isinstance(alert, Alert))
    assert alert.cause == "price"
    assert {"churn.alerts", "churn.journal"} <= sent.keys()
    haystack = pickle.dumps((stored, sent, held.records, held.ids))
    assert b"k-1" in haystack or b"anna" in haystack, "the search finds what is there"
    for needle in ("anzibar", "xylophone", "太贵", "价格", category):
        for encoding in ("utf-8", "utf-16-le", "unicode-escape"):
            assert needle.encode(encoding) not in haystack
            assert needle.upper().encode(encoding) not in haystack
