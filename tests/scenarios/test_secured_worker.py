"""Workers behind TLS with exactly the rights of the tables: they do all their work, use every right, and say it when one goes."""

from __future__ import annotations

from pathlib import Path

from detectors.parameters import SHIPPED, dumps
from streams.cli.fit import _publish
from streams.runtime.kafka_rights import Right, missing_rights
from streams.runtime.redis_rights import ROLES
from streams.runtime.settings import load_settings
from streams.runtime.topics import ALERTS, CLOCK, DEAD_LETTERS, INPUTS, JOURNAL, MODELS, TRIGGERS
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.live import Live
from tests.support.receiver import Receiver
from tests.support.secured_kafka import SecuredKafka
from tests.support.secured_redis import SecuredRedis
from tests.support.secured_worker import ROLE, granted, make_alert, secured, send_all_kinds
from tests.support.workers import Fleet, run_command


def test_workers_do_all_their_work_with_exactly_these_rights(
    secured_broker: SecuredKafka, secured_store: SecuredRedis, ours: Authority, prefix: str, hook: Receiver, tmp_path: Path
) -> None:
    site = Live(secured_broker, secured_store, prefix, partitions=2)
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
    used = {"WRITE": {ALERTS, TRIGGERS, JOURNAL, DEAD_LETTERS}, "READ": {*INPUTS, CLOCK, MODELS, ALERTS, *groups}}
    for operation, names in used.items():
        assert {right.name.removeprefix(prefix) for right in rights if right.operation == operation} == names


def test_a_right_that_is_missing_or_taken_away_ends_a_worker_with_a_line_that_names_it(
    secured_broker: SecuredKafka, secured_store: SecuredRedis, ours: Authority, prefix: str, hook: Receiver, tmp_path: Path
) -> None:
    site = Live(secured_broker, secured_store, prefix)
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
