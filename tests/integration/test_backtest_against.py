"""`churnwatch backtest --against`: the alerts on a topic against those of the file, on real brokers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kafka import KafkaProducer

from alerts.alert import build_ingestion_alert, encode
from detectors.parameters import SHIPPED
from streams.backtest.history import read_histories
from streams.backtest.mapping import Source, find_source
from streams.backtest.payloads import to_columns
from streams.backtest.run import run_history
from streams.cli.main import main
from streams.runtime.admin import create_topics
from streams.runtime.partitioner import partition_of
from streams.runtime.rules import engine_rules, event_rules
from streams.runtime.settings import Settings, load_settings
from streams.runtime.topics import ALERTS
from tests.support.backtests import simulated
from tests.support.brokers import RunningBroker

PARTITIONS = 3
RUN_ON_DAYS = 20


@pytest.fixture(scope="module")
def history(tmp_path_factory) -> Path:
    return simulated(tmp_path_factory.mktemp("history") / "shop.csv", customers=80, days=150)


@pytest.fixture
def settings(broker: RunningBroker, prefix: str, monkeypatch) -> Settings:
    environment = {
        "CHURNWATCH_KAFKA__BOOTSTRAP": broker.bootstrap,
        "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix,
        "CHURNWATCH_KAFKA__PARTITIONS": str(PARTITIONS),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = load_settings(None, environment)
    create_topics(made)
    return made


def source(history: Path) -> Source:
    return find_source(str(history))


def sent_by_workers(history: Path, settings: Settings) -> list[bytes]:
    """What workers send of the history, without workers."""
    columns = to_columns(
        read_histories([source(history)]), event_rules(settings).of_history(), PARTITIONS, run_on_days=RUN_ON_DAYS
    )
    return run_history(columns, engine_rules(settings), SHIPPED).alerts


def put(settings: Settings, messages: list[bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.kafka.bootstrap, acks="all")
    for message in messages:
        customer = json.loads(message).get("customer_id", "0")
        place = partition_of(customer, PARTITIONS)
        producer.send(settings.kafka.topic_prefix + ALERTS, key=customer.encode(), value=message, partition=place)
    producer.flush()
    producer.close()


def against(history: Path, out: Path, *more: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["backtest", str(history), "--out", str(out), "--against", ALERTS, "--run-on-days", str(RUN_ON_DAYS), *more])
    return left.value.code


def test_the_same_alerts_are_the_same_whatever_was_sent_again(history, settings, tmp_path, capsys):
    messages = sent_by_workers(history, settings)
    live = messages[0].replace(b'"live":false', b'"live":true').replace(b'"transition":1', b'"transition":9')
    of_data = encode(
        build_ingestion_alert(0, "stalled", resolved=False, transition=1, since_ms=10**12, as_of_ms=10**12, text="x")
    )
    put(settings, [*messages, messages[3], messages[0], live, of_data])
    assert against(history, tmp_path) == 0
    said = capsys.readouterr().err
    assert f"{len(messages)} messages" in said
    assert "the same, byte by byte" in said
    assert json.loads((tmp_path / "report.json").read_bytes())["alerts"]["messages"] == len(messages) > 40


def test_what_differs_is_named_by_customer_and_field(history, settings, tmp_path, capsys):
    messages = sent_by_workers(history, settings)
    first = json.loads(messages[0])
    changed = messages[0].replace(b'"risk":' + str(first["risk"]).encode(), b'"risk":0.1234')
    assert changed != messages[0]
    put(settings, [changed, *messages[1:]])
    assert against(history, tmp_path) == 1
    said = capsys.readouterr().err
    assert f"customer {first['customer_id']}, message 1: risk is 0.1234 on the topic, {first['risk']} by the backtest" in said
    assert "1 of " in said


def test_customers_whom_only_the_topic_names_are_told_and_are_not_of_the_history(history, settings, tmp_path, capsys):
    messages = sent_by_workers(history, settings)
    customer = json.loads(messages[0])["customer_id"]
    customers = set(read_histories([source(history)]).customer)
    strangers = [messages[0].replace(customer.encode(), b"stranger-%d" % number) for number in range(7)]
    put(settings, [*messages, *strangers])
    assert against(history, tmp_path) == 1
    assert "7 of " in capsys.readouterr().err
    assert json.loads((tmp_path / "report.json").read_bytes())["customers"] == len(customers)


def test_alerts_that_are_missing_are_told(history, settings, tmp_path, capsys):
    put(settings, sent_by_workers(history, settings)[:-1])
    assert against(history, tmp_path) == 1
    assert "only by the backtest" in capsys.readouterr().err


def test_a_system_with_other_settings_sends_other_alerts(history, settings, tmp_path, capsys, monkeypatch):
    put(settings, sent_by_workers(history, settings))
    monkeypatch.setenv("CHURNWATCH_POLICY__WATCH", "0.55")
    assert against(history, tmp_path) == 1
    assert "config_hash" in capsys.readouterr().err


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CHURNWATCH_KAFKA__TOPIC_PREFIX", "no-such-", "there is no topic no-such-churn.alerts"),
        ("CHURNWATCH_KAFKA__PARTITIONS", "2", "has 3 partitions, kafka.partitions is 2"),
        ("CHURNWATCH_KAFKA__BOOTSTRAP", "127.0.0.1:1", "no broker answered"),
    ],
)
def test_a_topic_that_is_none_is_told_in_a_line(history, tmp_path, capsys, monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    assert against(history, tmp_path) == 1
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("settings")
def test_an_amount_that_a_system_would_refuse_is_refused(history, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CHURNWATCH_MONEY__BASE_CURRENCY", "EUR")
    monkeypatch.setenv("CHURNWATCH_MONEY__RATES", '{"EUR": 1}')
    assert against(history, tmp_path) == 1
    assert "no rate for the currency USD" in capsys.readouterr().err
