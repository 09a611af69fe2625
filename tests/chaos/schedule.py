"""What goes wrong, when and for how long: drawn from a seed, so that a run can be had again.

    schedule(7)   # the same for ever, on every machine

Each schedule plays on one stage (which servers there are) and has steps; the faults of one step happen together. Times are
days of the load, not seconds, so that a slow machine meets the same faults at the same events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

Target = Literal["worker", "redis", "broker", "outbox", "clock", "producer"]
Stage = Literal["plain", "brokers", "replica", "cluster"]

STAGES: tuple[Stage, ...] = ("plain", "brokers", "replica", "cluster")
"""plain: one broker, one Redis; brokers: three of them, replication 3, min.insync 2; replica: Redis with a replica;
cluster: three Redis masters."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    target     what it happens to; two faults of one step have different ones
    stages     where it can happen
    hold_s     how long it lasts, from and to; 0: it is over at once, or when a condition says so
    long_s     how long in a schedule that is a long one; None: no longer than else
    """

    target: Target
    stages: tuple[Stage, ...] = STAGES
    hold_s: tuple[float, float] = (0.0, 0.0)
    long_s: float | None = None


NO_CLUSTER: tuple[Stage, ...] = ("plain", "brokers", "replica")
ONE_BROKER: tuple[Stage, ...] = ("plain", "replica", "cluster")

KINDS: Mapping[str, Kind] = {
    "worker_sigkill": Kind("worker"),
    "worker_sigterm": Kind("worker"),
    "worker_zombie": Kind("worker"),
    "worker_frozen_in_assignment": Kind("worker"),
    "worker_joins": Kind("worker"),
    "worker_leaves": Kind("worker"),
    "broker_restart": Kind("broker", ONE_BROKER, (0.0, 3.0)),
    "broker_lost": Kind("broker", ("brokers",), (5.0, 12.0)),
    "broker_slow": Kind("broker", hold_s=(5.0, 10.0)),
    "redis_sigkill": Kind("redis", hold_s=(0.0, 3.0)),
    "redis_unreachable": Kind("redis", NO_CLUSTER, (4.0, 12.0), 60.0),
    "redis_failover": Kind("redis", ("replica",), (0.5, 2.0)),
    "redis_slots_move": Kind("redis", ("cluster",)),
    "commit_reply_lost": Kind("redis", NO_CLUSTER),
    "outbox_target_down": Kind("outbox", hold_s=(5.0, 12.0), long_s=120.0),
    "clock_jump": Kind("clock", hold_s=(2.0, 5.0)),
    "producer_storm": Kind("producer"),
}
"""By name. What each does is in faults.py."""

SPECIALTY: Mapping[Stage, tuple[str, ...]] = {
    "plain": ("worker_zombie", "commit_reply_lost", "broker_restart", "redis_unreachable"),
    "brokers": ("broker_lost", "outbox_target_down", "worker_frozen_in_assignment"),
    "replica": ("redis_failover", "worker_zombie", "redis_failover"),
    "cluster": ("redis_slots_move", "redis_sigkill", "redis_slots_move"),
}
"""What a stage is there for: always among its faults."""

DAYS = 200
FIRST_DAY, LAST_DAY = 15, 180


@dataclass(frozen=True)
class Fault:
    """One fault. hold_s: as in Kind; pick: a number to choose a victim by."""

    kind: str
    hold_s: float
    pick: int


@dataclass(frozen=True)
class Step:
    """Faults that happen together, when the load has come to this day."""

    day: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Schedule:
    """wait_replicas: as the setting redis.wait_replicas; long: faults that can last a minute or two do."""

    seed: int
    stage: Stage
    wait_replicas: int
    long: bool
    steps: tuple[Step, ...]

    @property
    def faults(self) -> list[Fault]:
        """Of all steps, in order."""
        return [fault for step in self.steps for fault in step.faults]

    def __str__(self) -> str:
        stage = self.stage + (f", wait_replicas {self.wait_replicas}" if self.stage == "replica" else "")
        steps = "; ".join(f"day {step.day} {' + '.join(map(_shown, step.faults))}" for step in self.steps)
        return f"seed {self.seed} on {stage}{', long' if self.long else ''}: {steps}"


def _shown(fault: Fault) -> str:
    return fault.kind + (f" {fault.hold_s:g} s" if fault.hold_s else "")


def schedule(seed: int, kinds: Sequence[str] | None = None, stage: Stage | None = None) -> Schedule:
    """The schedule of a seed: at least five faults, the stage's own among them.

    kinds   these faults instead, one a step, in this order
    stage   instead of the seed's own

    >>> schedule(3) == schedule(3), len(schedule(3).faults) >= 5
    (True, True)
    """
    chance = Random(f"churnwatch chaos {seed}")
    stage = stage or STAGES[seed % len(STAGES)]
    long = seed % 10 == 4
    steps = [[kind] for kind in kinds] if kinds else _steps(chance, stage)
    days = sorted(chance.sample(range(FIRST_DAY, LAST_DAY), len(steps)))
    drawn = tuple(
        Step(day, tuple(_fault(chance, kind, long=long) for kind in together)) for day, together in zip(days, steps, strict=True)
    )
    return Schedule(seed, stage, seed // len(STAGES) % 2 if stage == "replica" else 0, long, drawn)


def _steps(chance: Random, stage: Stage) -> list[list[str]]:
    """The stage's own and some others, in any order; about every third step has two faults at once."""
    others = [kind for kind, about in KINDS.items() if stage in about.stages and kind not in SPECIALTY[stage]]
    kinds = [*SPECIALTY[stage], *chance.sample(others, chance.randint(4, 5))]
    chance.shuffle(kinds)
    steps: list[list[str]] = []
    for kind in kinds:
        free = steps and len(steps[-1]) == 1 and KINDS[steps[-1][0]].target != KINDS[kind].target
        if free and chance.random() < 0.5:
            steps[-1].append(kind)
        else:
            steps.append([kind])
    return steps


def _fault(chance: Random, kind: str, *, long: bool) -> Fault:
    about = KINDS[kind]
    hold_s = round(chance.uniform(*about.hold_s), 1)
    return Fault(kind, about.long_s if long and about.long_s is not None else hold_s, chance.randrange(1_000_000))
