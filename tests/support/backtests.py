"""Histories to backtest: simulated ones on disk, and the two public sets where they are to be had."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from detectors.parameters import SHIPPED
from streams.backtest.backtesting import BacktestRules
from streams.backtest.cut_offs import CutOffRules
from streams.backtest.loading import Loaded, load
from streams.backtest.mapping import Source, find_source
from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.runtime.rules import engine_rules, event_rules
from streams.runtime.settings import load_settings
from tests.support.workers import REPO

SETTINGS = load_settings(None, {})
LEARNING = load_settings(None, {"CHURNWATCH_LEARNING__ENABLED": "true"})
INVOICES = REPO.parent / "shared" / "data" / "online_retail_ii_invoices.csv.gz"
START_MS = 867_715_200_000
"""1 July 1997."""


def rules(**changes: object) -> BacktestRules:
    """The protocol that is published: 90 days of horizon, 180 of window, every 30, two occasions."""
    return replace(BacktestRules(CutOffRules(90, 180, 30, 2), engine_rules(SETTINGS), SHIPPED), **changes)


def simulated(path: Path, customers: int = 300, days: int = 420, seed: int = 3) -> Path:
    """A history file of invented customers."""
    write_history(path, simulate_customers(customers, days, START_MS, seed)[0], "USD", "s-")
    return path


@contextmanager
def loaded(*sources: Source, keep_ids: bool = False) -> Iterator[Loaded]:
    """The sources as a log, for as long as the block lasts."""
    with TemporaryDirectory() as folder:
        yield load(sources, Path(folder), event_rules(SETTINGS).of_history(), keep_ids=keep_ids)


def public_set(name: str) -> Source:
    """ "cdnow" or "online-retail-ii"; skips, saying why, where it is not there."""
    if name == "cdnow":
        if importlib.util.find_spec("lifetimes") is None:
            pytest.skip("CDNOW is read from the `lifetimes` wheel, which is not installed")
        return find_source("cdnow:")
    if not INVOICES.exists():
        pytest.skip(f"Online Retail II is not beside the repository: no {INVOICES.name} in ../shared/data")
    return find_source(str(INVOICES), name)
