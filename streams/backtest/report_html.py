"""`report.html`: what a backtest found, for people. One file; no script, no font, no picture from elsewhere.

The page's content policy allows its own style sheet, by its hash, and nothing more. Equal reports give equal bytes.
"""

from __future__ import annotations

import base64
import hashlib

from streams.backtest.report_parts import (
    calibrated,
    choosing,
    comparing,
    failing,
    found,
    headline,
    learning,
    quality,
    small_print,
    warnings,
)
from streams.backtest.report_parts.markup import Markup, element, together
from streams.backtest.report_parts.style import STYLE
from streams.backtest.report_parts.words import Report, count, day


def render(report: Report) -> str:
    """The page for `report`, which is what report.json holds (schema churnwatch.backtest/1)."""
    title = f"Backtest of {report['file']}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy()),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(STYLE)),
    )
    page = element("html", head, element("body", element("main", *_sections(report, title))), lang="en")
    return together(Markup("<!doctype html>\n"), page, "\n")


def _sections(report: Report, title: str) -> list[Markup | None]:
    period = f"{day(report['from'])} to {day(report['to'])}"
    under = f"{period} · {count(report['customers'])} customers · {count(report['events'])} events"
    return [
        element("h1", title),
        element("p", under, class_="under"),
        headline.section(report),
        quality.section(report),
        calibrated.section(report),
        found.section(report),
        warnings.section(report),
        choosing.section(report),
        failing.section(report),
        learning.section(report),
        comparing.section(report),
        small_print.settings(report),
        small_print.definitions(report),
    ]


def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
