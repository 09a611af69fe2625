"""CDNOW's 1/10 sample as the field fits it: a file inside the `lifetimes` wheel.

Never imported: the wheel is older than pandas 3.
"""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

CUSTOMERS = 2357
REPEAT_PURCHASES = 2457


def calibration_weeks() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """x, t_x, T of 2357 customers over 39 weeks, time in weeks. Skips, saying why, where the wheel is absent."""
    found = importlib.util.find_spec("lifetimes")
    if found is None or found.origin is None:
        pytest.skip("CDNOW is read from the `lifetimes` wheel, which is not installed")
    path = Path(found.origin).parent / "datasets" / "cdnow_customers_summary.csv"
    with path.open(newline="") as file:
        rows = [(float(row["frequency"]), float(row["recency"]), float(row["T"])) for row in csv.DictReader(file)]
    x, t_x, T = np.array(rows).T
    assert (len(x), int(x.sum())) == (CUSTOMERS, REPEAT_PURCHASES), "not the sample that the published numbers are for"
    return x, t_x, T
