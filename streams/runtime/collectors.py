"""Metrics that are fed with arrays: one call a batch, whatever its size.

prometheus_client's own classes take one number at a time, at about a microsecond each; a batch scores 20,000 customers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

RISK_WHOLE_BP = 10_000
RISK_STEP_BP = 500


class RiskHistogram(Collector):
    """Risk of every evaluation, in twenty buckets of 0.05. A bucket holds what is at or below its edge, as Prometheus has it."""

    def __init__(self, name: str, text: str, registry: CollectorRegistry) -> None:
        self._name, self._text = name, text
        self._counts = np.zeros(RISK_WHOLE_BP // RISK_STEP_BP + 1, np.int64)  # [0]: risk 0; [k]: up to k steps
        self._sum_bp = 0
        registry.register(self)

    def observe(self, risk_bp: NDArray[np.uint16]) -> None:
        """Count evaluations.

        risk_bp   risk in 1e-4, 0..10000; may be empty. Raises ValueError above 10000.
        """
        step = -(-risk_bp.astype(np.int64) // RISK_STEP_BP)
        counts = np.bincount(step, minlength=len(self._counts))
        if len(counts) > len(self._counts):
            raise ValueError(f"risk_bp above {RISK_WHOLE_BP}: {int(risk_bp.max())}")
        self._counts += counts
        self._sum_bp += int(risk_bp.sum(dtype=np.int64))

    def describe(self) -> Iterable[Metric]:
        return [HistogramMetricFamily(self._name, self._text)]

    def collect(self) -> Iterable[Metric]:
        below = np.cumsum(self._counts)[1:].tolist()
        edges = [str(edge * RISK_STEP_BP / RISK_WHOLE_BP) for edge in range(1, len(self._counts))]
        buckets = [*zip(edges, below, strict=True), ("+Inf", below[-1])]
        return [HistogramMetricFamily(self._name, self._text, buckets=buckets, sum_value=self._sum_bp / RISK_WHOLE_BP)]


class CrossTable(Collector):
    """A gauge over two closed label sets: the sum of one table for each partition that this worker owns."""

    def __init__(
        self,
        name: str,
        text: str,
        rows: tuple[str, Sequence[str]],
        columns: tuple[str, Sequence[str]],
        registry: CollectorRegistry,
    ) -> None:
        """rows, columns   (label, its values): cell [i, j] of a table counts row value i and column value j."""
        self._name, self._text, self._rows, self._columns = name, text, rows, columns
        self._shape = (len(rows[1]), len(columns[1]))
        self._tables: dict[int, NDArray[np.int64]] = {}
        registry.register(self)

    def put(self, partition: int, table: NDArray[np.int64]) -> None:
        """Replace a partition's table. Raises ValueError for another shape."""
        if table.shape != self._shape:
            raise ValueError(f"{self._name}: a table of {self._shape} was expected, not {table.shape}")
        self._tables[partition] = table.copy()

    def add(self, partition: int, changes: NDArray[np.int64]) -> None:
        """Add to a partition's table: +1 where a customer is now, -1 where it was. Raises ValueError for another shape."""
        self.put(partition, self._tables.get(partition, np.zeros(self._shape, np.int64)) + changes)

    def drop(self, partition: int) -> None:
        """The partition is no longer ours."""
        self._tables.pop(partition, None)

    def describe(self) -> Iterable[Metric]:
        return [GaugeMetricFamily(self._name, self._text)]

    def collect(self) -> Iterable[Metric]:
        total = sum(self._tables.copy().values(), np.zeros(self._shape, np.int64))
        family = GaugeMetricFamily(self._name, self._text, labels=(self._rows[0], self._columns[0]))
        for row, counts in zip(self._rows[1], total.tolist(), strict=True):
            for column, count in zip(self._columns[1], counts, strict=True):
                family.add_metric((row, column), count)
        return [family]
