"""soak.json as a picture: `python -m tests.soak.picture soak.json soak.png`, in the environment that has matplotlib."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SERIES = (
    ("worker_rss_bytes", "memory of the worker that is never killed, MB", 1e6),
    ("redis_bytes", "memory of Redis, MB", 1e6),
    ("worker_fds", "file handles of that worker", 1.0),
    ("lag_events", "events waiting (lag), all workers", 1.0),
)


def main() -> None:
    """Read the one file, write the other."""
    source, target = map(Path, sys.argv[1:])
    draw(json.loads(source.read_text("utf-8")), target)


def draw(report: dict[str, Any], target: Path) -> None:
    """Each series by time, with the faults behind it."""
    import matplotlib  # type: ignore[import-not-found] # it lives in .venv-peers, and the tests collect this module without it

    matplotlib.use("Agg")
    from matplotlib import pyplot  # after the choice of what draws

    figure, every = pyplot.subplots(len(SERIES), 1, figsize=(11, 9.5), sharex=True)
    for axes, (name, title, unit) in zip(every, SERIES, strict=True):
        known = [(sample["at_s"] / 60, sample[name] / unit) for sample in report["samples"] if sample[name] is not None]
        axes.plot(*zip(*known, strict=True), color="#1b6ca8", linewidth=1)
        axes.set_title(title + _trend(report, name, unit), fontsize=9.5, loc="left")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.25)
        for fault in report["faults"]:
            axes.axvspan(
                fault["at_s"] / 60, max(fault["until_s"], fault["at_s"] + 2) / 60, color="#d9822b", alpha=0.25, linewidth=0
            )
    for fault in report["faults"]:
        every[0].annotate(
            fault["kind"].replace("_", " "),
            (fault["at_s"] / 60, every[0].get_ylim()[1] * 0.03),
            rotation=90,
            fontsize=5.5,
            color="#8a4b08",
        )
    every[-1].set_xlabel("minutes; faults are shaded")
    figure.suptitle(
        f"{report['events']:,} events at {report['events_per_s']}/s, {len(report['faults'])} faults, "
        f"{report['customers_miscounted']} customers miscounted",
        fontsize=12,
    )
    figure.tight_layout()
    figure.savefig(target, dpi=110)


def _trend(report: dict[str, Any], name: str, unit: float) -> str:
    found = report["trends"].get(name)
    return (
        "" if found is None else f": {found['level'] / unit:,.1f}, grown by {found['grown'] / unit:+,.2f} after the first third"
    )


if __name__ == "__main__":
    main()
