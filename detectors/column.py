"""What a column is to a detector: float64, one value a customer, contiguous, and inside the range that the rule promises.

numpy takes other paths for strided and for contiguous memory; exp and log see contiguous memory only, so a row's value is
the same alone and in any batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Column: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = NDArray[Any] | Sequence[float]


def non_negative(name: str, values: Numbers) -> Column:
    """`values` as a column of numbers in [0, inf).

    Raises ValueError naming the column, the first bad value and its row.

    >>> non_negative("idle_days", [0, 3])
    array([0., 3.])
    """
    column = _column(name, values)
    ok = (column >= 0.0) & (column < np.inf)
    if not ok.all():
        _refuse(name, column, ok, "0 or more and finite")
    return column


def positive(name: str, values: Numbers) -> Column:
    """`values` as a column of numbers in (0, inf). Raises as `non_negative`."""
    column = _column(name, values)
    ok = (column > 0.0) & (column < np.inf)
    if not ok.all():
        _refuse(name, column, ok, "above 0 and finite")
    return column


def same_length(**columns: Column) -> None:
    """Raises ValueError naming the lengths unless all columns have the same one."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise ValueError(f"columns differ in length: {told} rows; give one value a customer in each")


def positive_number(name: str, value: float) -> float:
    """`value` as a float in (0, inf); raises ValueError naming it otherwise."""
    number = float(value)
    if not 0.0 < number < float("inf"):
        raise ValueError(f"{name} = {value!r}: must be above 0 and finite")
    return number


def _column(name: str, values: Numbers) -> Column:
    column = np.ascontiguousarray(values, dtype=np.float64)
    if np.ndim(values) != 1:
        raise ValueError(f"{name} has {np.ndim(values)} dimensions: must be one column, one value a customer")
    return column


def _refuse(name: str, column: Column, ok: NDArray[np.bool_], rule: str) -> None:
    row = int(np.argmin(ok))
    raise ValueError(f"{name} = {column[row]:g} in row {row}: must be {rule}")
