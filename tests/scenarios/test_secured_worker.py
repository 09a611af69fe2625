"""Workers behind TLS with exactly the rights of the tables: they do all their work, use every right, and say it when one goes."""

from __future__ import annotations

import json
from pathlib import Path

from detectors.parameters import SHIPPED, dumps
from streams.cli.fit import _publish
from streams.runtime.kafka_rights import Right, missing_rights, wanted_by_worker
from streams.runtime.redis_rights import ROLES, worker_roles
from streams.runtime.settings import Settings, load_settings
from streams.runtime.topics import ALERTS, CLOCK, DEAD_LETTERS, INPUTS, JOURNAL, TRIGGERS
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.live import Live, days_ago, now_ms
from tests.support.receiver import Receiver
from tests.support.secured_kafka import PASSWORD as KAFKA_PASSWORD
from tests.support.secured_kafka import SecuredKafka
from tests.support.secured_redis import SecuredRedis
from tests.support.workers import Fleet, run_command

PLAYBOOK = "plays:\n  - {name: write, tier: watch, action: email, message: mail-1, every_days: 100}\n"
ROLE = worker_roles(playbook=True, wait_replicas=False)


def secured(site: Live, broker: SecuredKafka, store: SecuredRedis, ours: Authority, hook: Receiver, folder: Path) -> dict[str, str]:
    """What makes a worker of `site` come in by the guarded doors, with a channel and a playbook."""
    (folder / "playbook.yaml").write_text(PLAYBOOK)
    return site.environment | {
        "CHURNWATCH_KAFKA__BOOTSTRAP": broker.scram,
        "CHURNWATCH_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "CHURNWATCH_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
        "CHURNWATCH_KAFKA__USERNAME": "worker",
        "CHURNWATCH_KAFKA__PASSWORD": KAFKA_PASSWORD,
        "CHURNWATCH_KAFKA__CA_FILE": str(ours.ca),
        "CHURNWATCH_REDIS__URL": store.tls_url("worker"),
        "CHURNWATCH_REDIS__CA_FILE": str(ours.ca),
        "CHURNWATCH_CHANNELS__APPRISE": f'{{"hook": "{hook.url("/hook", "json")}"}}',
        "CHURNWATCH_TRIGGERS__PLAYBOOK_FILE": str(folder / "playbook.yaml"),
        "CHURNWATCH_POLICY__BREACHES": "1",
    }


def granted(broker: SecuredKafka, settings: Settings) -> list[Right]:
    """The rights of a worker with these settings, in force."""
    rights = wanted_by_worker(settings)
    broker.grant("worker", rights)
    eventually(lambda: not missing_rights(settings, rights))
    return rights


def send_all_kinds(site: Live) -> None:
    """Something on every input, and something that is no event; who bought years ago is looked at no more."""
    with site.producer() as producer:
        for kind in INPUTS:
            for name in ("anna", "bert", "carl", "dora"):
                event = site.purchase(name, now_ms() - 60_000)
                if kind != "purchases":
                    del event["amount"], event["currency"]
                producer.send(site.prefix + kind, json.dumps(event).encode(), key=name.encode())
        producer.send(f"{site.prefix}logins", b"rubbish", key=b"anna")
    site.buys("olga", *days_ago(3000))
    site.buys("erna", *days_ago(400, 390, 380, 370, 360, 350))
    site.beat()


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
        fleet.until(lambda: all(site.records(topic) for topic in (ALERTS, TRIGGERS, JOURNAL, DEAD_LETTERS)), "all outputs are written")
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
    assert {right.name.removeprefix(prefix) for right in rights if right.operation == "WRITE"} == {ALERTS, TRIGGERS, JOURNAL, DEAD_LETTERS}
    assert {right.name.removeprefix(prefix) for right in rights if right.operation == "READ"} == {
        *INPUTS, CLOCK, "churn.models", ALERTS, "group", "group-channel-hook",
    }  # fmt: skip


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
    assert in_redis.startswith(f"churnwatch: redis: the user in redis.url may not run xadd on {prefix}state:*; grant it: ACL SETUSER")
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
    assert line.startswith(f"churnwatch: kafka: not allowed to use a topic ({prefix}logins) at {secured_broker.scram} as 'worker'; grant it")
