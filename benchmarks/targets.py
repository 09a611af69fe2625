"""What a run has to reach, and whether it did. Told, not asserted: a busy machine proves nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """what      is measured, with its unit
    path      of the figure in the summary
    at_least  True: the limit is a least value; False: a largest one
    """

    what: str
    path: tuple[str, ...]
    limit: float
    at_least: bool

    def found(self, summary: dict[str, Any]) -> float | None:
        """The figure, None where it was not measured."""
        value: Any = summary
        for name in self.path:
            value = None if value is None else value[name]
        return None if value is None else float(value)

    def holds(self, value: float) -> bool:
        """Whether a figure reaches it."""
        return value >= self.limit if self.at_least else value <= self.limit


TARGETS = (
    Target("times Quix Streams", ("ratios", "vs_quix"), 3.0, True),
    Target("times the conventional way", ("ratios", "vs_conventional"), 30.0, True),
    Target("worker, CPU µs/event, lively", ("worker", "cpu_us_per_event"), 20.0, False),
    Target("engine alone, events/s", ("engine_events_per_s",), 250_000.0, True),
    Target("Redis, bytes/customer", ("redis_bytes_per_customer",), 1_000.0, False),
    Target("sweep in the engine, µs/due", ("sweep_us_per_due",), 5.0, False),
    Target("sweep with cold rows and commit, µs/due", ("sweep_with_store_us_per_due",), 20.0, False),
    Target("event to alert, p99 ms", ("alert_latency_ms", "p99"), 1_000.0, False),
)
