"""`python -m benchmarks`: measure, and tell."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks.jobs import PEERS_PYTHON, REPO, peers_installed
from benchmarks.report import show
from benchmarks.run import SECTIONS, Options, run
from benchmarks.side_by_side import Say
from benchmarks.stream import SPAN_DAYS
from benchmarks.summary import summary
from tests.support.brokers import KafkaMissing
from tests.support.redis_servers import RedisMissing


def main(args: list[str] | None = None) -> int:
    """Measure what the arguments ask for; the exit code."""
    given = _parser().parse_args(args)
    aside = Console(stderr=True)
    options = _options(given)
    if options.peers and "streams" in options.sections and not peers_installed():
        aside.print("[bold red]Quix Streams is LEFT OUT[/]: no .venv-peers here; `make bench` makes it", highlight=False)
    try:
        with _telling(aside) as say:
            report = run(options, say)
    except (KafkaMissing, RedisMissing) as why:
        aside.print(f"benchmarks: {why}")
        return 1
    figures = json.dumps(summary(report), indent=2)
    if given.json:
        sys.stdout.write(figures + "\n")
    else:
        show(report, Console())
    if given.out is not None:
        _write(given.out, figures, aside)
    return 0


def _options(given: argparse.Namespace) -> Options:
    return Options(
        events=given.events,
        repeats=given.repeats,
        streams=given.streams,
        batches=tuple(given.batches),
        kind=given.parts,
        sections=given.only,
        peers=not given.no_peers,
        nth=given.nth,
        base_customers=given.base_customers,
        none_due=tuple(given.none_due),
        latency_s=given.latency_s,
        latency_events_per_s=given.latency_rate,
        latency_regulars=given.latency_regulars,
    )


@contextmanager
def _telling(console: Console) -> Iterator[Say]:
    """Say what is being done while it is done, and how long it took once it is."""
    doing: list[tuple[str, float]] = []

    with console.status("beginning") as status:

        def say(text: str) -> None:
            tell_last()
            doing.append((text, time.monotonic()))
            status.update(text)

        def tell_last() -> None:
            if doing:
                text, began_s = doing.pop()
                console.print(f"[dim]{time.monotonic() - began_s:6.1f} s  {text}[/dim]", highlight=False)

        yield say
        tell_last()


def _write(folder: Path, figures: str, aside: Console) -> None:
    """bench.json, and bench.png where something draws."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "bench.json"
    target.write_text(figures + "\n", "utf-8")
    aside.print(f"written: {target}")
    if not peers_installed():
        aside.print("[bold red]no picture[/]: what draws it is in .venv-peers; `make bench` makes it", highlight=False)
        return
    picture = folder / "bench.png"
    subprocess.run([PEERS_PYTHON, "-m", "benchmarks.peers.picture", target, picture], cwd=REPO, check=True)
    aside.print(f"written: {picture}")


def _parser() -> argparse.ArgumentParser:
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What churnwatch costs, beside its peers.")
    add = parser.add_argument
    add("--events", type=_at_least_one, default=default.events, help=f"of each stream (default {default.events})")
    add("--repeats", type=_at_least_one, default=default.repeats, help="of each measurement; medians are told (default 3)")
    add("--streams", nargs="+", choices=SPAN_DAYS, default=default.streams, help="how lively (default: all; peers on lively)")
    add("--batches", nargs="+", type=_at_least_one, default=default.batches, help="rows a call of the engine")
    add("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="parts of a run (default: all)")
    add("--no-peers", action="store_true", help="leave out the conventional worker and Quix Streams")
    add("--nth", type=_at_least_one, default=default.nth, help="the conventional one gets every nth customer (default 20)")
    add("--base-customers", type=_at_least_one, default=default.base_customers, help="for bytes of Redis and sweeps")
    add("--none-due", nargs="+", type=_at_least_one, default=default.none_due, help="bases in which a sweep meets nobody")
    add("--latency-s", type=_at_least_one, default=default.latency_s, help="seconds of steady traffic (default 20)")
    add("--latency-rate", type=_at_least_one, default=default.latency_events_per_s, help="events a second (default 5000)")
    add("--latency-regulars", type=_at_least_one, default=default.latency_regulars, help="customers who send them")
    add("--parts", choices=("auto", "real", "embedded"), default=default.kind,
        help="real: Apache Kafka and Redis; auto: those where they are to be had")  # fmt: skip
    add("--json", action="store_true", help="tell it to a machine")
    add("--out", type=Path, default=None, help="folder for bench.json and bench.png (default: none is written)")
    return parser


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: give 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
