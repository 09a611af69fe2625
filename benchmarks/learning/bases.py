"""The histories on which learning is compared, by name.

online-retail-ii       invoices of a gift wholesaler, two years; a file that the repository does not hold
cdnow                  first buyers of a record shop, 18 months; inside the `lifetimes` wheel
the rest               simulated, see `streams/backtest/populations.py`
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from streams.backtest.loading import Loaded, load
from streams.backtest.mapping import Source, find_source
from streams.backtest.populations import POPULATIONS
from streams.backtest.simulation import simulate_customers
from streams.backtest.simulation_files import write_history
from streams.runtime.rules import event_rules
from streams.runtime.settings import Settings

PUBLIC = ("online-retail-ii", "cdnow")
BASES = (*PUBLIC, *POPULATIONS)
INVOICES = "online_retail_ii_invoices.csv.gz"
START_MS = 867_715_200_000
"""1 July 1997, the begin of the simulated ones."""

CUSTOMERS, DAYS, SEED = 3000, 720, 11


class BaseMissing(Exception):
    """A history is not to be had here; says why."""


@contextmanager
def opened(name: str, settings: Settings, data: Path, progress: Callable[[int], None] = lambda _rows: None) -> Iterator[Loaded]:
    """A base as a log, for as long as the block lasts.

    data       folder of the files that the repository does not hold
    progress   is told the rows read
    Raises BaseMissing.
    """
    if name in POPULATIONS:
        with simulated(name, settings, CUSTOMERS, DAYS, progress=progress) as loaded:
            yield loaded
    else:
        with TemporaryDirectory(prefix="churnwatch-bench-") as folder:
            yield load([_public(name, data)], Path(folder), event_rules(settings).of_history(), progress=progress)


@contextmanager
def simulated(
    name: str,
    settings: Settings,
    customers: int,
    days: int,
    *,
    seed: int = SEED,
    progress: Callable[[int], None] = lambda _rows: None,
) -> Iterator[Loaded]:
    """So many customers of a population, for so many days."""
    with TemporaryDirectory(prefix="churnwatch-bench-") as folder:
        history, log = Path(folder) / "history.csv", Path(folder) / "log"
        write_history(history, simulate_customers(customers, days, START_MS, seed, POPULATIONS[name])[0], "USD", "s-")
        log.mkdir()
        yield load([find_source(str(history))], log, event_rules(settings).of_history(), progress=progress)


def _public(name: str, data: Path) -> Source:
    if name == "cdnow":
        if importlib.util.find_spec("lifetimes") is None:
            raise BaseMissing("the `lifetimes` wheel is not installed (extra: demo)")
        return find_source("cdnow:")
    if not (data / INVOICES).exists():
        raise BaseMissing(f"no {INVOICES} in the folder that --data names")
    return find_source(str(data / INVOICES), name)
