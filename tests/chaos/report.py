"""What a chaos run found: as JSON for machines, as a table for docs/reliability.md."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.chaos.run import Played
from tests.chaos.schedule import KINDS

SUMS = (
    "events",
    "lost",
    "twice",
    "alerts_expected",
    "alerts_missing",
    "alerts_unexpected",
    "alerts_differing",
    "labels_expected",
    "labels_missing",
    "labels_unexpected",
    "labels_differing",
    "strange",
)


def one_run(one: Played) -> dict[str, Any]:
    """A schedule and what came of it. `faults`: what was done; `wrong`: the first of what is wrong, by kind."""
    verdict = one.verdict
    lists = (
        "lost",
        "twice",
        "strange",
        "alerts_missing",
        "alerts_unexpected",
        "alerts_differing",
        "labels_missing",
        "labels_unexpected",
        "labels_differing",
        "problems",
    )
    wrong = {name: getattr(verdict, name) for name in lists}
    return {
        "seed": one.schedule.seed,
        "stage": one.schedule.stage,
        "schedule": str(one.schedule),
        "faults": one.happened,
        "right": verdict.right and bool(verdict.events and verdict.alerts_expected and verdict.labels_expected),
        "took_s": round(one.took_s, 1),
        "recover_s": one.recover_s,
        "restarts": one.restarts,
        "events": verdict.events,
        "alerts_expected": verdict.alerts_expected,
        "labels_expected": verdict.labels_expected,
        "repeats": verdict.repeats,
        **{name: len(wrong[name]) for name in lists if name not in ("strange", "problems")},
        "strange": len(verdict.strange) + len(verdict.problems),
        "wrong": {name: found[:20] for name, found in wrong.items() if found},
    }


def summed(runs: Sequence[dict[str, Any]], failed: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sums that decide, and every run by itself.

    failed   seed and why, of schedules that did not come to their end
    """
    ordered = sorted(runs, key=lambda run: run["seed"])
    return {
        "schedules": len(runs) + len(failed),
        "faults": dict(sorted(Counter(kind for run in ordered for kind in run["faults"]).items())),
        **{name: sum(run[name] for run in ordered) for name in SUMS},
        "failed": list(failed),
        "runs": ordered,
    }


def right(report: dict[str, Any]) -> bool:
    """Whether every promise was kept in every schedule, and there was something to keep."""
    return bool(report["runs"]) and not report["failed"] and all(run["right"] for run in report["runs"])


def table(report: dict[str, Any]) -> str:
    """Faults by seeds, in Markdown: how often each happened, and in the last rows what came of it."""
    runs = report["runs"]
    rows = [["fault", *(str(run["seed"]) for run in runs)], ["---", *("---" for _ in runs)]]
    for kind in KINDS:
        times = [run["faults"].count(kind) for run in runs]
        if any(times):
            rows.append([kind.replace("_", " "), *(str(n or "") for n in times)])
    for title, name in (
        ("stage", "stage"),
        ("events", "events"),
        ("alerts due", "alerts_expected"),
        ("labels due", "labels_expected"),
        ("sent again", "repeats"),
    ):
        rows.append([title, *(str(run[name]) for run in runs)])
    rows.append(["workers that gave up", *(str(run["restarts"] or "") for run in runs)])
    rows.append(["longest recovery, s", *(f"{max(run['recover_s']):.0f}" for run in runs)])
    rows.append(["right", *("yes" if run["right"] else "**no**" for run in runs)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def dumps(report: dict[str, Any]) -> str:
    """As the file is written."""
    return json.dumps(report, indent=1) + "\n"
