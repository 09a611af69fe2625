"""Asking for an erasure where nobody can carry it out: no topics, no workers. What was written is carried out later."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from streams.commands import EraseCommand
from streams.runtime.erase_requests import erase_all
from streams.runtime.kafka_client import AdminError
from streams.runtime.settings import Settings, load_settings
from streams.runtime.topics import COMMANDS, ERASURES
from tests.support.brokers import RunningBroker
from tests.support.live import Live
from tests.support.redis_servers import RunningRedis
from tests.support.workers import Fleet

KEY = {"CHURNWATCH_ERASURE__KEY": "a secret of the tests"}


def nothing(_done: int) -> None:
    """Progress that nobody looks at."""


def asked(customer: str) -> EraseCommand:
    return EraseCommand(f"e-{customer}", customer, time.time_ns() // 1_000_000)


def test_a_cluster_of_an_earlier_build_is_told_which_topic_is_missing(real_kafka: RunningBroker, prefix: str) -> None:
    environment = KEY | {"CHURNWATCH_KAFKA__BOOTSTRAP": real_kafka.bootstrap, "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix}
    with pytest.raises(AdminError, match=rf"topic {prefix}churn.commands does not exist; run `churnwatch topics create`"):
        erase_all(load_settings(None, environment), [asked("anna")], nothing)


def test_with_no_worker_the_command_is_written_and_carried_out_by_the_next(
    real_kafka: RunningBroker, real_redis: RunningRedis, prefix: str, tmp_path: Path
) -> None:
    """A worker without a key stops at it, with what to do, and passes nothing; then one with a key does it."""
    site = Live(real_kafka, real_redis, prefix, **KEY)
    settings: Settings = load_settings(None, site.environment)
    with pytest.raises(AdminError, match=r"0 of 1 carried out, and no worker has run for 0\.5 s; start the workers"):
        erase_all(settings, [asked("anna")], nothing, alone_s=0.5)
    assert [record.key for record in site.records(COMMANDS)] == [b"anna"]
    with Fleet(site.environment, tmp_path) as fleet:
        keyless = fleet.start(CHURNWATCH_ERASURE__KEY="")
        keyless.may_end = True
        fleet.until(lambda: keyless.exit_code() is not None, "the one without a key gives up", 40.0)
        assert keyless.exit_code() == 1
        (line,) = keyless.plain_lines()
        assert "erasure.key is not set; set it" in line
        assert "anna" not in keyless.log.read_text()
        assert site.meta().offsets.get("commands", -1) == -1
        worker = fleet.start()
        fleet.until(lambda: len(site.records(ERASURES)) == 1, "the notice")
        [notice] = erase_all(settings, [asked("berta")], nothing)
        assert (notice.customer_id, notice.removed.record) == ("berta", False)
        assert "for ever: retention.ms is -1" in {rest.until for rest in notice.remains}
        assert worker.stop() == 0
