"""What one committed step adds to the metrics."""

from __future__ import annotations

from alerts.triggers import Decided
from streams.runtime.metrics import Metrics
from streams.runtime.topics import EVENTS
from streams.step import Step


def count_step(metrics: Metrics, partition: int, step: Step, rows: int, decided: Decided) -> None:
    """Count a committed step of `rows` rows, and what its alerts set off."""
    stats = step.stats
    for counters, (purchases, complaints, logins, refunds, cancellations) in (
        (metrics.events, stats.events),
        (metrics.duplicates, stats.duplicates),
    ):
        for topic, count in zip(EVENTS, (purchases + refunds, complaints, logins, cancellations), strict=True):
            counters[topic].inc(count)
    if rows:
        metrics.batches.inc()
        metrics.batch_rows.observe(rows)
    metrics.forgotten.inc(stats.forgotten)
    metrics.risk.observe(stats.risk_bp)
    for reason, count in zip(metrics.decisions, stats.decisions.tolist(), strict=True):
        if count:
            metrics.decisions[reason].inc(count)
    for alert in step.alerts:
        metrics.alerts[alert.tier, alert.decision].inc()
    for outcome in decided.outcomes:
        metrics.triggers[outcome].inc()
    metrics.customers.put(partition, step.state.customers)
    metrics.watermark.labels(str(partition)).set(step.state.watermark_ms / 1000)
