"""What each fault does. A fault is an injection, a time or a condition for how long, and its end.

`FAULTS[kind](system, fault)` begins it and returns how to end it; the end waits for what the fault needs to have happened.
Every one of them is over when the end returns: the system must come back by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped] # kafka-python ships no types

from streams.runtime.kafka_client import admin_client
from streams.runtime.redis_wire import Script
from streams.runtime.topics import ALERTS
from tests.chaos.schedule import KINDS, Fault
from tests.chaos.stages import ClusterRedis, Pulses, SingleRedis
from tests.chaos.system import PARTITIONS, System
from tests.support.broker_trio import BrokerTrio
from tests.support.brokers import KafkaBroker
from tests.support.workers import WorkerProcess

End = Callable[[], None]
MOST_WORKERS, LEAST_WORKERS = 3, 2
BACKLOG = 120
"""Events that a worker to be frozen must have before it."""
WAITING = 40
"""Messages that must wait while their topic takes none."""
USUAL_MAX_BYTES = 1_048_588
CLAIMING = ("read meta", "take_epoch")
"""Calls of Redis that an assignment begins with."""
JUMPS_S = (30 * 86_400, -30 * 86_400, 7_200, -7_200)
COMMIT = Script("commit").sha


def _victim(system: System, fault: Fault) -> WorkerProcess:
    """One of those that own something, once every partition is owned and no rebalance is under way."""
    system.until(system.settled, "every partition is owned, and every worker ready")
    owning = [worker for worker in system.fleet.running() if worker is not system.spared and worker.owned()]
    return owning[fault.pick % len(owning)]


def _nothing() -> None:
    """The fault is over already."""


def worker_sigkill(system: System, fault: Fault) -> End:
    """SIGKILL, and another one in its place."""
    _victim(system, fault).kill()
    system.fleet.start()
    return _nothing


def worker_sigterm(system: System, fault: Fault) -> End:
    """SIGTERM: it must end in order, and another one takes its place."""
    victim = _victim(system, fault)
    victim.ask_to_stop()
    system.fleet.start()
    return lambda: _ended_in_order(victim)


def worker_joins(system: System, _fault: Fault) -> End:
    """One more."""
    system.fleet.start()
    return _nothing


def worker_leaves(system: System, fault: Fault) -> End:
    """One less, in order."""
    victim = _victim(system, fault)
    victim.ask_to_stop()
    return lambda: _ended_in_order(victim)


def _ended_in_order(worker: WorkerProcess) -> None:
    code = worker.wait()
    assert code == 0, f"{worker.name} ended with {code} after SIGTERM"


def worker_zombie(system: System, fault: Fault) -> End:
    """SIGSTOP until the others have taken all it had, then SIGCONT: it goes on where it was, and must write nothing.

    It is frozen while it waits for Redis with a commit under way and events in hand, or it would have nothing to write.
    """
    victim = _victim(system, fault)
    system.redis.freeze()
    try:
        system.go_on()
        system.until(lambda: victim.metric("churnwatch_lag_events") >= BACKLOG, "events wait in the one to be frozen")
    finally:
        victim.freeze()
        system.redis.thaw()
    return lambda: _thaw_once_replaced(system, victim)


def worker_frozen_in_assignment(system: System, fault: Fault) -> End:
    """A worker is frozen inside an assignment that it has not carried out, since Redis does not answer, until others have all."""
    victim = _victim(system, fault)
    if len(system.fleet.running()) >= MOST_WORKERS:
        next(worker for worker in system.fleet.running() if worker is not victim).kill()
    claims = _claims(victim)
    system.redis.freeze()
    try:
        system.fleet.start()
        system.until(lambda: _claims(victim) > claims, "it asks Redis for what it was assigned")
    finally:
        victim.freeze()
        system.redis.thaw()
    return lambda: _thaw_once_replaced(system, victim)


def _claims(worker: WorkerProcess) -> int:
    """How often it has asked Redis in vain for what an assignment needs."""
    return sum(entry.get("event") == "trying again" and entry.get("operation") in CLAIMING for entry in worker.entries())


def _thaw_once_replaced(system: System, victim: WorkerProcess) -> None:
    try:
        system.until(lambda: system.owned() == PARTITIONS, f"the others own all that {victim.name} had")
        seqs = [meta.seq for meta in system.metas()]
        system.until(lambda: system.going_on_from(seqs), f"the others write all that {victim.name} had")
    finally:
        victim.thaw()


def broker_restart(system: System, _fault: Fault) -> End:
    """SIGKILL of the only broker; it comes back with its data."""
    broker = system.brokers
    assert isinstance(broker, KafkaBroker)
    broker.kill()
    return broker.start


def broker_lost(system: System, fault: Fault) -> End:
    """SIGKILL of one broker of three; the two others go on."""
    trio, node = system.brokers, fault.pick % 3
    assert isinstance(trio, BrokerTrio)
    trio.kill(node)
    return lambda: trio.start(node)


def broker_slow(system: System, _fault: Fault) -> End:
    """The broker answers for a fifth of the time only, so that producers are faster than it."""
    return Pulses(system.brokers).end


def redis_sigkill(system: System, _fault: Fault) -> End:
    """SIGKILL of Redis, or of one node of the cluster; it comes back with its append-only file."""
    system.redis.kill()
    return system.redis.start


def redis_unreachable(system: System, _fault: Fault) -> End:
    """Nothing that is said to Redis arrives, and no connection breaks."""
    system_redis = _single(system)
    system_redis.wire.silence()
    return system_redis.wire.mend


def redis_failover(system: System, _fault: Fault) -> End:
    """The replica is cut off until commits were made that it lacks, then the primary dies and the replica takes over."""
    redis = _single(system)
    cut = [meta.seq for meta in system.metas()]
    redis.cut_off_replica()

    def take_over() -> None:
        system.until(lambda: system.any_beyond(cut), "commits that the replica lacks")
        had = [meta.seq for meta in system.metas()]
        redis.promote()
        assert any(meta.seq < seq for meta, seq in zip(system.metas(), had, strict=True)), "the replica lacked nothing"
        redis.lead()

    return take_over


def redis_slots_move(system: System, _fault: Fault) -> End:
    """Every partition's slot moves to another node, while new customers come, until a worker has met a slot half way."""
    redis = system.redis
    assert isinstance(redis, ClusterRedis)

    def moved() -> bool:
        before = redis.servers.redirections()
        _moved(redis.move_slots(len(system.metas()), keys_at_a_time=5))
        return redis.servers.redirections() > before

    def until_met() -> None:
        system.until(moved, "a worker has met a slot that moves")

    return until_met


def _moved(keys: int) -> None:
    assert keys > 0, "slots were moved, and there was nothing in them"


def commit_reply_lost(system: System, fault: Fault) -> End:
    """Commits are applied, and their answers never arrive."""
    wire, many = _single(system).wire, 3 + fault.pick % 5
    before = wire.lost_answers
    wire.lose_answers(many, COMMIT)

    def all_lost() -> None:
        system.until(lambda: wire.lost_answers >= before + many, f"{many} answers to commits are lost")

    return all_lost


def _single(system: System) -> SingleRedis:
    assert isinstance(system.redis, SingleRedis)
    return system.redis


def outbox_target_down(system: System, _fault: Fault) -> End:
    """The topic of alerts takes nothing: every message is too long for it."""
    _longest_message(system, 100)

    def take_again() -> None:
        try:
            system.until(lambda: system.waiting() >= WAITING, "messages wait in the outbox")
        finally:
            _longest_message(system, USUAL_MAX_BYTES)

    return take_again


def _longest_message(system: System, nbytes: int) -> None:
    resource = ConfigResource(ConfigResourceType.TOPIC, system.prefix + ALERTS, configs={"max.message.bytes": str(nbytes)})

    def set_it() -> bool:
        with admin_client(system.settings) as admin:
            admin.alter_configs([resource])
        return True

    system.until(set_it, "the topic of alerts is set")


def clock_jump(system: System, fault: Fault) -> End:
    """Every worker's wall clock jumps, and jumps back."""
    clock = system.host_clock
    assert clock is not None, "workers run without libfaketime"
    clock.set_wrong(JUMPS_S[fault.pick % len(JUMPS_S)])
    return lambda: clock.set_wrong(0)


def producer_storm(_system: System, _fault: Fault) -> End:
    """Producers send everything twice and out of order for some days; that is in the load's plan."""
    return _nothing


FAULTS: Mapping[str, Callable[[System, Fault], End]] = {name: globals()[name] for name in KINDS}


NEEDS = {"outbox": 1, "worker": 2}
"""What must be back before a fault's end can be waited for: servers come first, then what shows in them, then workers."""


def happen(system: System, faults: tuple[Fault, ...]) -> None:
    """All of a step: begun one after the other, each ended when its time is over; returns when all are over.

    Whatever goes wrong, every fault that was begun is ended: the next schedule plays on the same brokers.
    """
    begun: list[tuple[int, float, End]] = []
    with ExitStack() as ending:
        # workers first: their victim is chosen among those that are well
        for fault in sorted(faults, key=lambda fault: KINDS[fault.kind].target != "worker"):
            kind = _possible(system, fault.kind)
            needs = 1 if kind == "commit_reply_lost" else NEEDS.get(KINDS[kind].target, 0)
            begun.append((needs, time.monotonic() + fault.hold_s, FAULTS[kind](system, fault)))
            system.happened.append(kind)
            # left in the opposite order, so the last of these is ended first
            ending.pop_all()
            for _, at_s, end in sorted(begun, key=lambda one: one[:2], reverse=True):
                ending.callback(_end, system, at_s, end)


def _possible(system: System, kind: str) -> str:
    """With as many workers as there may be none joins, but one leaves; with as few, one that leaves is replaced."""
    workers = len(system.fleet.running())
    if kind == "worker_joins" and workers >= MOST_WORKERS:
        return "worker_leaves"
    return "worker_sigterm" if kind == "worker_leaves" and workers <= LEAST_WORKERS else kind


def _end(system: System, at_s: float, end: End) -> None:
    try:
        wait_s = at_s - time.monotonic()
        if wait_s > 0:
            system.pause(wait_s)
    finally:
        end()
