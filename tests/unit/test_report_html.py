"""report.html: one page that stands alone, holds nothing hostile, and says what report.json holds."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.backtest.report_html import render
from streams.backtest.report_parts.words import threshold
from tests.support.backtest_reports import alerts, example, nobody_at, without_cutoffs

VOID = {"meta", "br"}
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>\u202egpj.exe\x00\ud800 '&amp;"


class Page(HTMLParser):
    """A page read as a browser reads it: its tags, attributes and texts. AssertionError for tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), "an attribute twice"
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts).replace("\xa0", " ")


def pages() -> dict[str, str]:
    return {
        "full": render(example()),
        "no money": render(example(given=None)),
        "nobody left": render(example() | {"gain": []}),
        "too short": render(without_cutoffs()),
    }


@pytest.fixture(scope="module", params=["full", "no money", "nobody left", "too short"])
def html(request) -> str:
    return pages()[request.param]


def test_the_page_needs_no_script_and_nothing_from_elsewhere(html):
    page = Page(html)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use", "a"}
    for tag, attributes in page.tags:
        assert not {"src", "href", "xlink:href", "style", "action"} & set(attributes), tag
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"https?:|url\(|@import", html)


def test_its_policy_lets_in_its_own_style_and_nothing_else(html):
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.S)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [a["content"] for tag, a in Page(html).tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_every_chart_is_well_formed_and_told_in_words(html):
    charts = re.findall(r"<svg.*?</svg>", html, re.S)
    for chart in charts:
        root = ElementTree.fromstring(chart)
        if root.get("aria-hidden") != "true":
            assert root.get("role") == "img"
            assert re.search(r"\. .*\d", root.get("aria-label") or ""), "the words name numbers"
            assert len([text for text in root.iter("text") if "label" in (text.get("class") or "")]) == 2, "both axes are named"
    assert html.count("<figure>") == html.count('role="img"') == len(re.findall("<figcaption>", html))


def test_nothing_reads_as_the_absence_of_a_number_does_in_a_program(html):
    assert not re.search(r"\b(nan|None|inf|null)\b", " ".join(Page(html).texts))
    assert not re.search(r'="[^"]*\b(nan|None|inf)\b', html)


def test_the_full_report_has_every_part():
    page = Page(render(example()))
    headings = re.findall(r"<h2>(.*?)</h2>", render(example()))
    assert headings == [
        "Quality over time", "Can a risk be read as a probability?", "Whom to contact first", "The alerts",
        "Which threshold to choose", "Where the model is weak", "What was learnt", "Policies compared", "Settings used",
        "What the words mean",
    ]  # fmt: skip
    assert len([tag for tag, _ in page.tags if tag == "figure"]) == 9
    assert "9f2c41d07ab3" in page.text


@pytest.mark.parametrize("secret", ["file", "settings_hash", "from"])
def test_hostile_text_at_the_top_is_text(secret):
    assert_harmless(example() | {secret: HOSTILE})


def test_hostile_text_anywhere_is_text():
    report = example()
    report["settings"] |= {HOSTILE: HOSTILE, "list": [HOSTILE]}
    report["weak_spots"][1]["name"] = HOSTILE
    report["learning"]["events"].append({"at": HOSTILE, "what": HOSTILE, "why": HOSTILE})
    report["learning"]["measured"][HOSTILE] = report["mean"]["risk"]
    report["policies"][1] |= {"name": HOSTILE, "settings_hash": HOSTILE}
    report["profit_assumptions"]["currency"] = HOSTILE
    assert_harmless(report)


def assert_harmless(report) -> None:
    html = render(report)
    html.encode()  # no half of a character is left
    page = Page(html)
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in Page(render(example())).tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script><img src=x onerror=alert(2)>\\u202egpj.exe\\u0000\\ud800 '&amp;" in " ".join(page.texts)
    assert not set("\u202e\x00") & set(html)


def test_equal_reports_give_equal_pages_also_by_way_of_json():
    report = example()
    assert render(report) == render(json.loads(json.dumps(report)))


def test_numbers_of_the_report_are_in_the_page():
    report = example()
    text = Page(render(report)).text
    assert f"{report['mean']['risk']['auc']:.3f}" in text
    assert "406 alerts would have been raised, 3.4 a day. 46 of 100 were about customers" in text
    assert "Half of the right alerts came at least 41 days before" in text
    assert "one in ten came 12 days after that or later" in text
    best = max(report["thresholds"], key=lambda row: row["profit"])
    assert f"from a risk of {threshold(best['risk'])} on would have earned most: GBP {best['profit']:,.0f}" in text
    assert "0.72 high" in text


def test_a_lead_below_nothing_is_called_late():
    late = alerts() | {"lead_time_days": {"p10": -60.0, "p50": -9.4, "p90": 3.0}}
    assert "Half of the right alerts came no sooner than 9 days after" in Page(render(example() | {"alerts": late})).text


def test_without_money_the_page_says_how_to_give_it():
    text = Page(render(example(given=None))).text
    assert "--customer-value, --offer-cost, --contact-cost, --success-rate" in text
    assert "GBP" not in text
    assert "How many contacts a threshold makes" in text


def test_where_no_threshold_pays_contacting_nobody_is_best():
    report = example()
    report["thresholds"] = [row | {"profit": -5.0} for row in report["thresholds"]]
    text = Page(render(report)).text
    assert "no threshold would have paid: contacting nobody is best" in text
    assert "the most profitable is set off" not in text


def test_a_budget_without_a_threshold_says_why():
    report = example()
    nothing = [dict.fromkeys(report["budgets"][0]) | {"per_day": n, "none": why} for n, why in ((0.1, "ties"), (1.0, "loses"))]
    report["budgets"] = [report["budgets"][-1], *nothing]
    text = re.sub(r"\s+", " ", Page(render(report)).text)
    assert "0.1 none: more customers than that share the highest risk – – –" in text
    assert "1 none pays: better contact nobody – – –" in text


def test_learning_that_was_off_and_that_never_served_is_said():
    off = Page(render(example() | {"learning": {"enabled": False}})).text
    assert "Learning was off" in off
    on = "first served on 3 Sep 2010, and on 134 of the 462 days since then"
    assert on in Page(render(example())).text
    never = example()
    never["learning"] |= {"served_from": None, "events": []}
    text = Page(render(never)).text
    assert "never good enough to serve" in text
    assert "No model was demoted and no drift was found" in text


def test_one_policy_is_not_compared_with_itself():
    report = example()
    report["policies"] = report["policies"][:1]
    assert "Policies compared" not in render(report)


MAY_LACK = {
    *("auc", "pr_auc", "log_loss", "brier", "ece", "lift_at_10", "lift_cap", "precision", "recall", "p10", "p50", "p90"),
    *("lead_time_days_p50", "break_even_success_rate", "guess_loss", "mean_risk", "base_rate", "profit", "cost", "saved"),
}


def with_gaps(value: Any, gap: Callable[[], bool]) -> Any:
    """`value` with numbers that may lack left out where `gap` says so."""
    if isinstance(value, dict):
        return {k: None if k in MAY_LACK and gap() else with_gaps(v, gap) for k, v in value.items()}
    return [with_gaps(v, gap) for v in value] if isinstance(value, list) else value


@given(seed=st.integers(0, 2**32 - 1), odds=st.sampled_from([0.02, 0.3, 1.0]), sizes=st.sampled_from([(1, 3), (2, 40)]))
@settings(max_examples=40, deadline=None)
def test_whatever_could_not_be_measured_is_a_dash_and_never_an_error(seed, odds, sizes):
    rng = np.random.default_rng(seed)
    report = with_gaps(example(seed, *sizes), lambda: bool(rng.uniform() < odds))
    html = render(report)
    Page(html)
    test_nothing_reads_as_the_absence_of_a_number_does_in_a_program(html)


def test_where_nothing_learnt_served_the_closed_form_is_not_beaten_by_itself():
    report = example()
    text = Page(render(report)).text
    assert f"the closed form alone {100 * report['mean']['btyd']['auc']:.1f}, where risk has" in text
    report["mean"]["risk"] = report["mean"]["btyd"]
    assert "risk was the closed form’s, since nothing learnt served" in Page(render(report)).text


def test_cut_offs_at_which_nobody_was_scored_are_left_out_of_what_is_said():
    report = example(cutoffs=4)
    text = Page(render(report)).text
    gap = Page(render(report | {"cutoffs": [*report["cutoffs"], nobody_at("2010-09-29"), nobody_at("2010-10-29")]})).text
    (said,) = re.findall(r"120 customers on average were scored at each of 4 cut-offs.*?followed\.", text)
    assert f"{said} At 2 of all 6 cut-offs nobody was scored: no customer had bought 2 times in the 180 days before." in gap
    assert "29 Sep 2010 0 – – – – – – – – – of –" in re.sub(r"\s+", " ", gap)
    assert re.findall(r"of all scored \d+% did", gap) == re.findall(r"of all scored \d+% did", text) != []


@pytest.mark.parametrize(("cutoffs", "at"), [(1, "the one cut-off"), (3, "any of 3 cut-offs")])
def test_where_nobody_was_ever_scored_the_page_says_so(cutoffs, at):
    report = without_cutoffs() | {"cutoffs": [nobody_at("2010-09-29")] * cutoffs, "mean": nobody_at("2010-09-29")["scores"]}
    text = Page(render(report)).text
    assert f"Nobody was scored at {at}: no customer had bought 2 times in the 180 days before." in text
    assert "Nobody was scored at any cut-off." in text


@pytest.mark.parametrize("cutoffs", [1, 60])
def test_one_cut_off_and_many_are_drawn(cutoffs):
    report = example(cutoffs=cutoffs, customers=40)
    html = render(report)
    chart = ElementTree.fromstring(re.search(r'<svg[^>]*aria-label="AUC at.*?</svg>', html, re.S)[0])
    assert len([text for text in chart.iter("text") if "tick" in text.get("class") and "20" in text.text]) >= 2
    assert bool(list(chart.iter("circle"))) == (cutoffs == 1)


def test_challengers_are_shown_where_they_were_asked_for():
    report = example()
    assert "Challengers" not in Page(render(report)).text
    one = report["mean"]["risk"] | {"n": 1_234}
    nothing = dict.fromkeys(one) | {"n": 0}
    measured = {"watched": {"champion": one, "forest": nothing}, "all": {"forest": one, HOSTILE: one}}
    report["learning"]["challengers"] = {"share": 1.0, "labels": 2_000, "measured": {}, "measured_total": measured}
    text = re.sub(r"\s+", " ", Page(render(report)).text)
    assert "Challengers beside the champion, unshifted, on the outcomes of watched customers" in text
    assert "champion (learnt) 1,234" in text
    assert "River’s adaptive random forest 0 –" in text
    assert "outcomes of customers who had bought on more than one day" not in text
    assert_harmless(report)


def test_what_was_measured_of_each_model_is_one_table():
    report = example()
    text = re.sub(r"\s+", " ", Page(render(report)).text)
    views = ("all 21,000", "all of repeat buyers 14,000", "the latest 10,000", "the latest, of repeat buyers 6,000")
    for model in ("champion (learnt)", "closed form (MBG/NBD)", "days of silence"):
        assert all(f"{model} {view}" in text for view in views)
    report["learning"]["measured"] = report["learning"]["measured_total"]
    report["learning"]["measured_repeat_buyers"] = {"champion": dict.fromkeys(report["mean"]["risk"]) | {"n": 0}}
    text = re.sub(r"\s+", " ", Page(render(report)).text)
    assert "champion (learnt) all 21,000" in text
    assert not re.search(r"the latest [0–]|the latest, of", text), "all are the latest, or nothing was measured"


def test_alerts_on_the_days_after_the_last_event_are_told_apart():
    assert "after the last event" not in Page(render(example())).text
    text = re.sub(r"\s+", " ", Page(render(example() | {"alerts": alerts() | {"fired_after": 17}})).text)
    assert "raised after the last event, besides 17" in text
