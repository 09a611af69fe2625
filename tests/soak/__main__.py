"""`make soak`: a steady rate with faults for as long as asked. Memory, handles and lag must stay flat, every count exact.

python -m tests.soak --minutes 30 --out tests/soak/out
"""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import sys
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console

from streams.customer import read_records
from tests.chaos.checker import Counted
from tests.chaos.faults import happen
from tests.chaos.load import Load
from tests.chaos.plan import Plan
from tests.chaos.schedule import KINDS, Fault
from tests.chaos.stages import BrokerPark, redis_of
from tests.chaos.system import PARTITIONS, System
from tests.soak.flat import comes_down, trend
from tests.soak.measure import Meter
from tests.soak.steady import SteadyDays
from tests.support.workers import Fleet

DAY_S = 0.5
FAULT_EVERY_S = 45.0
FAULTS = ("worker_sigkill", "redis_sigkill", "worker_zombie", "broker_restart", "commit_reply_lost", "redis_unreachable",
          "worker_sigterm", "outbox_target_down", "broker_slow")  # fmt: skip
CALM_AT_END_S = 60.0
BOUNDS = {"worker_rss_bytes": (0.05, 8e6), "worker_fds": (0.0, 4.0), "redis_bytes": (0.05, 2e6)}
"""Share and least amount by which each may have grown after the warm-up."""


def main(arguments: list[str]) -> int:
    """0 only if all stayed flat and every event counted once."""
    options = _options(arguments)
    out, console = Path(options.out), Console(stderr=True)
    shutil.rmtree(out, ignore_errors=True)
    (out / "logs").mkdir(parents=True)
    days = SteadyDays(options.seed, int(options.minutes * 60 / DAY_S), options.customers, int(options.rate * DAY_S), PARTITIONS)
    with BrokerPark(out / "brokers") as park, redis_of("plain", out / "redis") as redis:
        system = System(park.single(), redis, f"soak-{secrets.token_hex(3)}.", 1, CHURNWATCH_ENGINE__MAX_ROWS="5000")
        with (
            Fleet(system.environment, out / "logs", supervised=True) as system.fleet,
            Load(
                Plan(days, 0, days.first_ms), park.single().bootstrap, system.prefix, PARTITIONS, DAY_S, run_on_days=0
            ) as system.load,
        ):
            samples, faults = _soak(system, options, console)
            codes = system.fleet.stop()
        wrong = _wrong(system, days)
    report = _report(options, samples, faults, wrong, codes)
    (out / "soak.json").write_text(json.dumps(report | {"samples": samples}) + "\n")
    for folder in ("brokers", "redis"):
        shutil.rmtree(out / folder, ignore_errors=True)
    console.print_json(json.dumps(report))
    return 0 if report["right"] else 1


def _soak(system: System, options: argparse.Namespace, console: Console) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    chance, faults = Random(f"churnwatch soak {options.seed}"), []
    system.spared = system.fleet.start()
    system.fleet.start()
    system.until(lambda: system.owned() == PARTITIONS, "every partition is owned")
    system.load.go_on_until(system.load.days)
    end_s = options.minutes * 60 - CALM_AT_END_S
    with Meter(system, system.spared) as meter, console.status("soaking") as status:
        while meter.now_s + FAULT_EVERY_S < end_s:
            system.pause(FAULT_EVERY_S)
            kind = FAULTS[len(faults) % len(FAULTS)]
            fault = Fault(kind, round(chance.uniform(*KINDS[kind].hold_s), 1), chance.randrange(1_000_000))
            begun_s = meter.now_s
            status.update(f"{meter.now_s:.0f} s, day {system.load.day}: {kind}")
            happen(system, (fault,))
            faults.append({"kind": kind, "at_s": round(begun_s, 1), "until_s": round(meter.now_s, 1)})
        minutes_s = options.minutes * 60 + 300
        system.until(lambda: system.load.reached(system.load.days), "all days are written", minutes_s)
        system.until(system.caught_up, "all is committed, and every message has left", 300)
    return meter.samples, faults


def _wrong(system: System, days: SteadyDays) -> list[str]:
    """Customers whose counts are not those of what was sent, with both."""
    wrong: list[str] = []
    expected, found = days.totals(), system.rows(wrong)
    wrong += [f"{customer}: in Redis, and never sent" for customer in found.keys() - expected.keys()]
    for customer, sums in expected.items():
        row = None if customer not in found else read_records([found[customer]])[0]
        have = {name: 0 if row is None else int(row[name]) for name in Counted.__dataclass_fields__}
        if have != {name: sums[name] for name in have}:
            wrong.append(f"{customer}: {have}, sent were {dict(sums)}")
    return wrong


def _report(
    options: argparse.Namespace, samples: list[dict[str, Any]], faults: list[dict[str, Any]], wrong: list[str], codes: list[int]
) -> dict[str, Any]:
    trends: dict[str, Any] = {}
    for name, (share, least) in BOUNDS.items():
        known = [(sample["at_s"], sample[name]) for sample in samples if sample[name] is not None]
        found = trend(*zip(*known, strict=True))
        trends[name] = {"level": found.level, "grown": found.grown, "flat": found.flat(share, least)}
    lags = [sample["lag_events"] for sample in samples if sample["lag_events"] is not None]
    lag_down, whole = comes_down(lags, 2 * options.rate), samples[-1]["at_s"] >= options.minutes * 60 - CALM_AT_END_S
    events = int(options.rate * DAY_S) * int(options.minutes * 60 / DAY_S)
    took_s = next(sample["at_s"] for sample in samples if sample["day"] >= samples[-1]["day"])
    right = not wrong and lag_down and whole and all(one["flat"] for one in trends.values()) and set(codes) == {0}
    return {
        "right": right, "minutes": options.minutes, "events_per_s": round(events / took_s), "events": events,
        "seed": options.seed, "customers": options.customers, "faults": faults, "trends": trends, "lag_comes_down": lag_down,
        "customers_miscounted": len(wrong), "wrong": wrong[:20], "exit_codes": codes,
    }  # fmt: skip


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak", description="A steady rate with faults on real Kafka and Redis.")
    parser.add_argument("--minutes", type=float, default=30.0, help="for so long")
    parser.add_argument("--rate", type=int, default=800, help="events a second")
    parser.add_argument("--customers", type=int, default=4000, help="how many there are")
    parser.add_argument("--seed", type=int, default=1, help="of events and faults")
    parser.add_argument("--out", default=str(Path(__file__).parent / "out"), help="folder for soak.json and the workers' logs")
    options = parser.parse_args(arguments)
    if options.minutes < 5:
        parser.error(f"--minutes {options.minutes:g}: less than 5 minutes say nothing about growth; give 5 or more")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
