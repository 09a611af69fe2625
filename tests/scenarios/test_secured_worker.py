"""Workers behind TLS with exactly the rights of the tables: they do all their work, use every right, and say it when one goes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detectors.parameters import SHIPPED, dumps
from streams.cli.fit import _publish
from streams.cli.main import main
from streams.runtime.backoff import Backoff
from streams.runtime.catch_up import build_digest
from streams.runtime.connect import connected_store, link_to
from streams.runtime.customer_view import Judges
from streams.runtime.kafka_rights import Right, missing_rights
from streams.runtime.learner_store import RedisLearnerStore
from streams.runtime.model_in_use import model_in_use
from streams.runtime.redis_rights import ROLES
from streams.runtime.redis_store import RedisPartitionStore
from streams.runtime.rules import engine_rules
from streams.runtime.settings import Settings, load_settings
from streams.runtime.standing import standings
from streams.runtime.topics import (
    ALERTS,
    CLOCK,
    COMMANDS,
    DEAD_LETTER_MARKS,
    DEAD_LETTERS,
    ERASURES,
    INPUTS,
    JOURNAL,
    MODELS,
    TRIGGERS,
)
from tests.support.certificates import Authority
from tests.support.churning import Churning
from tests.support.eventually import eventually
from tests.support.receiver import Receiver
from tests.support.secured_kafka import SecuredKafka
from tests.support.secured_redis import SecuredRedis
from tests.support.secured_worker import ROLE, granted, make_alert, secured, send_all_kinds
from tests.support.workers import Fleet, run_command


def test_workers_do_all_their_work_with_exactly_these_rights(
    secured_broker: SecuredKafka,
    secured_store: SecuredRedis,
    ours: Authority,
    prefix: str,
    hook: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Churning(secured_broker, secured_store, prefix, partitions=2)
    environment = secured(site, secured_broker, secured_store, ours, hook, tmp_path)
    settings = load_settings(None, environment)
    rights = granted(secured_broker, settings)
    secured_store.let("worker", settings.redis.prefix, *ROLE)
    secured_store.forget()
    with Fleet(environment, tmp_path) as fleet:
        first = fleet.start()
        fleet.until(first.ready, "the first is ready")
        _publish(load_settings(None, site.environment), dumps(SHIPPED))
        send_all_kinds(site)
        fleet.until(lambda: first.said("parameters in use"), "it has read the parameters")
        fleet.until(lambda: first.applied() >= 13, "it has applied them")
        make_alert(site)
        outputs = (ALERTS, TRIGGERS, JOURNAL, DEAD_LETTERS)
        fleet.until(lambda: all(site.records(topic) for topic in outputs), "all outputs are written")
        fleet.until(lambda: bool(hook.taken()), "the channel has told somebody")
        second = fleet.start()
        fleet.until(lambda: {first.owned(), second.owned()} == {1} and second.ready(), "they share")
        applied = fleet.applied()
        send_all_kinds(site)  # customers that the new owner has not seen
        fleet.until(lambda: fleet.applied() >= applied + 3, "they go on")
        fleet.until(lambda: first.ready() and second.ready(), "nothing is stuck")
        assert fleet.stop() == [0, 0]
        ran, refused = secured_store.ran(), secured_store.refused()
    assert refused == []
    assert ran == {command for role in ROLE for command in ROLES[role]}
    folded = [sum(site.meta(p).offsets.get(topic, -1) + 1 for p in range(2)) for topic in (*INPUTS, "clock")]
    assert min(folded) > 0, "every input was read"
    groups = {"group", "group-channel-hook"}
    used = {
        "WRITE": {ALERTS, TRIGGERS, JOURNAL, DEAD_LETTERS, ERASURES},
        "READ": {*INPUTS, CLOCK, COMMANDS, DEAD_LETTER_MARKS, MODELS, ALERTS, *groups},
    }
    for operation, names in used.items():
        assert {right.name.removeprefix(prefix) for right in rights if right.operation == operation} == names
    commands_run_what_the_table_says(site, environment, secured_store, monkeypatch)


def commands_run_what_the_table_says(
    site: Churning, environment: dict[str, str], store: SecuredRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command that talks to Redis, as a user who may do just this, on the state that the workers have left."""
    for name in [*os.environ]:
        if name.startswith("CHURNWATCH_"):
            monkeypatch.delenv(name)
    ca_file = "CHURNWATCH_REDIS__CA_FILE"
    redis = {"CHURNWATCH_REDIS__URL": store.tls_url("analyst"), ca_file: environment[ca_file]}
    redis |= {"CHURNWATCH_ERASURE__KEY": "0123456789abcdef"}  # `customer` looks whether one who is unknown was erased
    for name, value in (site.environment | redis).items():
        monkeypatch.setenv(name, value)
    settings = load_settings(None, site.environment | redis)
    work: dict[str, Callable[[], Any]] = {
        "customer": lambda: [_command("customer", name) for name in ("anna", "nobody")],
        "fit": lambda: _command("fit"),
        "doctor": lambda: _command("doctor"),
        "go-live": lambda: asyncio.run(_digest(settings)),
        "worker with redis.wait_replicas, also": lambda: asyncio.run(_confirm(settings)),
        "rebuild --keep-state": lambda: _command("rebuild", "--keep-state"),
        "rebuild": lambda: _command("rebuild", "--yes"),
        "rebuild --forget-learnt, also": lambda: asyncio.run(_learnt(settings)),
    }
    # what erasing runs beyond a worker's own is not tried here: it depends on what waits in the outbox, and for how long
    tested = {"worker", *ROLE, "every role with redis.cluster, also", *(role for role in ROLES if "erasure.key" in role)}
    # and what learning runs in test_secured_learner.py
    tested |= {"learner", "worker with learning.enabled, also"}
    assert work.keys() | tested == ROLES.keys()
    for role, run in work.items():
        store.let("analyst", settings.redis.prefix, role)
        store.forget()
        run()
        ran, refused = store.ran(), store.refused()
        assert (role, refused, sorted(ran)) == (role, [], sorted(ROLES[role]))


def _command(*args: str) -> None:
    """`churnwatch ARGS` in this process; whether it finds enough to say yes does not matter here."""
    with pytest.raises(SystemExit):
        main(args)


async def _digest(settings: Settings) -> None:
    """What go-live reads, on a system that did not load a history."""
    async with connected_store(settings) as store:
        judges = Judges(engine_rules(settings), model_in_use(settings))
        await build_digest(store, settings, judges, await standings(store, settings), 0)


async def _confirm(settings: Settings) -> None:
    link = link_to(settings.redis)
    store = RedisPartitionStore(link, prefix=settings.redis.prefix, wait_replicas=1, wait_ms=1)
    await store.confirmed(0)
    await link.close()


async def _learnt(settings: Settings) -> None:
    link = link_to(settings.redis)
    await RedisLearnerStore(link, prefix=settings.redis.prefix, backoff=Backoff(patience_s=5.0)).read()
    await link.close()


def test_a_right_that_is_missing_or_taken_away_ends_a_worker_with_a_line_that_names_it(
    secured_broker: SecuredKafka, secured_store: SecuredRedis, ours: Authority, prefix: str, hook: Receiver, tmp_path: Path
) -> None:
    site = Churning(secured_broker, secured_store, prefix)
    environment = secured(site, secured_broker, secured_store, ours, hook, tmp_path)
    settings = load_settings(None, environment)
    granted(secured_broker, settings)
    secured_store.let("worker", settings.redis.prefix, *ROLE, without="xadd")
    said = [run_command(["worker"], environment | {"CHURNWATCH_HTTP__PORT": "0"})]
    secured_store.let("worker", settings.redis.prefix, *ROLE)
    journal, alerts = Right("topic", prefix + JOURNAL, "WRITE"), Right("topic", prefix + ALERTS, "WRITE")
    secured_broker.withdraw("worker", [journal, alerts])
    eventually(lambda: set(missing_rights(settings, [journal, alerts])) == {journal, alerts})
    said.append(run_command(["worker"], environment | {"CHURNWATCH_HTTP__PORT": "0"}))
    assert [(one.returncode, one.stdout) for one in said] == [(1, ""), (1, "")]
    in_redis, in_kafka = (one.stderr.splitlines()[-1] for one in said)
    assert in_redis.startswith(
        f"churnwatch: redis: the user in redis.url may not run xadd on {prefix}state:*; grant it: ACL SETUSER <user> +xadd"
    )
    assert in_kafka == (
        f"churnwatch: kafka: user 'worker' may not WRITE topic {prefix}churn.alerts, WRITE topic {prefix}churn.journal; "
        "grant it on the broker; docs/security.md has the commands"
    )
    secured_broker.grant("worker", [journal, alerts])
    eventually(lambda: not missing_rights(settings, [journal, alerts]))
    with Fleet(environment, tmp_path) as fleet:
        worker = fleet.start()
        fleet.until(worker.ready, "it is ready")
        worker.may_end = True
        secured_broker.withdraw("worker", [Right("topic", f"{prefix}logins", "READ")])
        fleet.until(lambda: worker.exit_code() is not None, "it has ended")
        assert worker.exit_code() == 1
        (line,) = worker.plain_lines()
    refused = f"churnwatch: kafka: not allowed to use a topic ({prefix}logins) at {secured_broker.scram} as 'worker'; grant it"
    assert line.startswith(refused)
