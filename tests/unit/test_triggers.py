"""Which alerts set off a play and which do not, and what leaves for the retention tool."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from alerts.playbook import Playbook
from alerts.trigger_event import decode_trigger, encode_trigger
from alerts.triggers import DAY_S, Outcome, candidates, forgettable_before_s, memory_name
from tests.support.triggers import FIRED, SOURCE, alert_at, decided, play

CONTRACTS = Path(__file__).parents[2] / "docs" / "contracts"
T_S = 1_700_000_000
LEARNT = {"risk_of": "no_login"}
BOOK = Playbook((play("call", tier="critical", every_days=30), play("mail", tier="high", every_days=7)))
NAME = memory_name(BOOK.plays[0], "c-17")


@pytest.mark.parametrize(
    ("alert", "earlier_s", "outcome"),
    [
        pytest.param({}, None, "triggered", id="for the first time"),
        pytest.param({"decision": "escalated"}, None, "triggered", id="when it escalates"),
        pytest.param({"decision": "deescalated"}, None, None, id="not when it gets better"),
        pytest.param({"decision": "resolved_returned", "tier": "none"}, None, None, id="not when the customer is back"),
        pytest.param({}, T_S - 30 * DAY_S, "triggered", id="when the days are over"),
        pytest.param({}, T_S - 30 * DAY_S + 1, "too_soon", id="not a second before"),
        pytest.param({}, T_S + 5, "too_soon", id="not when the last one is of later"),
        pytest.param({"holdout": True}, None, "holdout", id="never in the holdout"),
        pytest.param({"holdout": True, "tier": "watch"}, None, "no_play", id="nothing is held back where there is no play"),
        pytest.param({"tier": "watch"}, None, "no_play", id="below every play"),
        pytest.param({"live": False}, None, "past", id="not about the past"),
        pytest.param({"live": False, "holdout": True, "tier": "watch"}, None, "past", id="the past comes first"),
    ],
)
def test_an_alert_sets_off_a_play_or_says_why_not(alert, earlier_s, outcome):
    found = decided([alert_at(T_S, **alert)], BOOK, {} if earlier_s is None else {NAME: earlier_s})
    assert found.outcomes == ([] if outcome is None else [Outcome(outcome)])
    assert [trigger.data.play for trigger in found.triggers] == (["call"] if outcome == "triggered" else [])
    assert found.triggered_s == ({NAME: T_S} if outcome == "triggered" else {})


def test_no_later_play_takes_the_place_of_one_that_is_too_soon():
    found = decided([alert_at(T_S)], BOOK, {NAME: T_S - DAY_S})
    assert (found.triggers, found.outcomes) == ([], [Outcome.TOO_SOON])


def test_an_escalation_sets_off_the_play_of_its_tier_though_another_was_just_set_off():
    found = decided([alert_at(T_S, tier="high"), alert_at(T_S + 60, decision="escalated")], BOOK)
    assert [trigger.data.play for trigger in found.triggers] == ["mail", "call"]


def test_two_alerts_of_one_customer_in_one_step_set_off_a_play_once_and_two_customers_once_each():
    found = decided([alert_at(T_S), alert_at(T_S + 1), alert_at(T_S + 1, "c-18"), alert_at(T_S + 30 * DAY_S)], BOOK)
    assert [(trigger.subject, trigger.time) for trigger in found.triggers] == [
        ("c-17", "2023-11-14T22:13:20.000Z"), ("c-18", "2023-11-14T22:13:21.000Z"), ("c-17", "2023-12-14T22:13:20.000Z"),
    ]  # fmt: skip
    assert found.triggered_s == {NAME: T_S + 30 * DAY_S, memory_name(BOOK.plays[0], "c-18"): T_S + 1}
    assert found.outcomes == [Outcome.TRIGGERED, Outcome.TOO_SOON, Outcome.TRIGGERED, Outcome.TRIGGERED]


def test_the_store_is_asked_only_about_alerts_that_may_set_off_a_play():
    told = [
        alert_at(T_S),
        alert_at(T_S + 1),
        alert_at(T_S, "h", holdout=True),
        alert_at(T_S, "w", tier="watch"),
        alert_at(T_S, "é"),
    ]
    assert candidates(told, BOOK).names == ["call\0c-17", "call\0é"]


def test_a_customers_id_cannot_be_taken_for_another_plays_name():
    assert memory_name(play("a"), "b\0c") != memory_name(play("a-b"), "c") != memory_name(play("a"), "b")


def test_what_is_older_than_the_longest_play_may_be_forgotten():
    assert forgettable_before_s(T_S * 1000 + 999, BOOK) == T_S - 30 * DAY_S


def test_a_trigger_is_a_cloud_event_in_structured_mode():
    (trigger,) = decided([alert_at(T_S)], BOOK).triggers
    event = json.loads(encode_trigger(trigger))
    assert set(event) == {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
    assert event | {"data": None} == {
        "specversion": "1.0", "id": f"{trigger.data.message_id}:call", "source": SOURCE, "type": "churnwatch.trigger.v1",
        "subject": "c-17", "time": "2023-11-14T22:13:20.000Z", "datacontenttype": "application/json", "data": None,
    }  # fmt: skip
    assert event["data"] == {
        "play": "call", "action": "call", "message": "m", "tier": "critical", "risk": 0.91,
        "value_at_stake": {"amount_minor": 123_450, "currency": "USD", "basis": "spent in the last 365 days"},
        "segment": "at-risk", "cause": "service", "reasons": [reason.text for reason in FIRED.reasons],
        "alert_id": trigger.data.alert_id, "message_id": f"{trigger.data.alert_id}-1", "playbook": BOOK.hash,
    }  # fmt: skip


def test_of_a_risk_that_was_learnt_by_logins_it_says_so():
    (trigger,) = decided([alert_at(T_S, **LEARNT)], BOOK).triggers
    assert json.loads(encode_trigger(trigger))["data"]["risk_of"] == "no_login"
    assert decode_trigger(encode_trigger(trigger)) == trigger


def test_it_tells_the_three_strongest_reasons_and_the_same_alert_gives_the_same_bytes():
    many = [msgspec.structs.replace(FIRED.reasons[0], text=f"r{k}") for k in range(5)]
    one, other = (decided([alert_at(T_S, reasons=many)], BOOK).triggers[0] for _ in range(2))
    assert one.data.reasons == ["r0", "r1", "r2"]
    assert encode_trigger(one) == encode_trigger(other)
    assert decode_trigger(encode_trigger(one)) == one
    with pytest.raises(msgspec.ValidationError, match="specversion"):
        decode_trigger(encode_trigger(one).replace(b'"specversion":"1.0",', b""))


def test_the_schema_names_and_requires_every_key_on_the_wire():
    schema = json.loads((CONTRACTS / "trigger.schema.json").read_text("utf-8"))["$defs"]
    sometimes, always = (json.loads(encode_trigger(decided([alert_at(T_S, **more)], BOOK).triggers[0])) for more in (LEARNT, {}))
    for kind, keys, required in (
        ("Trigger", list(sometimes), list(always)),
        ("TriggerData", list(sometimes["data"]), list(always["data"])),
    ):
        assert (list(schema[kind]["properties"]), schema[kind]["required"]) == (keys, required)
    channel = json.loads((CONTRACTS / "asyncapi.json").read_text("utf-8"))["channels"]["churn.triggers"]
    assert channel["messages"]["trigger"] == {
        "contentType": "application/cloudevents+json", "payload": {"$ref": "./trigger.schema.json"},
    }  # fmt: skip
