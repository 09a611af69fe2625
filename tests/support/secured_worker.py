"""Worker and learner that come in by the guarded doors of `secured_kafka` and `secured_redis`, and may do what they must."""

from __future__ import annotations

import json
from pathlib import Path

from streams.runtime.kafka_rights import Right, missing_rights, wanted_by_worker
from streams.runtime.redis_rights import worker_roles
from streams.runtime.settings import Settings
from streams.runtime.topics import INPUTS
from tests.support.certificates import Authority
from tests.support.churning import Churning
from tests.support.eventually import eventually
from tests.support.live import Live, days_ago, now_ms
from tests.support.receiver import Receiver
from tests.support.secured_kafka import PASSWORD, SecuredKafka
from tests.support.secured_redis import SecuredRedis

PLAYBOOK = "plays:\n  - {name: write, tier: watch, action: email, message: mail-1, every_days: 100}\n"
ROLE = worker_roles(playbook=True, wait_replicas=False)


def secured(
    site: Live, broker: SecuredKafka, store: SecuredRedis, ours: Authority, hook: Receiver, folder: Path
) -> dict[str, str]:
    """What makes a worker of `site` come in by the guarded doors, with a channel and a playbook."""
    (folder / "playbook.yaml").write_text(PLAYBOOK)
    return site.environment | {
        "CHURNWATCH_KAFKA__BOOTSTRAP": broker.scram,
        "CHURNWATCH_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "CHURNWATCH_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
        "CHURNWATCH_KAFKA__USERNAME": "worker",
        "CHURNWATCH_KAFKA__PASSWORD": PASSWORD,
        "CHURNWATCH_KAFKA__CA_FILE": str(ours.ca),
        "CHURNWATCH_REDIS__URL": store.tls_url("worker"),
        "CHURNWATCH_REDIS__CA_FILE": str(ours.ca),
        "CHURNWATCH_CHANNELS__APPRISE": f'{{"hook": "{hook.url("/hook", "json")}"}}',
        "CHURNWATCH_TRIGGERS__PLAYBOOK_FILE": str(folder / "playbook.yaml"),
    }


def as_user(user: str, store: SecuredRedis) -> dict[str, str]:
    """What makes a process with the settings of `secured` come in as another user."""
    return {"CHURNWATCH_KAFKA__USERNAME": user, "CHURNWATCH_REDIS__URL": store.tls_url(user)}


def granted(broker: SecuredKafka, settings: Settings, rights: list[Right] | None = None) -> list[Right]:
    """These rights, or those of a worker with these settings, in force for the user."""
    rights = wanted_by_worker(settings) if rights is None else rights
    broker.grant(settings.kafka.username or "", rights)
    eventually(lambda: not missing_rights(settings, rights))
    return rights


def send_all_kinds(site: Churning) -> None:
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
    site.regulars(_regulars(site))
    site.beat()


def make_alert(site: Churning) -> None:
    """A live alert in each partition: regular customers who fall silent. Once what `send_all_kinds` sent is applied."""
    site.log_in(_regulars(site), day=20)


def _regulars(site: Live) -> list[str]:
    return [site.customer_in(partition, "erna") for partition in range(site.partitions)]
