"""The contract of churn.alerts: what a message says, its ids, its bytes, its schema."""

from __future__ import annotations

import importlib.util
import json
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
import pytest

from alerts.alert import (
    Alert,
    Digest,
    DigestEntry,
    IngestionAlert,
    ModelAlert,
    ModelRef,
    build_ingestion_alert,
    decode,
    decode_any,
    encode,
)
from alerts.ids import alert_id, rfc3339
from alerts.model_alert import build_model_alert
from alerts.policy import TRANSITIONS, ReasonCode
from alerts.render import card
from tests.support.alerts import CONTEXT, FACTS, FIRED_S, an_alert, transition
from tests.support.messages import demoted

CONTRACTS = Path(__file__).resolve().parents[2] / "docs" / "contracts"

EPISODE = blake2b(b"churn-risk\x001700000000\x00c-17", digest_size=12, person=b"churnwatch.alert").hexdigest()

WIRE = (
    """{
"schema":"churnwatch.alert/1",
"alert_id":"%(id)s","message_id":"%(id)s-1","transition":1,
"status":"firing","decision":"fired","rule":"churn-risk",
"customer_id":"c-17","tier":"critical","previous_tier":"none",
"risk":0.91,"idle_risk":0.9889,"horizon_days":90.0,
"reasons":[
{"feature":"silence","contribution":2.41,"value":63,"unit":"days","text":"no order for 63 days; usually every 14"},
{"feature":"rhythm","contribution":-0.83,"value":9,"unit":"orders",
"text":"9 orders in 400 days; gaps of 14 days, give or take 3"},
{"feature":"complaints","contribution":null,"value":1,"unit":"complaints",
"text":"1 complaint in 30 days, yesterday, severity 4 of 5"}],"baseline":-0.46,
"cause":"service","cause_why":"rule: 1 complaint in 90 days","cause_confidence":null,"controllable":true,
"suggested_action":"Call today: settle the complaint, then confirm in writing.",
"value_at_stake":{"amount_minor":123450,"currency":"USD","basis":"spent in the last 365 days"},
"segment":"at-risk","rfm":[1,4,5],"holdout":false,"live":false,
"episode_started_at":"2023-11-14T22:13:20.000Z","as_of":"2023-11-14T22:13:20.250Z",
"idle_days":63.0,"usual_gap_days":14.0,
"model":{"name":"mbg-nbd","version":"shipped-1"},"config_hash":"0123456789ab",
"event":{"kind":"complaint","event_id":"e-5","occurred_at":"2023-11-13T22:13:20.250Z"},
"resolved_by":null}""".replace("\n", "")
    % {"id": EPISODE}
)


def test_a_firing_alert_on_the_wire_byte_for_byte():
    assert encode(an_alert()).decode() == WIRE


def test_what_is_encoded_decodes_to_the_same_alert_and_the_same_bytes():
    alert = an_alert()
    assert decode(encode(alert)) == alert
    assert encode(decode(encode(alert))) == encode(alert)


@pytest.mark.parametrize(
    ("decision", "tier", "previous", "status", "resolved_by"),
    [
        (ReasonCode.FIRED, 2, 0, "firing", None),
        (ReasonCode.ESCALATED, 3, 1, "firing", None),
        (ReasonCode.DEESCALATED, 1, 3, "firing", None),
        (ReasonCode.RESOLVED_RETURNED, 0, 2, "resolved", "purchase"),
        (ReasonCode.RESOLVED_RISK_FELL, 0, 1, "resolved", "risk_fell"),
        (ReasonCode.RESOLVED_CANCELLED, 0, 2, "resolved", "cancellation"),
    ],
)
def test_each_transition_says_its_status_tiers_and_what_resolved_it(decision, tier, previous, status, resolved_by):
    names = ["none", "watch", "high", "critical"]
    alert = decode(encode(an_alert(transition(decision, tier, previous, 4))))
    assert (alert.status, alert.tier, alert.previous_tier) == (status, names[tier], names[previous])
    assert (alert.decision, alert.resolved_by) == (decision.name.lower(), resolved_by)
    assert (alert.alert_id, alert.message_id, alert.transition) == (EPISODE, f"{EPISODE}-4", 4)


def test_every_reason_that_sends_has_a_decision_name_and_no_other():
    for code in ReasonCode:
        if code in TRANSITIONS:
            assert an_alert(transition(code, 1, 2, 1)).decision == code.name.lower()
        else:
            with pytest.raises(KeyError):
                an_alert(transition(code, 1, 2, 1))


def test_what_is_not_known_is_null_and_never_a_number():
    facts = msgspec.structs.replace(FACTS, idle_days=None, usual_gap_days=None, rfm=None)
    message = json.loads(encode(an_alert(facts=facts, idle_risk=float("nan"), event=None)))
    assert [message[key] for key in ("idle_days", "usual_gap_days", "rfm", "idle_risk", "event")] == [None] * 5


def test_risk_has_four_decimals_exactly():
    for risk_bp in range(10_001):
        assert f"{risk_bp / 10_000:.4f}".rstrip("0").rstrip(".") == repr(wire_risk(risk_bp)).removesuffix(".0")


def wire_risk(risk_bp: int) -> float:
    return float(json.loads(encode(an_alert(risk_bp=risk_bp, reasons=())))["risk"])


def test_numpy_numbers_are_as_good_as_pythons():
    alert = an_alert(risk_bp=np.uint16(9_100), idle_risk=np.float64(0.98889))
    assert encode(alert).decode() == WIRE


def test_the_holdout_flag_follows_the_share():
    everyone, nobody = (msgspec.structs.replace(CONTEXT, holdout_share=share) for share in (1.0, 0.0))
    assert an_alert(context=everyone).holdout is True
    assert an_alert(context=nobody).holdout is False


def test_an_id_tells_customer_rule_and_episode_apart():
    ids = {alert_id(who, rule, s) for who in ("c-1", "c-11", "1\0c-1") for rule in ("churn-risk", "x") for s in (FIRED_S, 1)}
    assert len(ids) == 12
    assert alert_id("c-17", "churn-risk", FIRED_S) == EPISODE


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_999, "2000-02-29T00:00:00.999Z"),
        (852_076_800_001, "1997-01-01T00:00:00.001Z"),
    ],
)
def test_times_are_utc_with_milliseconds(time_ms, text):
    assert rfc3339(time_ms) == text


ADDED_LATER = {"baseline", "cause_confidence", "controllable"}
"""Keys that alerts of earlier releases do not have."""

ONLY_SOMETIMES = {"risk_of"}


@pytest.mark.parametrize(
    ("learnt_by", "model", "risk_of", "line"),
    [
        ("purchases", "logit", None, "no purchase in the next 90 days: 91%"),
        ("logins", "mbg_nbd", None, "no purchase in the next 90 days: 91%"),
        ("logins", "logit", "no_login", "no login in the next 90 days: 91%"),
    ],
)
def test_a_risk_that_was_learnt_by_logins_says_so(learnt_by, model, risk_of, line):
    context = msgspec.structs.replace(CONTEXT, learnt_by=learnt_by)
    alert = an_alert(context=context, model=ModelRef(model, "1"))
    assert json.loads(encode(alert)).get("risk_of") == risk_of
    assert decode(encode(alert)) == alert
    assert line in card(alert)


def test_unknown_keys_are_ignored_and_everything_else_is_refused():
    message = json.loads(WIRE)
    assert decode(json.dumps(message | {"new": 1}).encode()) == an_alert()
    wrong = {"schema": "churnwatch.alert/2", "risk": 1.01, "tier": "worst", "as_of": "2023-11-14", "alert_id": "x"}
    for key, value in wrong.items():
        with pytest.raises(msgspec.ValidationError, match=key):
            decode(json.dumps(message | {key: value}).encode())
    for key in message.keys() - ADDED_LATER:
        with pytest.raises(msgspec.ValidationError, match=key):
            decode(json.dumps({k: v for k, v in message.items() if k != key}).encode())


def test_an_alert_of_an_earlier_build_does_not_tell_whether_its_cause_can_be_controlled():
    earlier = {key: value for key, value in json.loads(WIRE).items() if key not in ADDED_LATER}
    assert decode(json.dumps(earlier).encode()) == msgspec.structs.replace(an_alert(), controllable=None, baseline=None)


@pytest.mark.parametrize(
    ("cause", "controllable"), [("product", True), ("policy", True), ("industry", False), ("natural", False), ("unknown", None)]
)
def test_an_alert_says_whether_its_cause_can_be_controlled_and_how_sure_it_is(cause, controllable):
    sent = json.loads(encode(an_alert(cause=cause, cause_confidence=0.123456)))
    assert (sent["controllable"], sent["cause_confidence"]) == (controllable, 0.1235)


def an_ingestion_alert(*, resolved: bool = False, transition: int = 1) -> IngestionAlert:
    return build_ingestion_alert(
        3,
        "heartbeat_missing",
        resolved=resolved,
        transition=transition,
        since_ms=FIRED_S * 1000 + 999,
        as_of_ms=FIRED_S * 1000 + 60_000,
        text="no heartbeat for 60 s",
    )


def test_an_ingestion_alert_on_the_wire_byte_for_byte():
    episode = blake2b(b"ingestion\x001700000000\x00partition-3", digest_size=12, person=b"churnwatch.alert").hexdigest()
    wire = (
        f'{{"schema":"churnwatch.ingestion-alert/1","alert_id":"{episode}","message_id":"{episode}-2","transition":2,'
        '"status":"resolved","rule":"ingestion","partition":3,"reason":"heartbeat_missing",'
        '"since":"2023-11-14T22:13:20.999Z","as_of":"2023-11-14T22:14:20.000Z","text":"no heartbeat for 60 s"}'
    )
    assert encode(an_ingestion_alert(resolved=True, transition=2)).decode() == wire


def test_a_model_alert_on_the_wire_byte_for_byte():
    episode = blake2b(b"model\x001700000000\x00model", digest_size=12, person=b"churnwatch.alert").hexdigest()
    made = build_model_alert("mbg-1", "worse", resolved=False, since_ms=FIRED_S * 1000, as_of_ms=FIRED_S * 1000, live=False)
    wire = (
        f'{{"schema":"churnwatch.model-alert/1","alert_id":"{episode}","message_id":"{episode}-1","transition":1,'
        '"status":"firing","rule":"model","model":"mbg-1","live":false,'
        '"since":"2023-11-14T22:13:20.000Z","as_of":"2023-11-14T22:13:20.000Z","text":"worse"}'
    )
    assert encode(made).decode() == wire


def test_the_two_kinds_of_message_are_told_apart():
    for message in (an_alert(), an_ingestion_alert(), demoted()):
        assert decode_any(encode(message)) == message
    with pytest.raises(msgspec.ValidationError, match=r"churnwatch\.ingestion-alert/1"):
        decode(encode(an_ingestion_alert()))


def generated() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("generate_contracts", CONTRACTS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.documents()


def test_the_schema_files_are_current():
    for name, content in generated().items():
        assert (CONTRACTS / name).read_text(encoding="utf-8") == content, f"{name}: run python docs/contracts/generate.py"


@pytest.mark.parametrize(
    ("file", "kind", "message"),
    [
        ("alert.schema.json", Alert, WIRE),
        ("ingestion-alert.schema.json", IngestionAlert, encode(an_ingestion_alert())),
        ("model-alert.schema.json", ModelAlert, encode(demoted())),
    ],
)
def test_the_schema_names_and_requires_every_key_on_the_wire(file, kind, message):
    schema = json.loads((CONTRACTS / file).read_text(encoding="utf-8"))["$defs"][kind.__name__]
    keys = list(json.loads(message))
    assert [key for key in schema["properties"] if key not in ONLY_SOMETIMES] == keys
    assert schema["required"] == [key for key in keys if key not in ADDED_LATER]


@pytest.mark.parametrize(
    ("after_ms", "live"),
    [
        pytest.param(None, False, id="while history is loaded nothing is live"),
        pytest.param(FACTS.as_of_ms - 1, True, id="what is decided after the switch is live"),
        pytest.param(FACTS.as_of_ms, False, id="what is decided at the switch is still the past"),
    ],
)
def test_an_alert_says_whether_it_is_about_the_past(after_ms, live):
    alert = an_alert(context=msgspec.structs.replace(CONTEXT, live_after_ms=after_ms))
    assert alert.live is live
    assert json.loads(encode(alert))["live"] is live


def test_a_digest_travels_with_the_alerts_and_comes_back_as_it_was():
    digest = Digest(
        digest_id="d1", kind="catch_up", since="2023-11-14T22:13:20.000Z", until="2023-11-15T22:13:20.000Z", alerts=3,
        by_tier={"high": 1}, top=[DigestEntry(customer_id="c-17", tier="high", risk=0.8, text="no order for 63 days")],
    )  # fmt: skip
    assert decode_any(encode(digest)) == digest
