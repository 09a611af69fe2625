"""`python -m tests.fuzz`: every target for minutes; `--again FILE` repeats what was found. Ends with 1 if anything failed."""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

import msgspec

from tests.fuzz.run import FOUND, TARGETS, Found, again, fuzz

SLICE_S = 5.0
"""So long each target at a time, one after another."""


def main() -> int:
    arguments = _arguments()
    if arguments.again is not None:
        again(msgspec.json.decode(arguments.again.read_bytes(), type=Found))
        print(f"{arguments.again.name}: passes")  # noqa: T201 # a command
        return 0
    names = arguments.only or list(TARGETS)
    rounds = max(1, round(arguments.minutes * 60 / (SLICE_S * len(names))))
    tried, failed = dict.fromkeys(names, 0), set()
    for at in range(rounds):
        for name in names:
            number = arguments.seed + at * 1_000_000
            count, found = fuzz(name, number, SLICE_S)
            tried[name] += count
            print(f"{name:12} from seed {number}: {tried[name]} inputs", flush=True)  # noqa: T201
            if found is not None and name not in failed:
                failed.add(name)
                _tell(found)
    print(f"{sum(tried.values())} inputs, {len(failed)} of {len(names)} targets failed")  # noqa: T201
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9), help="the first one; by chance by default")
    parser.add_argument("--only", nargs="*", choices=list(TARGETS), help="these targets; all by default")
    parser.add_argument("--again", type=Path, help="a file of tests/fuzz/found")
    return parser.parse_args()


def _tell(found: Found) -> None:
    path = FOUND / found.name
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    print(f"FAILED {found.target} with seed {found.seed}: {found.problem}\n  kept: python -m tests.fuzz --again {path}")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
