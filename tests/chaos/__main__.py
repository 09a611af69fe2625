"""`make chaos`: schedules of faults on real servers, and a checker that goes by the log.

python -m tests.chaos --seeds 20                # seeds 1 to 20
python -m tests.chaos --seed 7                  # one of them again
python -m tests.chaos --seed 7 --kinds worker_zombie,redis_sigkill --stage plain
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.chaos import report
from tests.chaos.run import play
from tests.chaos.schedule import KINDS, STAGES, Schedule, schedule
from tests.chaos.stages import BrokerPark

OUT = Path(__file__).parent / "out"


def main(arguments: list[str]) -> int:
    """Play them; 0 only if every one was right."""
    options = _options(arguments)
    console = Console(stderr=True)
    out = Path(options.out)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    seeds = [options.seed] if options.seed is not None else options.only or list(range(1, options.seeds + 1))
    result = _in_jobs(seeds, options.jobs, out) if options.jobs > 1 else _in_turn(seeds, options, out, console)
    (out / "chaos.json").write_text(report.dumps(result))
    (out / "table.md").write_text(report.table(result))
    if not options.keep and report.right(result):
        for folder in (*out.glob("seed-*"), *out.glob("job-*")):
            shutil.rmtree(folder)
    _tell(console, result)
    if options.json:
        sys.stdout.write(report.dumps(result))
    return 0 if report.right(result) else 1


def _in_turn(seeds: list[int], options: argparse.Namespace, out: Path, console: Console) -> dict[str, Any]:
    """One after the other, on the same brokers."""
    kinds = options.kinds.split(",") if options.kinds else None
    runs: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    with BrokerPark(out / "brokers") as park:
        for seed in seeds:
            _play(schedule(seed, kinds, options.stage), park, out, console, runs, failed)
            (out / "chaos.json").write_text(report.dumps(report.summed(runs, failed)))
    shutil.rmtree(out / "brokers", ignore_errors=True)
    return report.summed(runs, failed)


def _in_jobs(seeds: list[int], jobs: int, out: Path) -> dict[str, Any]:
    """So many at the same time, each with brokers of its own."""
    running = []
    for job in range(jobs):
        folder = out / f"job-{job}"
        mine = ",".join(map(str, seeds[job::jobs]))
        command = [sys.executable, "-m", "tests.chaos", "--only", mine, "--out", str(folder), "--keep"]
        running.append((folder, subprocess.Popen(command)))
    runs, failed = [], []
    for folder, process in running:
        process.wait()
        told = json.loads((folder / "chaos.json").read_text())
        runs += told["runs"]
        failed += told["failed"]
    return report.summed(runs, failed)


def _play(
    one: Schedule, park: BrokerPark, out: Path, console: Console, runs: list[dict[str, Any]], failed: list[dict[str, Any]]
) -> None:
    console.print(f"[bold]{one}[/]")
    folder = out / f"seed-{one.seed}"
    folder.mkdir()
    try:
        with console.status("beginning") as status:
            done = play(one, park, folder, lambda text: status.update(text))
    except Exception as problem:  # noqa: BLE001 - the other schedules are played all the same
        failed.append({"seed": one.seed, "why": f"{type(problem).__name__}: {problem}"[:2000]})
        (folder / "failure.txt").write_text(traceback.format_exc())
        console.print(f"  [red]seed {one.seed} did not come to its end[/]: {(str(problem) or repr(problem)).splitlines()[0]}")
        return
    runs.append(report.one_run(done))
    verdict = done.verdict
    colour, word = ("green", "right") if verdict.right else ("red", "WRONG")
    console.print(
        f"  [{colour}]seed {one.seed} {word}[/]: {verdict.events} events, {len(verdict.lost)} lost, {len(verdict.twice)} twice; "
        f"{verdict.alerts_expected} alerts, {len(verdict.alerts_missing)} missing, {len(verdict.alerts_unexpected)} unexpected, "
        f"{len(verdict.alerts_differing)} differing, {verdict.repeats} sent again; {done.took_s:.0f} s, "
        f"recovery {', '.join(f'{s:.0f}' for s in done.recover_s)} s"
    )


def _tell(console: Console, result: dict[str, Any]) -> None:
    table = Table("", "number", title="chaos")
    for name in (
        "schedules",
        "events",
        "lost",
        "twice",
        "alerts_expected",
        "alerts_missing",
        "alerts_unexpected",
        "labels_expected",
        "labels_missing",
        "labels_unexpected",
        "strange",
    ):
        table.add_row(name.replace("_", " "), str(result[name]))
    table.add_row("did not end", str(len(result["failed"])))
    console.print(table)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="chaos", description="Play schedules of faults on real Kafka and Redis, and check the log."
    )
    parser.add_argument("--seeds", type=int, default=5, help="play seeds 1 to this")
    parser.add_argument("--seed", type=int, help="play this one only")
    parser.add_argument(
        "--kinds", help=f"with --seed: these faults instead of the seed's own, separated by commas: {', '.join(KINDS)}"
    )
    parser.add_argument("--only", type=_seeds, help="play these, separated by commas")
    parser.add_argument("--jobs", type=int, default=1, help="how many at the same time")
    parser.add_argument("--stage", choices=STAGES, help="with --seed: instead of the seed's own")
    parser.add_argument("--out", default=str(OUT), help="folder for chaos.json, table.md and the logs of what went wrong")
    parser.add_argument("--keep", action="store_true", help="keep all logs")
    parser.add_argument("--json", action="store_true", help="print the report as JSON, too")
    options = parser.parse_args(arguments)
    unknown = set((options.kinds or "").split(",")) - {""} - set(KINDS)
    if unknown:
        parser.error(f"--kinds: {', '.join(sorted(unknown))}: no such fault; there are {', '.join(KINDS)}")
    return options


def _seeds(text: str) -> list[int]:
    return [int(seed) for seed in text.split(",")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
