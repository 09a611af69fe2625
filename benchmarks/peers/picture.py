"""bench.json as a picture: `python -m benchmarks.peers.picture bench.json bench.png`, in the environment that has matplotlib."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib  # type: ignore[import-not-found]  # it lives in .venv-peers

matplotlib.use("Agg")
from matplotlib import pyplot  # after the choice of what draws

JOBS = {
    "conventional": "Faust per event\n+ Redis hashes",
    "quix": "Quix Streams\n+ RocksDB",
    "worker": "churnwatch\n+ Redis",
    "ceiling": "decode only",
}
OURS, OTHERS = "#1b6ca8", "#9aa5b1"


def main() -> None:
    """Read the one file, write the other."""
    source, target = map(Path, sys.argv[1:])
    draw(json.loads(source.read_text("utf-8")), target)


def draw(figures: dict[str, Any], target: Path) -> None:
    """Events/s and CPU an event of each job that was measured, and the other figures in words."""
    jobs = [job for job in JOBS if figures[job] is not None]
    figure, (rates, costs) = pyplot.subplots(1, 2, figsize=(11, 5.2))
    _rates(rates, jobs, figures)
    _costs(costs, jobs, figures)
    machine = figures["machine"]
    figure.suptitle("The same job on the same topics, one process each", fontsize=13)
    words = "   ".join(_words(figures))
    figure.text(0.5, 0.05, words, ha="center", fontsize=8.5)
    figure.text(0.5, 0.015, f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}", ha="center", fontsize=7.5)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(target, dpi=120)


def _rates(axes: Any, jobs: list[str], figures: dict[str, Any]) -> None:
    values = [figures[job]["events_per_s"] for job in jobs]
    low_high = [figures[job]["spread"]["events_per_s"] for job in jobs]
    error = [[v - low for v, (low, _) in zip(values, low_high, strict=True)],
             [high - v for v, (_, high) in zip(values, low_high, strict=True)]]  # fmt: skip
    bars = axes.bar([JOBS[job] for job in jobs], values, color=[_colour(job) for job in jobs], yerr=error, capsize=4)
    axes.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3, fontsize=9)
    axes.set_yscale("log")
    axes.set_title("events/s (logarithmic; bars span the turns)", fontsize=10)
    axes.margins(y=0.15)


def _costs(axes: Any, jobs: list[str], figures: dict[str, Any]) -> None:
    """One bar of process and store together: parts of a bar would lie on a logarithmic scale."""
    own = [figures[job]["cpu_us_per_event"] for job in jobs]
    store = [figures[job]["store_cpu_us_per_event"] for job in jobs]
    labels = [f"{a:,.1f} + {b:,.1f} Redis" if b else f"{a:,.1f}" for a, b in zip(own, store, strict=True)]
    colours = [_colour(job) for job in jobs]
    bars = axes.bar([JOBS[job] for job in jobs], [a + b for a, b in zip(own, store, strict=True)], color=colours)
    axes.bar_label(bars, labels, padding=3, fontsize=9)
    axes.set_yscale("log")
    axes.set_ylim(1, 3 * max(a + b for a, b in zip(own, store, strict=True)))
    axes.set_title("CPU µs/event (logarithmic; RocksDB works within its process)", fontsize=10)


def _colour(job: str) -> str:
    return OURS if job == "worker" else OTHERS


def _words(figures: dict[str, Any]) -> list[str]:
    """The other figures, those that were measured."""
    templates = {
        "engine_events_per_s": "engine alone {:,.0f} events/s",
        "redis_bytes_per_customer": "{:,.0f} bytes of Redis a customer",
        "sweep_us_per_due": "sweep {:.1f} µs a customer due",
        "commit_ms": "commit p99 {:.0f} ms",
        "alert_latency_ms": "event to alert p99 {:.0f} ms",
    }
    found = {name: figures[name] for name in templates if figures[name] is not None}
    plain = {name: value["p99"] if isinstance(value, dict) else value for name, value in found.items()}
    return [templates[name].format(value) for name, value in plain.items()]


if __name__ == "__main__":
    main()
