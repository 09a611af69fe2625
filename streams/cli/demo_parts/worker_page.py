"""What the worker says of itself over HTTP: ready or not, and its metrics."""

from __future__ import annotations

import http.client
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

PATIENCE_S = 5.0

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Some of /metrics at one moment.

    values   metric name -> values of its labels, in the alphabetical order of the labels' names -> value
    """

    values: dict[str, dict[Labels, float]]

    def total(self, name: str) -> int:
        """Sum over all labels; 0 where nothing was counted."""
        return int(sum(self.values.get(name, {}).values()))

    def by_label(self, name: str) -> dict[str, int]:
        """Counts by the first label, without zeros."""
        return {labels[0]: int(value) for labels, value in self.values.get(name, {}).items() if value}

    @property
    def events(self) -> int:
        """Events applied."""
        return self.total("churnwatch_events_total")

    @property
    def dead_letters(self) -> int:
        """Records refused."""
        return self.total("churnwatch_dead_letters_total")

    @property
    def alerts(self) -> int:
        """Messages about customers that were decided, whether or not Kafka has them yet."""
        return self.total("churnwatch_alerts_total")

    @property
    def watermark_ms(self) -> int:
        """Event time up to which every partition has folded everything; 0 at first."""
        return int(min(self.values.get("churnwatch_watermark_timestamp_seconds", {}).values(), default=0.0) * 1000)

    @property
    def customers(self) -> dict[tuple[str, str], int]:
        """(tier, segment) -> customers, without zeros."""
        table = self.values.get("churnwatch_customers", {})
        return {(tier, segment): int(count) for (segment, tier), count in table.items() if count}


class WorkerPage:
    """The worker's HTTP side at one address."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    def url(self, path: str) -> str:
        """The address of a page, such as "/metrics"."""
        return f"http://{self._host}:{self._port}{path}"

    def ready(self) -> bool:
        """Is the worker up, with its partitions taken and its servers within reach?"""
        return self._get("/readyz")[0] == 200

    def figures(self) -> Figures | None:
        """Its metrics now; None while it does not answer."""
        status, text = self._get("/metrics")
        return parse(text) if status == 200 else None

    def _get(self, path: str) -> tuple[int, str]:
        """Status and text; (0, "") where nobody answers."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()


def parse(text: str, wanted: Callable[[str], bool] = lambda name: not name.endswith("_bucket")) -> Figures:
    """The figures in Prometheus' text format; histograms' buckets are left out.

    >>> parse('x_total{a="p"} 2\\nx_total{a="q"} 3\\n').by_label("x_total")
    {'p': 2, 'q': 3}
    """
    values: dict[str, dict[Labels, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if wanted(sample.name):
                values[sample.name][tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
    return Figures(dict(values))
