"""What a chaos run found: as JSON for machines, as a table for docs/reliability.md."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.chaos.run import Played
from tests.chaos.schedule import KINDS


def as_json(played: Sequence[Played], failed: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """The sums that decide, and every schedule by itself.

    failed   seed and why, of schedules that did not come to their end
    """
    verdicts = [one.verdict for one in played]
    return {
        "schedules": len(played) + len(failed),
        "faults": dict(sorted(Counter(fault.kind for one in played for fault in one.schedule.faults).items())),
        "events": sum(verdict.events for verdict in verdicts),
        "lost": sum(len(verdict.lost) for verdict in verdicts),
        "twice": sum(len(verdict.twice) for verdict in verdicts),
        "alerts_expected": sum(verdict.alerts_expected for verdict in verdicts),
        "alerts_missing": sum(len(verdict.alerts_missing) for verdict in verdicts),
        "alerts_unexpected": sum(len(verdict.alerts_unexpected) for verdict in verdicts),
        "alerts_differing": sum(len(verdict.alerts_differing) for verdict in verdicts),
        "strange": sum(len(verdict.strange) + len(verdict.problems) for verdict in verdicts),
        "failed": [{"seed": seed, "why": why} for seed, why in failed],
        "runs": [_one(one) for one in played],
    }


def _one(one: Played) -> dict[str, Any]:
    verdict = one.verdict
    return {
        "seed": one.schedule.seed,
        "schedule": str(one.schedule),
        "right": verdict.right,
        "took_s": round(one.took_s, 1),
        "recover_s": one.recover_s,
        "restarts": one.restarts,
        "events": verdict.events,
        "alerts": verdict.alerts_expected,
        "repeats": verdict.repeats,
        "wrong": {
            name: found[:20]
            for name in ("lost", "twice", "strange", "alerts_missing", "alerts_unexpected", "alerts_differing", "problems")
            if (found := getattr(verdict, name))
        },
    }


def right(report: dict[str, Any]) -> bool:
    """Whether every promise was kept in every schedule, and there was something to keep."""
    wrong = ("lost", "twice", "alerts_missing", "alerts_unexpected", "alerts_differing", "strange")
    return (
        bool(report["events"] and report["alerts_expected"]) and not report["failed"] and not any(report[name] for name in wrong)
    )


def table(report: dict[str, Any]) -> str:
    """Faults by seeds, in Markdown: how often each happened, and in the last rows what came of it."""
    runs = report["runs"]
    rows = [["fault", *(str(run["seed"]) for run in runs)], ["---", *("---" for _ in runs)]]
    for kind in KINDS:
        times = [run["schedule"].count(kind) for run in runs]
        if any(times):
            rows.append([kind.replace("_", " "), *(str(n or "") for n in times)])
    rows.append(["stage", *(run["schedule"].split(" on ")[1].split(":")[0].split(",")[0] for run in runs)])
    rows.append(["events", *(str(run["events"]) for run in runs)])
    rows.append(["alerts", *(str(run["alerts"]) for run in runs)])
    rows.append(["sent again", *(str(run["repeats"]) for run in runs)])
    rows.append(["longest recovery, s", *(f"{max(run['recover_s']):.0f}" for run in runs)])
    rows.append(["right", *("yes" if run["right"] else "**no**" for run in runs)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def dumps(report: dict[str, Any]) -> str:
    """As the file is written."""
    return json.dumps(report, indent=1) + "\n"
