"""What the pages name exists: files linked to, settings, metrics, commands, make targets."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from streams.cli.main import COMMANDS
from streams.runtime.challengers_metrics import ChallengersMetrics
from streams.runtime.learner_metrics import LearnerMetrics
from streams.runtime.metrics import Metrics
from streams.runtime.settings import NOT_SETTINGS, Settings, variable_names
from tests.architecture.tree import REPO, tracked

PAGES = [path for path in tracked() if path.suffix == ".md"]
SETTINGS = {f"{section}.{field}" for section, field in variable_names().values()}
OF_KAFKA = {"retention.ms", "retention.bytes"}
"""Settings of topics, which look like ours."""
SECTIONS = "|".join(Settings.model_fields)


def text_of(page: Path) -> str:
    return (REPO / page).read_text("utf-8")


def test_the_pages_were_found() -> None:
    assert {"README.md", "CHANGELOG.md", "docs/operating.md", "docs/settings.md"} <= {page.as_posix() for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text_of(page)) if not re.match(r"[a-z]+:", link)]
    dead = [link for link in links if link.split("#")[0] and not (REPO / page.parent / link.split("#")[0]).exists()]
    assert not dead


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_anchors_are_headings(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", text_of(page)):
        headings = re.findall(r"^#+ (.+)$", text_of((page.parent / target) if target else page), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_settings_and_variables_exist(page: Path) -> None:
    named = set(re.findall(rf"`((?:{SECTIONS})\.[a-z_]+)\b", text_of(page)))
    variables = set(re.findall(r"\bCHURNWATCH_[A-Z_]*[A-Z]\b", text_of(page)))
    assert named <= SETTINGS | OF_KAFKA
    assert variables <= variable_names().keys() | NOT_SETTINGS


def shown_by(metrics: Callable[[CollectorRegistry], object]) -> set[str]:
    registry = CollectorRegistry()
    metrics(registry)
    return set(re.findall(r"^# HELP (\S+)", generate_latest(registry).decode(), re.MULTILINE))


def test_operators_are_told_of_every_metric_of_the_learner() -> None:
    told = {f"churnwatch_learner_{name}" for name in re.findall(r"`([a-z_]+)`", text_of(REPO / "docs" / "operating.md"))}
    assert {name for name in shown_by(LearnerMetrics) if not name.endswith("_created")} <= told


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_metrics_exist(page: Path) -> None:
    shown = shown_by(Metrics) | shown_by(LearnerMetrics) | shown_by(ChallengersMetrics)
    assert set(re.findall(r"`(churnwatch_[a-z0-9_]+)`", text_of(page))) <= shown


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_and_make_targets_exist(page: Path) -> None:
    commands = re.findall(r"`churnwatch ([a-z][a-z-]*)[^`]*`|^ +churnwatch ([a-z][a-z-]*)", text_of(page), re.MULTILINE)
    assert {one or other for one, other in commands} <= COMMANDS.keys()
    targets = set(re.findall(r"^([a-z-]+):.*##", (REPO / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`| {4})make ([a-z-]+)", text_of(page))) <= targets
