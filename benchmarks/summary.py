"""`bench.json`: the figures by which runs are compared in front, all that was measured behind."""

from __future__ import annotations

import dataclasses
from typing import Any

from benchmarks.jobs import Figures
from benchmarks.run import Report
from benchmarks.side_by_side import StreamResult

ENGINE_ROWS = 10_000
"""Rows a call of the engine for which its speed is told."""

JOBS = ("worker", "conventional", "quix", "ceiling")


def summary(report: Report) -> dict[str, Any]:
    """JSON of a run; a figure that was not measured is null.

    worker, conventional, quix, ceiling   jobs side by side on the lively stream
    ratios                      of the worker's events/s to theirs
    engine_events_per_s         lively stream, batches of ENGINE_ROWS (the nearest that was measured)
    sweep_us_per_due            in the engine alone
    sweep_with_store_us_per_due   from cold rows to the commit, all that waits included
    sweep_none_due_us           customers in the table -> a whole sweep that meets nobody
    redis_bytes_per_customer, commit_ms, alert_latency_ms
    details                     the whole report
    """
    lively = next((one for one in report.streams if one.stream == "lively"), None)
    base, latency = report.base, report.latency
    return {
        **{job: _figures(getattr(lively, job, None)) for job in JOBS},
        "ratios": _ratios(lively),
        "engine_events_per_s": _engine(report),
        "sweep_us_per_due": None if base is None else base.engine.wall_us_per_due,
        "sweep_with_store_us_per_due": None if base is None else base.cold.wall_us_per_due,
        "sweep_none_due_us": None if base is None else {str(size): us for size, us in base.none_due_us.items()},
        "redis_bytes_per_customer": None if base is None else base.footprint.bytes_per_customer,
        "commit_ms": dataclasses.asdict(report.commits[0]) if report.commits else None,
        "alert_latency_ms": None if latency is None else dataclasses.asdict(latency),
        "machine": dataclasses.asdict(report.machine),
        "details": dataclasses.asdict(report),
    }


def _figures(job: Figures | None) -> dict[str, Any] | None:
    return None if job is None else dataclasses.asdict(job)


def _ratios(lively: StreamResult | None) -> dict[str, float | None]:
    def to(job: Figures | None) -> float | None:
        return None if lively is None or job is None else lively.worker.events_per_s / job.events_per_s

    others = (None, None, None) if lively is None else (lively.quix, lively.conventional, lively.ceiling)
    return dict(zip(("vs_quix", "vs_conventional", "of_ceiling"), map(to, others), strict=True))


def _engine(report: Report) -> float | None:
    lively = [one for one in report.engine if one.span_days == min(other.span_days for other in report.engine)]
    nearest = min(lively, key=lambda one: abs(one.batch_rows - ENGINE_ROWS), default=None)
    return None if nearest is None else nearest.events_per_s
