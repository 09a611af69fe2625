"""Learning behind TLS with exactly the rights of the tables: workers, the learner and `churnwatch models` do all of it."""

from __future__ import annotations

import json
from pathlib import Path

from alerts.alert import ModelAlert, decode_any
from streams.columns import DAY_MS
from streams.runtime.kafka_rights import Right, missing_rights, rights_of, wanted_by_learner
from streams.runtime.learner_papers import ALERT_KEY
from streams.runtime.model_shelf import Shelf, read_shelf
from streams.runtime.redis_rights import ROLES
from streams.runtime.settings import load_settings
from streams.runtime.topics import ALERTS, LABELS, MODELS
from tests.support import changing_shop
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.learning import LEARNER, LEARNING
from tests.support.live import Live, now_ms
from tests.support.receiver import Receiver
from tests.support.secured_kafka import SecuredKafka
from tests.support.secured_redis import SecuredRedis
from tests.support.secured_worker import ROLE, as_user, granted, secured
from tests.support.workers import Fleet, run_command

PARTITIONS = 2
SETTINGS = LEARNING | {
    "CHURNWATCH_LEARNING__PUBLISH_S": "0.5",
    "CHURNWATCH_LEARNING__MIN_LABELS": "30",
    "CHURNWATCH_LEARNING__MIN_DAYS": "2",
    "CHURNWATCH_LEARNING__SETTLE_LABELS": "30",
    "CHURNWATCH_LEARNING__EVIDENCE_DAYS": "10",
    "CHURNWATCH_ENGINE__MAX_ROWS": "20",
}
DAYS, CHANGE = 68, 45
"""Of the shop, the last of them yesterday; and the day from which on those leave who stayed before."""
LEARNS = "worker with learning.enabled, also"


def test_workers_learner_and_models_do_all_of_learning_with_exactly_these_rights(
    secured_broker: SecuredKafka, secured_store: SecuredRedis, ours: Authority, prefix: str, hook: Receiver, tmp_path: Path
) -> None:
    site = Live(secured_broker, secured_store, prefix, partitions=PARTITIONS, **SETTINGS)
    environment = secured(site, secured_broker, secured_store, ours, hook, tmp_path)
    bought = _send_a_shop_that_changes(site)
    rights = granted(secured_broker, load_settings(None, environment))
    secured_store.let("worker", site.settings.redis.prefix, *ROLE, LEARNS)
    with Fleet(environment, tmp_path) as fleet:
        secured_store.forget()
        worker = fleet.start()
        fleet.until(lambda: sum(site.folded(p)["purchases"] for p in range(PARTITIONS)) == bought, "all is folded")
        fleet.until(lambda: worker.metric("churnwatch_outbox_depth") == 0, "and all labels have left")
        assert worker.stop() == 0
        ran, refused = secured_store.ran(), secured_store.refused()
        assert refused == []
        assert ran - {command for role in ROLE for command in ROLES[role]} == set(ROLES[LEARNS])
        assert {right.name.removeprefix(prefix) for right in rights if right.operation == "WRITE"} >= {LABELS}

        _learn_alone(site, environment, secured_broker, secured_store, fleet)
        worker = fleet.start()
        serving = read_shelf(site.settings).serving
        assert serving is not None
        fleet.until(lambda: worker.metric("churnwatch_model_info", version=serving.version) == 1, "what serves scores")
        earlier = next(iter(read_shelf(site.settings).champions))
        _models_as_people_do(site, environment, secured_broker, secured_store, earlier)
        fleet.until(lambda: worker.metric("churnwatch_model_info", version=earlier) == 1, "what was learnt scores")
        assert fleet.stop() == [0, 0]
    assert secured_store.refused() == []


def _learn_alone(site: Live, environment: dict[str, str], broker: SecuredKafka, store: SecuredRedis, fleet: Fleet) -> None:
    """The learner, while nobody else talks to Redis: it uses every right that it has, and misses none."""
    user = as_user("learner", store)
    settings = load_settings(None, environment | user)
    rights = granted(broker, settings, wanted_by_learner(settings))
    store.let("learner", site.settings.redis.prefix, "learner")
    store.forget()
    learner = fleet.start(LEARNER, **user)
    fleet.until(lambda: learner.metric("churnwatch_learner_owned") == 1 and learner.ready(), "it is the learner")
    messages = len(site.records(LABELS, partitions=1))
    fleet.until(lambda: learner.metric("churnwatch_learner_messages_total") == messages, "all is read")
    fleet.until(lambda: bool(_shelf(site).fits), "the closed form is fitted anew")
    fleet.until(lambda: bool(_shelf(site).champions) and "firing" in _told(site), "models are kept, and it was told of one")
    fleet.until(lambda: learner.metric("churnwatch_learner_labels_known") > 1000, "it says how much it has learnt")
    ran, refused = store.ran(), store.refused()
    assert (refused, sorted(ran)) == ([], sorted(ROLES["learner"]))
    used = {"READ": {LABELS, MODELS, "group-learner"}, "WRITE": {MODELS, ALERTS}}
    assert {(right.operation, right.name.removeprefix(site.prefix)) for right in rights} == {
        (operation, name) for operation, names in used.items() for name in names
    }


def _models_as_people_do(
    site: Live, environment: dict[str, str], broker: SecuredKafka, store: SecuredRedis, earlier: str
) -> None:
    """Each of `churnwatch models` by a user who may do just this on Kafka, and nothing on Redis; at the end a rollback."""
    environment = environment | as_user("command", store)
    settings = load_settings(None, environment)
    looks = [["list"], ["show"], ["show", earlier], ["compare", earlier]]
    orders = [["freeze", "--by", "ann"], ["thaw", "--by", "ann"], ["rollback", earlier, "--by", "ann"]]
    for role, commands in {"models list, show, compare": looks, "models rollback, freeze, thaw": orders}.items():
        rights = granted(broker, settings, list(rights_of(role, settings.kafka)))
        for command in commands:
            done = run_command(["models", *command], environment)
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            assert done.stdout
        broker.withdraw("command", rights)
    serving = _shelf(site).serving
    assert serving is not None
    assert (serving.version, serving.hold) == (earlier, "rolled_back")


def _send_a_shop_that_changes(site: Live) -> int:
    """Who spends much stays, and from one day on leaves: what was learnt is demoted. Returns the number of purchases."""

    def leaves(day: float, much: bool) -> float:
        return 0.02 if much is (day < CHANGE) else 0.4

    bought = changing_shop.purchases(DAYS, leaves, joining_a_day=5.0, gap_days=1.5)
    later_ms = now_ms() // DAY_MS * DAY_MS - (changing_shop.START_DAY + DAYS) * DAY_MS
    with site.producer() as producer:
        for at_ms, customer, amount_minor in bought:
            event = site.purchase(customer, at_ms + later_ms) | {"amount": amount_minor / 100}
            producer.send(site.prefix + "purchases", json.dumps(event).encode(), key=customer.encode())
    return len(bought)


def _shelf(site: Live) -> Shelf:
    return read_shelf(site.settings)


def _told(site: Live) -> set[str]:
    """Statuses of the alerts about the model."""
    about = [decode_any(record.value) for record in site.records(ALERTS) if record.key == ALERT_KEY]
    return {alert.status for alert in about if isinstance(alert, ModelAlert)}


def test_a_right_that_the_learner_lacks_ends_it_with_a_line_that_names_it(
    secured_broker: SecuredKafka, secured_store: SecuredRedis, ours: Authority, prefix: str, hook: Receiver, tmp_path: Path
) -> None:
    site = Live(secured_broker, secured_store, prefix, partitions=PARTITIONS, **SETTINGS)
    user = as_user("learner", secured_store)
    environment = secured(site, secured_broker, secured_store, ours, hook, tmp_path) | user | {"CHURNWATCH_HTTP__PORT": "0"}
    settings = load_settings(None, environment)
    granted(secured_broker, settings, wanted_by_learner(settings))
    secured_store.let("learner", settings.redis.prefix, "learner", without="scan")
    in_redis = run_command(["learner"], environment)
    secured_store.let("learner", settings.redis.prefix, "learner")
    models = Right("topic", prefix + MODELS, "WRITE")
    secured_broker.withdraw("learner", [models])
    eventually(lambda: missing_rights(settings, [models]) == [models])
    in_kafka = run_command(["learner"], environment)
    assert [(one.returncode, one.stdout) for one in (in_redis, in_kafka)] == [(1, ""), (1, "")]
    assert in_redis.stderr.splitlines()[-1].startswith(
        f"churnwatch: redis: the user in redis.url may not run scan on {prefix}state:*; grant it: ACL SETUSER <user> +scan"
    )
    assert in_kafka.stderr.splitlines()[-1] == (
        f"churnwatch: kafka: user 'learner' may not WRITE topic {prefix}churn.models; "
        "grant it on the broker; docs/security.md has the commands"
    )
