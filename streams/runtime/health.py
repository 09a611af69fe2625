"""Is the worker alive, and is it ready? The judgement, apart from how it is asked and served.

Alive: what a restart would mend is not broken. Ready: events that arrive now become alerts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Check:
    """One question, its answer, and why."""

    name: str
    ok: bool
    reason: str


@dataclass(frozen=True, slots=True)
class HealthReport:
    """All answers; good only if each is."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """{"ok": …, "checks": {name: {"ok": …, "reason": …}}}, for JSON."""
        return {"ok": self.ok, "checks": {check.name: {"ok": check.ok, "reason": check.reason} for check in self.checks}}


class Waiting(NamedTuple):
    """A call that has no good answer yet: for how long, and what went wrong last, "" if nothing did."""

    for_s: float
    operation: str
    why: str


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What the worker knows about itself now.

    joined             the consumer group has given an assignment, even an empty one, and no rebalance is under way
    assigned           partitions the group gave us
    owned              of these, the ones whose epoch is taken and whose task runs
    dead               partition → why its task ended without being asked to
    aside              partition → why it is set aside: what Redis holds of it is damaged, and no restart would mend that
    unpublished_s      partition → since when none of its waiting messages has been acknowledged, s; no entry: nothing waits
    uncommitted_s      partition → since when a commit has been due that has not come about, s
    waiting            "redis", "broker" → the oldest call to it that is under way
    """

    joined: bool
    assigned: frozenset[int] = frozenset()
    owned: frozenset[int] = frozenset()
    dead: Mapping[int, str] = field(default_factory=dict)
    aside: Mapping[int, str] = field(default_factory=dict)
    unpublished_s: Mapping[int, float] = field(default_factory=dict)
    uncommitted_s: Mapping[int, float] = field(default_factory=dict)
    waiting: Mapping[str, Waiting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What asking a server brought: how long it took, s, or what went wrong."""

    took_s: float
    failure: str | None = None


def liveness(state: WorkerState) -> HealthReport:
    """No partition's task is dead. That the event loop turns is shown by there being an answer at all."""
    dead = "; ".join(f"partition {partition}: {why}" for partition, why in sorted(state.dead.items()))
    return HealthReport((Check("event_loop", True, "answers"), Check("partition_tasks", not dead, dead or "all run")))


def readiness(state: WorkerState, redis: Answer | None, broker: Answer, *, limit_s: float, stuck_after_s: float) -> HealthReport:
    """Assigned, every assigned partition taken, Redis and broker answer and do their work, nothing stuck in or on its way out.

    redis, broker   what asking them now brought; no Redis: there is nothing to ask it
    limit_s         longest good answer, s; a call that is under way for twice as long is waited for
    stuck_after_s   time without progress from which a partition counts as stuck, s
    """
    asked = [] if redis is None else [_answered("redis", redis, limit_s, state.waiting.get("redis"))]
    return HealthReport(
        (
            _assignment(state),
            _epochs(state),
            *asked,
            _answered("broker", broker, limit_s, state.waiting.get("broker")),
            _commits(state, stuck_after_s),
            _outbox(state, stuck_after_s),
            _tasks(state),
        )
    )


def _tasks(state: WorkerState) -> Check:
    if state.dead:
        return Check("partition_tasks", False, f"dead: {_numbers(state.dead)}")
    if state.aside:
        return Check("partition_tasks", False, f"set aside, the log says why: {_numbers(state.aside)}")
    return Check("partition_tasks", True, "all run")


def _assignment(state: WorkerState) -> Check:
    if not state.joined:
        return Check("assignment", False, "waiting for the consumer group; a rebalance is under way")
    spare = "; more workers than partitions, so this one stands by" if not state.assigned else ""
    return Check("assignment", True, f"{len(state.assigned)} partitions assigned{spare}")


def _epochs(state: WorkerState) -> Check:
    missing = state.assigned - state.owned - state.aside.keys()
    if missing:
        return Check("epochs", False, f"not taken yet, or lost to another worker: {_numbers(missing)}")
    return Check("epochs", True, f"{len(state.assigned)} taken")


def _answered(name: str, answer: Answer, limit_s: float, waiting: Waiting | None) -> Check:
    if waiting is not None and waiting.for_s > 2 * limit_s:
        why = f": {waiting.why}" if waiting.why else ""
        return Check(name, False, f"waiting for {waiting.for_s:.0f} s ({waiting.operation}){why}")
    if answer.failure is not None:
        return Check(name, False, answer.failure)
    within = answer.took_s <= limit_s
    return Check(name, within, f"answered in {answer.took_s * 1000:.0f} ms" + ("" if within else f", more than {limit_s:g} s"))


def _commits(state: WorkerState, stuck_after_s: float) -> Check:
    stuck = {partition: age_s for partition, age_s in state.uncommitted_s.items() if age_s > stuck_after_s}
    return Check("commits", not stuck, f"none comes about in {_ages(stuck)}" if stuck else "go on")


def _outbox(state: WorkerState, stuck_after_s: float) -> Check:
    stuck = {partition: age_s for partition, age_s in state.unpublished_s.items() if age_s > stuck_after_s}
    if not stuck:
        return Check("outbox", True, "moves")
    return Check("outbox", False, f"Kafka has acknowledged nothing of {_ages(stuck)}")


def _ages(stuck: Mapping[int, float]) -> str:
    return ", ".join(f"partition {partition} for {age_s:.0f} s" for partition, age_s in sorted(stuck.items()))


def _numbers(partitions: frozenset[int] | Mapping[int, str]) -> str:
    return ", ".join(map(str, sorted(partitions)))
