"""The report that the page's tests go by has the keys of a real one, all of them and no other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.cli.main import main
from tests.support.backtest_reports import example
from tests.support.backtests import simulated

MONEY = ["--customer-value", "200", "--offer-cost", "10", "--contact-cost", "1", "--success-rate", "0.3"]


def keys(value: Any, path: str = "") -> set[str]:
    """The path of every key; of a list those of all its entries."""
    if isinstance(value, dict):
        return {f"{path}.{key}" for key in value}.union(*(keys(inner, f"{path}.{key}") for key, inner in value.items()))
    if isinstance(value, list):
        return set[str]().union(*(keys(inner, f"{path}[]") for inner in value))
    return set()


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("real")
    history = simulated(folder / "shop.csv", customers=400, days=400)
    (folder / "a.yml").write_text("policy: {breaches: 1}\n")
    (folder / "b.yml").write_text("policy: {breaches: 3}\n")
    compared = ["--compare", str(folder / "a.yml"), str(folder / "b.yml")]
    with pytest.raises(SystemExit):
        main(["backtest", str(history), "--out", str(folder), "--horizon", "60d", "--active-window", "90d", *MONEY, *compared])
    return json.loads((folder / "report.json").read_bytes())


def test_the_example_has_the_keys_of_a_real_report(real):
    assert real["learning"]["events"]
    assert real["budgets"]
    assert keys(example()) ^ keys(real) == set()


def test_what_was_measured_is_called_as_the_learner_calls_it(real):
    learning, window = real["learning"], real["settings"]["learning"]["measured_labels"]
    of = {name: one["champion"]["n"] for name, one in learning.items() if name.startswith("measured")}
    assert of["measured"] == min(of["measured_total"], window)
    assert 0 < of["measured_repeat_buyers"] <= of["measured_total_repeat_buyers"] < of["measured_total"] <= learning["labels"]
    assert of["measured_repeat_buyers"] < of["measured"]
