"""`python -m benchmarks`: measure, and tell."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from benchmarks.engine import BATCHES
from benchmarks.report import as_json, show
from benchmarks.run import Options, run
from benchmarks.stream import SPAN_DAYS
from tests.support.brokers import KafkaMissing
from tests.support.redis_servers import RedisMissing


def main(args: list[str] | None = None) -> int:
    """Measure what the arguments ask for; the exit code."""
    given = _parser().parse_args(args)
    options = Options(
        events=given.events,
        repeats=given.repeats,
        streams=given.streams,
        batches=tuple(given.batches),
        kind=given.parts,
        engine=given.only in (None, "engine"),
        worker=given.only in (None, "worker"),
    )
    aside = Console(stderr=True)
    try:
        report = run(options, lambda text: aside.print(f"[dim]{text}[/dim]", highlight=False))
    except (KafkaMissing, RedisMissing) as why:
        aside.print(f"benchmarks: {why}")
        return 1
    if given.json:
        sys.stdout.write(as_json(report) + "\n")
    else:
        show(report, Console())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Events/s and CPU per event of engine and worker.")
    parser.add_argument("--events", type=_at_least_one, default=600_000, help="of each stream (default 600000)")
    parser.add_argument("--repeats", type=_at_least_one, default=3, help="of each measurement; medians are told (default 3)")
    parser.add_argument("--streams", nargs="+", choices=SPAN_DAYS, default=list(SPAN_DAYS), help="how lively (default: all)")
    parser.add_argument("--batches", nargs="+", type=_at_least_one, default=BATCHES, help="rows a call of the engine")
    parser.add_argument("--only", choices=("engine", "worker"), help="engine alone, or decoding and the worker; default both")
    parser.add_argument("--parts", choices=("auto", "real", "embedded"), default="auto",
                        help="real: Apache Kafka and Redis; auto: those where they are to be had")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="tell it to a machine")
    return parser


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: give 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
