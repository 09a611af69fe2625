"""One worker process and the signals, ports and servers around it."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.cli.worker import LAST_WORDS_S
from streams.runtime.admin import create_topics
from streams.runtime.service import END_PATIENCE_S
from streams.runtime.settings import load_settings
from tests.support.brokers import RunningBroker, kafka_broker
from tests.support.redis_servers import RunningRedis
from tests.support.workers import Fleet, WorkerProcess


def environment_for(broker: RunningBroker, redis: RunningRedis, prefix: str) -> dict[str, str]:
    """A system of its own, its topics made."""
    settings = {
        "CHURNWATCH_KAFKA__BOOTSTRAP": broker.bootstrap,
        "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix,
        "CHURNWATCH_KAFKA__GROUP": f"{prefix}group",
        "CHURNWATCH_REDIS__URL": redis.url,
        "CHURNWATCH_REDIS__PREFIX": f"{prefix}state",
    }
    create_topics(load_settings(None, settings))
    return settings


@pytest.fixture
def freezable(real_kafka: RunningBroker, tmp_path: Path) -> Iterator[RunningBroker]:
    """A broker that this test alone has; `real_kafka` says aloud where there can be none."""
    assert real_kafka.alive()
    folder = tmp_path / "kafka"
    folder.mkdir()
    with kafka_broker(folder) as broker:
        yield broker
        broker.thaw()


def ready_worker(fleet: Fleet) -> WorkerProcess:
    worker = fleet.start()
    fleet.until(worker.ready, "ready")
    return worker


def test_a_port_that_is_taken_is_one_line_that_names_the_setting(tmp_path: Path) -> None:
    with socket.socket() as other, Fleet({}, tmp_path) as fleet:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        worker = fleet.start(CHURNWATCH_HTTP__PORT=str(port))
        worker.may_end = True
        fleet.until(lambda: worker.exit_code() is not None, "it gives up")
        assert worker.exit_code() == 1
        (line,) = worker.plain_lines()
        assert line.startswith(f"churnwatch: http.port: {port} on http.host 127.0.0.1: ")
        assert "set CHURNWATCH_HTTP__PORT to a free port" in line


def test_shipped_parameters_are_named_without_an_age_and_no_series_is_about_creation(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    with Fleet(environment_for(real_kafka, real_redis, prefix), tmp_path) as fleet:
        worker = ready_worker(fleet)
        _, text = worker.get("/metrics")
        assert 'churnwatch_model_info{model="mbg_nbd",version="shipped-cdnow-1"} 1.0' in text
        assert "churnwatch_model_age_seconds{" not in text
        assert "churnwatch_events_total{" in text
        assert "_created" not in text
        assert fleet.stop() == [0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_worker_whose_stop_waits_for_the_broker(
    number: signal.Signals, freezable: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    with Fleet(environment_for(freezable, real_redis, prefix), tmp_path) as fleet:
        worker = ready_worker(fleet)
        freezable.freeze()
        worker.may_end = True
        worker.signal(number)
        fleet.until(lambda: worker.said("stopping"), "it begins to stop")
        assert worker.exit_code() is None, "it was to be waiting"
        told_s = time.monotonic()
        worker.signal(number)
        fleet.until(lambda: worker.exit_code() is not None, "it ends", 5.0)
        assert worker.exit_code() == -number
        assert time.monotonic() - told_s < END_PATIENCE_S / 2


def test_a_stop_does_not_wait_for_ever_for_a_broker_that_hangs(
    freezable: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    with Fleet(environment_for(freezable, real_redis, prefix), tmp_path) as fleet:
        worker = ready_worker(fleet)
        freezable.freeze()
        worker.ask_to_stop()
        fleet.until(lambda: worker.exit_code() is not None, "it ends", 2 * END_PATIENCE_S + LAST_WORDS_S)
        assert worker.exit_code() == 0
        assert worker.said("left without waiting longer")
