"""The histories on which learning is compared, by name.

online-retail-ii       invoices of a gift wholesaler, two years; a file that the repository does not hold
cdnow                  first buyers of a record shop, 18 months; inside the `lifetimes` wheel
the rest               simulated, see `streams/backtest/populations.py`
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
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
    with TemporaryDirectory(prefix="churnwatch-bench-") as folder:
        sources, log = _sources(name, Path(folder), data), Path(folder) / "log"
        log.mkdir()
        yield load(sources, log, event_rules(settings).of_history(), progress=progress)


def _sources(name: str, folder: Path, data: Path) -> Sequence[Source]:
    if name == "online-retail-ii":
        if not (data / INVOICES).exists():
            raise BaseMissing(f"no {INVOICES} in the folder that --data names")
        return [find_source(str(data / INVOICES), name)]
    if name == "cdnow":
        if importlib.util.find_spec("lifetimes") is None:
            raise BaseMissing("the `lifetimes` wheel is not installed (extra: demo)")
        return [find_source("cdnow:")]
    path = folder / "simulated.csv"
    write_history(path, simulate_customers(CUSTOMERS, DAYS, START_MS, SEED, POPULATIONS[name])[0], "USD", "s-")
    return [find_source(str(path))]
