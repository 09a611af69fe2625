"""One schedule, played: the load begins, faults happen as its days pass, and the verdict is taken when all has come to rest."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.checker import Verdict
from tests.chaos.faults import happen
from tests.chaos.load import Load
from tests.chaos.plan import plan
from tests.chaos.schedule import DAYS, Schedule
from tests.chaos.stages import BrokerPark, redis_of
from tests.chaos.system import PARTITIONS, System
from tests.support.eventually import DEADLINE_S
from tests.support.host_clock import HostClock
from tests.support.workers import WORKER, Fleet

CUSTOMERS = 1500
DAY_S = 0.1
STORM_DAYS = 6
END_S, UNSURE_S = 2 * DEADLINE_S, 20.0

Say = Callable[[str], None]


@dataclass
class Played:
    """A schedule and what came of it.

    recover_s   per step: from the end of its faults until every partition has committed again, s
    restarts    workers that ended by themselves with an error, and were started again
    rested      whether all was committed and sent in the end
    happened    kinds of the faults that were begun
    """

    schedule: Schedule
    verdict: Verdict
    took_s: float
    recover_s: list[float] = field(default_factory=list)
    restarts: int = 0
    rested: bool = False
    happened: list[str] = field(default_factory=list)


def play(
    schedule: Schedule,
    park: BrokerPark,
    folder: Path,
    say: Say = lambda _text: None,
    *,
    customers: int = CUSTOMERS,
    day_s: float = DAY_S,
    command: Sequence[str] = WORKER,
    insist: bool = True,
) -> Played:
    """Play it in an empty folder, where the workers' logs stay. AssertionError where the system does not come back by itself.

    day_s     least time between two days of the load
    command   the workers' own
    insist    False: the verdict is taken although the system does not come to rest, as one without a safeguard may not
    """
    begun_s = time.monotonic()
    storms = [step.day for step in schedule.steps if any(fault.kind == "producer_storm" for fault in step.faults)]
    stormy = frozenset(day + k for day in storms for k in range(STORM_DAYS))
    planned = plan(schedule.seed, days=DAYS, customers=customers, partitions=PARTITIONS, storms=stormy)
    brokers = park.of(schedule.stage)
    prefix = f"chaos{schedule.seed}-{secrets.token_hex(3)}."
    with redis_of(schedule.stage, folder / "redis") as redis:
        replication = 3 if schedule.stage == "brokers" else 1
        system = System(brokers, redis, prefix, replication, **_more(schedule))
        if any(fault.kind == "clock_jump" for fault in schedule.faults):
            system.host_clock = HostClock(folder)
            system.environment |= system.host_clock.environment
        played = Played(schedule, Verdict(0), 0.0)
        with (
            Fleet(system.environment, folder, supervised=True, command=command) as system.fleet,
            Load(planned, brokers.bootstrap, prefix, PARTITIONS, day_s) as system.load,
        ):
            _through(system, schedule, played, say)
            with contextlib.nullcontext() if insist else contextlib.suppress(AssertionError):
                _come_to_rest(system, END_S if insist else UNSURE_S)
                played.rested = True
            codes = system.fleet.stop()
            assert set(codes) == {0} or not insist, f"workers ended with {codes}"
            played.restarts, played.happened = system.fleet.restarts, system.happened
        played.verdict = system.verdict()
    if played.verdict.events != planned.events:
        played.verdict.problems.append(f"{played.verdict.events} events in the log, {planned.events} planned")
    played.took_s = time.monotonic() - begun_s
    return played


def _more(schedule: Schedule) -> dict[str, str]:
    return {"CHURNWATCH_REDIS__WAIT_REPLICAS": str(schedule.wait_replicas)} if schedule.wait_replicas else {}


def _through(system: System, schedule: Schedule, played: Played, say: Say) -> None:
    system.fleet.start()
    system.fleet.start()
    system.until(lambda: all(worker.ready() for worker in system.fleet.running()), "two workers are ready")
    for step in schedule.steps:
        system.load.go_on_until(step.day)
        system.until(lambda day=step.day: system.load.reached(day), f"day {step.day} is written", END_S)  # type: ignore[misc] # a lambda's default
        say(f"day {step.day}: {' + '.join(fault.kind for fault in step.faults)}")
        if not any(fault.kind == "worker_zombie" for fault in step.faults):  # which is to meet it with Redis frozen
            system.go_on()
        happen(system, step.faults)
        seqs = [meta.seq for meta in system.metas()]
        played.recover_s.append(round(system.until(lambda seqs=seqs: system.going_on_from(seqs), "every partition goes on"), 1))  # type: ignore[misc] # as above
    system.load.go_on_until(system.load.days)
    system.until(lambda: system.load.reached(system.load.days), "all days are written", END_S)


def _come_to_rest(system: System, deadline_s: float) -> None:
    system.until(system.caught_up, "all that was sent is committed, and every message has left", deadline_s)
    system.until(lambda: all(worker.ready() for worker in system.fleet.running()), "every worker is ready")
