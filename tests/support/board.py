"""The Grafana board as its tests see it: panels, expressions, and what its variables stand for in a test."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.prometheus import SCRAPE_S

GRAFANA = Path(__file__).resolve().parents[2] / "deploy" / "grafana"
FILE = GRAFANA / "dashboards" / "churnwatch.json"
BOARD: dict[str, Any] = json.loads(FILE.read_text("utf-8"))

COMING: frozenset[str] = frozenset()
"""On the board ahead of the workers: a metric that the workers have must leave this list."""

VARIABLES = {
    "$__rate_interval": f"{max(2, 8 * SCRAPE_S):g}s",
    "$__interval": "1m",
    "$__range": "5m",
    "$job": "churnwatch",
    "$worker": ".*",
}


def panels() -> Iterator[dict[str, Any]]:
    """Every panel that asks for something, those in folded rows too."""
    for one in BOARD["panels"]:
        yield from (inner for inner in [one, *one.get("panels", [])] if inner["type"] != "row")


def expressions() -> list[tuple[str, str]]:
    """(title of the panel, expression with its variables) of every query on the board."""
    return [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]


def filled(expr: str) -> str:
    """The expression with every variable replaced, as Grafana would. AssertionError for one that nobody knows."""
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    assert "$" not in expr, expr
    return expr


def metrics_in(text: str) -> set[str]:
    """Names of ours in a text."""
    return set(re.findall(r"\bchurnwatch_[a-z0-9_]+\b", text))
