"""Alerts as people read them, as golden text written by hand."""

from __future__ import annotations

import msgspec
import pytest

from alerts.alert import EventRef, ValueAtStake, build_ingestion_alert
from alerts.lost_events import build_lost_events_alert
from alerts.policy import ReasonCode
from alerts.render import MINOR_DIGITS, card, headline, ingestion_line, model_line, money, title_and_body
from streams.money import ISO_4217_EXCEPTIONS
from tests.support.alerts import CONTEXT, FACTS, an_alert, transition
from tests.support.messages import demoted

ID = an_alert().alert_id
SILENT = "no order for 63 days; usually every 14"


def test_a_fired_alert_in_one_line():
    assert headline(an_alert()) == "CRITICAL  c-17  risk 0.91  no order for 63 days; usually every 14"


@pytest.mark.parametrize(
    ("decision", "tier", "previous", "risk_bp", "line"),
    [
        (ReasonCode.ESCALATED, 3, 2, 9100, f"CRITICAL  c-17  risk 0.91  up from high; {SILENT}"),
        (ReasonCode.DEESCALATED, 1, 3, 5100, f"WATCH  c-17  risk 0.51  down from critical; {SILENT}"),
        (ReasonCode.RESOLVED_RETURNED, 0, 3, 1234, "RESOLVED  c-17  risk 0.12  was critical; bought again"),
        (ReasonCode.RESOLVED_RISK_FELL, 0, 1, 4100, "RESOLVED  c-17  risk 0.41  was watch; the risk fell"),
        (ReasonCode.RESOLVED_CANCELLED, 0, 3, 9100, "RESOLVED  c-17  risk 0.91  was critical; the customer has cancelled"),
    ],
)
def test_each_later_message_says_where_it_comes_from(decision, tier, previous, risk_bp, line):
    assert headline(an_alert(transition(decision, tier, previous, 2), risk_bp=risk_bp)) == line


def test_an_alert_without_reasons_still_reads():
    assert headline(an_alert(reasons=())) == "CRITICAL  c-17  risk 0.91"
    assert headline(an_alert(transition(ReasonCode.ESCALATED, 3, 2, 2), reasons=())) == "CRITICAL  c-17  risk 0.91  up from high"


def test_a_card():
    assert card(an_alert()) == (
        "CRITICAL  c-17  risk 0.91  no order for 63 days; usually every 14\n"
        "  why       9 orders in 400 days; gaps of 14 days, give or take 3\n"
        "            1 complaint in 30 days, yesterday, severity 4 of 5\n"
        "  cause     service (controllable): rule: 1 complaint in 90 days\n"
        "  do        Call today: settle the complaint, then confirm in writing.\n"
        "  at stake  1,234.50 USD spent in the last 365 days\n"
        "  segment   at-risk (R1 F4 M5)\n"
        "  risk      no purchase in the next 90 days: 91%; silence against own rhythm: 99%\n"
        "  since     2023-11-14T22:13:20.000Z, now 2023-11-14T22:13:20.250Z, by complaint e-5\n"
        f"  id        {ID}-1  model mbg-nbd shipped-1  config 0123456789ab"
    )


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            {"cause": "price", "cause_why": "learnt: today's complaint reads as price", "cause_confidence": 0.8},
            "price (80% sure, controllable): learnt: today's complaint reads as price",
        ),
        ({"cause": "natural", "cause_why": "", "cause_confidence": 0.5}, "natural (50% sure, not controllable)"),
        ({"cause": "unknown", "cause_why": "rule: none"}, "unknown: rule: none"),
    ],
)
def test_a_card_says_how_sure_the_cause_is_and_whether_it_can_be_controlled(told, line):
    assert f"  cause     {line}\n" in card(an_alert(**told))


def test_a_card_of_a_held_out_customer_who_is_silent_and_of_whom_little_is_known():
    facts = msgspec.structs.replace(FACTS, rfm=None, segment="no-purchase", spent_365d_minor=0)
    held_out = msgspec.structs.replace(CONTEXT, holdout_share=1.0, currency="JPY", horizon_days=30.5)
    told = {"idle_risk": None, "event": None, "reasons": (), "cause": "", "cause_why": "", "suggested_action": ""}
    assert card(an_alert(facts=facts, context=held_out, **told)) == (
        "CRITICAL  c-17  risk 0.91\n"
        "  holdout   leave alone: held out, so that uplift can be measured\n"
        "  at stake  0 JPY spent in the last 365 days\n"
        "  segment   no-purchase\n"
        "  risk      no purchase in the next 30.5 days: 91%\n"
        "  since     2023-11-14T22:13:20.000Z, now 2023-11-14T22:13:20.250Z, by silence\n"
        f"  id        {ID}-1  model mbg-nbd shipped-1  config 0123456789ab"
    )


def test_the_card_of_a_resolved_alert_keeps_its_first_reason():
    lines = card(an_alert(transition(ReasonCode.RESOLVED_RETURNED, 0, 3, 2))).splitlines()
    assert lines[1] == "  why       no order for 63 days; usually every 14"


def test_hostile_ids_cannot_break_the_line_or_reach_the_terminal():
    facts = msgspec.structs.replace(FACTS, customer_id="a\nCRITICAL  b\x1b[2J\u202eevil")
    line = headline(an_alert(facts=facts))
    assert line == "CRITICAL  a\\u000aCRITICAL  b\\u001b[2J\\u202eevil  risk 0.91  no order for 63 days; usually every 14"
    hostile = card(an_alert(facts=facts, event=EventRef("login", "e\r\n-9", "2023-11-13T22:13:20.250Z")))
    assert "by login e\\u000d\\u000a-9" in hostile
    assert len(hostile.splitlines()) == len(card(an_alert()).splitlines())


def test_ids_in_any_script_stay_as_they_are():
    facts = msgspec.structs.replace(FACTS, customer_id="客户-9 é")
    assert headline(an_alert(facts=facts)).startswith("CRITICAL  客户-9 é  risk")


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (0, "USD", "0.00 USD"),
        (5, "EUR", "0.05 EUR"),
        (123_456_789, "USD", "1,234,567.89 USD"),
        (-250, "USD", "-2.50 USD"),
        (1_200, "JPY", "1,200 JPY"),
        (1_234, "KWD", "1.234 KWD"),
        (12_345, "CLF", "1.2345 CLF"),
    ],
)
def test_money_has_the_decimals_of_its_currency(minor, currency, text):
    assert money(ValueAtStake(minor, currency, "")) == text


def test_money_is_written_with_the_digits_it_was_read_with():
    assert dict(ISO_4217_EXCEPTIONS) == MINOR_DIGITS


def test_missing_data_in_one_line():
    times = {"since_ms": 1_700_000_000_000, "as_of_ms": 1_700_000_060_000}
    told = build_ingestion_alert(3, "stalled", resolved=False, transition=1, text="lag does not shrink", **times)
    over = build_ingestion_alert(3, "stalled", resolved=True, transition=2, text="data arrive again", **times)
    assert ingestion_line(told) == "NO DATA  partition 3  since 2023-11-14T22:13:20.000Z  lag does not shrink"
    lost = build_lost_events_alert(3, "purchases", 7, 2, 1_700_000_000_000)
    assert ingestion_line(lost).startswith("EVENTS LOST  partition 3  since 2023-11-14T22:13:20.000Z  partition 3 of purchases:")
    assert ingestion_line(over) == "RESOLVED  partition 3  since 2023-11-14T22:13:20.000Z  data arrive again"


def test_a_model_alert_is_one_line_that_says_what_scores_now():
    assert model_line(demoted()) == "MODEL DEMOTED  m-1 scores  since 2023-11-14T22:13:20.250Z  log loss .5 nats"
    title, body = title_and_body(demoted(resolved=True))
    assert title == "MODEL SERVES AGAIN  m-1 scores  since 2023-11-15T22:13:20.250Z  log loss .5 nats"
    assert body == f"{demoted(resolved=True).message_id}, as of 2023-11-15T22:13:20.250Z"
