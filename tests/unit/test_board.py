"""The Grafana board is whole: made by its generator, provisioned where compose mounts it, every metric on it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from streams.runtime.challengers_metrics import ChallengersMetrics
from streams.runtime.learner_metrics import LearnerMetrics
from streams.runtime.metrics import Metrics
from tests.support.board import BOARD, COMING, FILE, GRAFANA, expressions, filled, metrics_in, panels
from tests.support.broker_fixtures import missing
from tests.support.prometheus import PrometheusMissing, check_rules

ROOT = GRAFANA.parents[1]
NOT_SHOWN: dict[str, str] = {}
"""Metrics that no panel shows, each with the reason. There is none today."""

PANELS = list(panels())


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


DATASOURCE = load(GRAFANA / "provisioning" / "datasources" / "prometheus.yml")["datasources"][0]
PROVIDER = load(GRAFANA / "provisioning" / "dashboards" / "churnwatch.yml")["providers"][0]
MOUNTS = [volume.split(":") for volume in load(ROOT / "docker-compose.yml")["services"]["grafana"]["volumes"]]


def families() -> dict[str, set[str]]:
    """Every metric of the workers, the learner and the challengers, and the names of its series."""
    registry = CollectorRegistry()
    Metrics(registry)
    LearnerMetrics(registry)
    ChallengersMetrics(registry)
    found = {}
    for family in registry.collect():
        ends = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        found[family.name] = {family.name + end for end in ends}
    return found


def all_with(key: str, value: Any) -> Iterator[Any]:
    """Every value under this key, anywhere in a JSON value."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for inner in value.values():
            yield from all_with(key, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from all_with(key, inner)


def test_the_file_is_what_the_generator_writes() -> None:
    made = subprocess.run([sys.executable, GRAFANA / "generate.py"], capture_output=True, text=True, timeout=60, check=True)
    assert FILE.read_text("utf-8") == made.stdout, f"run python deploy/grafana/generate.py > {FILE.relative_to(ROOT)}"


def test_every_metric_of_the_workers_is_on_the_board_or_left_out_for_a_reason() -> None:
    shown = metrics_in(json.dumps([expr for _, expr in expressions()]))
    without = {family for family, series in families().items() if not series & shown}
    assert without == set(NOT_SHOWN)


def test_every_metric_on_the_board_is_one_that_the_workers_have() -> None:
    known = set().union(*families().values())
    shown = metrics_in(json.dumps([expr for _, expr in expressions()]))
    assert shown
    assert shown - known - COMING == set()
    assert COMING & known == set(), "these have come: take them out of COMING in tests/support/board.py"


def test_every_expression_keeps_to_one_system() -> None:
    for title, expr in expressions():
        for selector in re.findall(r"\b(?:churnwatch_\w+|up)\b(\{[^}]*\})?", expr):
            assert 'job="$job"' in selector, title


def test_every_expression_is_promql(tmp_path: Path) -> None:
    found = [filled(expr) for _, expr in expressions()]
    try:
        done = check_rules(found, tmp_path)
        spoilt = check_rules([*found, "sum(rate(x[1m])"], tmp_path)
    except PrometheusMissing as why:
        missing("promtool", why)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(found)} rules found" in done.stdout
    assert spoilt.returncode != 0


def test_panels_have_ids_of_their_own() -> None:
    ids = [one["id"] for one in BOARD["panels"]] + [inner["id"] for one in BOARD["panels"] for inner in one.get("panels", [])]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    "group",
    [BOARD["panels"], *(one["panels"] for one in BOARD["panels"] if one.get("collapsed"))],
    ids=lambda group: group[0]["title"],
)
def test_panels_stand_on_the_grid_and_not_on_one_another(group: list[dict[str, Any]]) -> None:
    places = {one["title"]: one["gridPos"] for one in group}
    assert len(places) == len(group), "two panels have one title"
    assert not [title for title, at in places.items() if at["x"] < 0 or at["w"] < 1 or at["x"] + at["w"] > 24]
    for (one, a), (other, b) in combinations(places.items(), 2):
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"] or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart, f"{one} lies on {other}"


def test_open_rows_hold_nothing_and_folded_ones_hold_their_panels() -> None:
    rows = {one["title"]: one for one in BOARD["panels"] if one["type"] == "row"}
    assert [title.split(":")[0] for title in rows] == ["Customers", "Events", "Learning", "Challengers", "Delivery", "Machine"]
    assert [row["collapsed"] for row in rows.values()] == [False, False, True, True, True, True]
    assert all(bool(row["panels"]) == row["collapsed"] for row in rows.values())


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_in_which_unit(panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 30
    assert all(target["legendFormat"] for target in panel["targets"])
    assert [target["refId"] for target in panel["targets"]] == list("ABC"[: len(panel["targets"])])
    if panel["type"] == "heatmap":
        assert panel["options"]["yAxis"]["unit"]
    elif "transformations" not in panel:
        assert panel["fieldConfig"]["defaults"]["unit"]
    expr = panel["targets"][0]["expr"]
    seconds = "_seconds" in expr and "count(" not in expr
    assert not seconds or panel["fieldConfig"]["defaults"]["unit"] == "s"


def test_panels_about_the_system_say_when_to_worry() -> None:
    start = next(number for number, one in enumerate(BOARD["panels"]) if one["title"].startswith("Events"))
    about = [one for top in BOARD["panels"][start:] for one in [top, *top.get("panels", [])] if one["type"] != "row"]
    assert len(about) > 20
    silent = {one["title"] for one in about if not re.search(r"\bworry\b", one["description"], re.IGNORECASE)}
    assert silent == {"Customers in memory, by worker"}, "a full cache is no worry"


def test_colours_are_given_to_series_that_exist() -> None:
    """A label value that the workers do not know would leave its colour without a series."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.clock(0, "advance")
    LearnerMetrics(registry)
    ChallengersMetrics(registry)
    values = {value for family in registry.collect() for sample in family.samples for value in sample.labels.values()}
    named = {matcher["options"] for matcher in all_with("matcher", PANELS)} - {"segment"}
    assert named
    assert {part for name in named for part in name.split(": ")} <= values


def test_every_query_goes_to_the_data_source_that_is_provisioned() -> None:
    used = {(source["type"], source["uid"]) for source in all_with("datasource", BOARD)}
    assert used == {(DATASOURCE["type"], DATASOURCE["uid"])}
    scrape = load(ROOT / "deploy" / "prometheus" / "prometheus.yml")["global"]["scrape_interval"]
    assert DATASOURCE["jsonData"]["timeInterval"] == scrape


def test_compose_mounts_the_board_where_the_provider_looks() -> None:
    assert ["./deploy/grafana/dashboards", PROVIDER["options"]["path"], "ro"] in MOUNTS
    assert ["./deploy/grafana/provisioning", "/etc/grafana/provisioning", "ro"] in MOUNTS
    home = load(ROOT / "docker-compose.yml")["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{PROVIDER['options']['path']}/{FILE.name}"
    assert [path.name for path in FILE.parent.iterdir()] == [FILE.name]


def test_variables_are_all_used_and_all_declared() -> None:
    declared = {variable["name"] for variable in BOARD["templating"]["list"]}
    used = set(re.findall(r"\$(?!__)(\w+)", json.dumps([expr for _, expr in expressions()])))
    assert declared == used == {"job", "worker"}


def test_the_schema_is_one_that_grafana_11_reads() -> None:
    image = load(ROOT / "docker-compose.yml")["services"]["grafana"]["image"]
    assert image.startswith("grafana/grafana:11.6.")
    assert 39 <= BOARD["schemaVersion"] <= 41
