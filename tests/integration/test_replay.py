"""Replay onto real brokers: what stands in the topics afterwards, also when it was killed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka.partitioner import DefaultPartitioner  # not the code that replay uses
from kafka import KafkaProducer, TopicPartition

from streams.backtest.history import History, read_history
from streams.backtest.payloads import payloads
from streams.backtest.replaying import ReplayError, ReplayOptions, replay_history
from streams.columns import DAY_MS
from streams.runtime.admin import create_topics
from streams.runtime.kafka_client import admin_client, ends, reader
from streams.runtime.reading import read_range
from streams.runtime.settings import Settings, load_settings
from tests.support.brokers import RunningBroker
from tests.support.eventually import DEADLINE_S

TOPICS = ("purchases", "complaints", "logins")
MORE = (*TOPICS, "cancellations")
PARTITIONS = 4
FAST = ReplayOptions()
COMMAND = [sys.executable, "-m", "streams.cli.main", "replay"]


@pytest.fixture
def settings(broker: RunningBroker, prefix: str) -> Settings:
    return ready(broker, prefix)


def ready(broker: RunningBroker, prefix: str) -> Settings:
    """Settings for topics that exist and are empty."""
    made = load_settings(None, environment(broker, prefix))
    create_topics(made)
    return made


def environment(broker: RunningBroker, prefix: str) -> dict[str, str]:
    return {
        "CHURNWATCH_KAFKA__BOOTSTRAP": broker.bootstrap,
        "CHURNWATCH_KAFKA__TOPIC_PREFIX": prefix,
        "CHURNWATCH_KAFKA__PARTITIONS": str(PARTITIONS),
        "CHURNWATCH_TIME__CLOCK": "history",
    }


PURCHASES = ("purchase,{c},{t},19.5,EUR,,", "refund,{c},{t},-3,EUR,,")
ALL = (*PURCHASES, "login,{c},{t},,,,", "complaint,{c},{t},,,4,too late")


def write_history(path: Path, *, days: int, first_day: int = 10_000, a_day: int = 20, kinds: tuple[str, ...] = ALL) -> History:
    """A file with every type of event, several at one instant; some days have none."""
    lines = ["type,customer_id,occurred_at,amount,currency,severity,text"]
    for day in range(first_day, first_day + days):
        for number in range(a_day if day % 5 else 0):
            at_ms = day * DAY_MS + (number // 3) * 1_000_000
            lines.append(kinds[number % len(kinds)].format(c=f"c{(day * 7 + number) % 50}", t=at_ms))
    path.write_text("\n".join(lines) + "\n")
    return read_history(path)


def topic_contents(settings: Settings) -> dict[str, list[Any]]:
    """Every record of the inputs and the clock by topic name without prefix, in order of partition and offset."""
    prefix = settings.kafka.topic_prefix
    names = [*settings.kafka.inputs, "churn.clock"]
    tps = [TopicPartition(prefix + name, p) for name in names for p in range(PARTITIONS)]
    with admin_client(settings) as admin, reader(settings) as client:
        bounds = {tp: (bound.first, bound.end) for tp, bound in ends(admin, client, tps).items()}
        records = sorted(read_range(client, bounds), key=lambda r: (r.topic, r.partition, r.offset))
    return {name: [r for r in records if r.topic == prefix + name] for name in names}


def assert_each_event_once(contents: dict[str, list[Any]], history: History) -> None:
    expected = Counter((topic, key, value) for topic, key, value, _ in payloads(history))
    topics = [topic for topic in MORE if topic in contents]
    found = Counter((topic, r.key, r.value) for topic in topics for r in contents[topic])
    assert found == expected
    chosen = DefaultPartitioner()
    everywhere = list(range(PARTITIONS))
    for topic in topics:
        assert all(r.partition == chosen(r.key, everywhere, everywhere) for r in contents[topic])


def assert_ticks_keep_their_promise(contents: dict[str, list[Any]], history: History, *, last_day: int) -> None:
    """Every midnight once on every partition; offsets part the events up to the tick from those after it."""
    first_day, topics = int(history.time_ms[0]) // DAY_MS + 1, [topic for topic in MORE if topic in contents]
    for partition in range(PARTITIONS):
        ticks = [json.loads(r.value) for r in contents["churn.clock"] if r.partition == partition]
        assert [tick["at_ms"] // DAY_MS for tick in ticks] == list(range(first_day, last_day + 1))
        assert {name for tick in ticks for name in set(topics) ^ tick["offsets"].keys()} == set(), "every tick names all"
        for topic in topics:
            events = [(r.offset, json.loads(r.value)["occurred_at"]) for r in contents[topic] if r.partition == partition]
            for tick in ticks:
                below = tick["offsets"][topic]
                assert all((at_ms <= tick["at_ms"]) == (offset < below) for offset, at_ms in events)


class ClockWatch:
    """Follows the clock from its beginning."""

    def __init__(self, settings: Settings, client: Any) -> None:
        self._prefix, self._client = settings.kafka.topic_prefix, client
        self._clock = [TopicPartition(self._prefix + "churn.clock", p) for p in range(PARTITIONS)]
        client.assign(self._clock)
        client.seek_to_beginning()
        self.ticks = 0
        self._last: dict[int, Any] = {}

    def reached(self, ticks: int) -> bool:
        for records in self._client.poll(timeout_ms=20).values():
            self.ticks += len(records)
            self._last[records[-1].partition] = json.loads(records[-1].value)
        return self.ticks >= ticks

    def events_beyond(self, settings: Settings) -> int:
        """Events that stand at or after the offsets of their partition's last tick."""
        tps = [TopicPartition(self._prefix + topic, p) for topic in TOPICS for p in range(PARTITIONS)]
        with admin_client(settings) as admin, reader(settings) as client:
            found = ends(admin, client, [*tps, *self._clock])
        while not self.reached(sum(found[tp].end for tp in self._clock)):
            pass
        ticked = {tp: self._last.get(tp.partition, {"offsets": {}})["offsets"] for tp in tps}
        return sum(found[tp].end - ticked[tp].get(tp.topic.removeprefix(self._prefix), 0) for tp in tps)


def replay_process(*args: str, env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *args], env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str], deadline_s: float = DEADLINE_S) -> None:
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert process.poll() is None, f"ended too early: {process.communicate()}"
        assert time.monotonic() < end_s, "the condition did not come true in time"


def test_every_event_and_tick_stands_in_its_partition_once(settings: Settings, tmp_path: Path) -> None:
    history = write_history(tmp_path / "h.csv", days=40)
    summary = replay_history(history, settings, FAST)
    contents = topic_contents(settings)
    assert_each_event_once(contents, history)
    assert_ticks_keep_their_promise(contents, history, last_day=10_040)
    assert (summary.events, summary.written, summary.already_written) == (len(history), len(history), 0)
    assert summary.resumed_from_ms is None


def test_a_finished_replay_writes_nothing_again_but_may_run_on(settings: Settings, tmp_path: Path) -> None:
    history = write_history(tmp_path / "h.csv", days=12)
    replay_history(history, settings, FAST)
    again = replay_history(history, settings, ReplayOptions(run_on_days=30))
    assert (again.written, again.ticks) == (0, 30)
    contents = topic_contents(settings)
    assert_each_event_once(contents, history)
    assert_ticks_keep_their_promise(contents, history, last_day=10_012 + 30)


def test_events_written_by_a_run_that_died_before_its_first_tick_are_not_repeated(
    settings: Settings, broker: RunningBroker, tmp_path: Path
) -> None:
    history = write_history(tmp_path / "h.csv", days=7)
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    for number, (topic, key, value, _) in enumerate(payloads(history)):
        if number < 57:
            producer.send(settings.kafka.topic_prefix + topic, key=key, value=value)
    producer.close()
    summary = replay_history(history, settings, FAST)
    assert (summary.written, summary.already_written) == (len(history) - 57, 57)
    contents = topic_contents(settings)
    assert_each_event_once(contents, history)
    assert_ticks_keep_their_promise(contents, history, last_day=10_007)


def test_a_replay_killed_again_and_again_yields_every_event_once(
    broker: RunningBroker, settings: Settings, prefix: str, tmp_path: Path
) -> None:
    """At full speed, SIGKILLed whenever new ticks have shown up, so with events in flight."""
    path = tmp_path / "h.csv"
    history = write_history(path, days=300, a_day=200)
    env = environment(broker, prefix)
    beyond_ticks = 0
    with reader(settings) as client:
        watch = ClockWatch(settings, client)
        for _ in range(3):
            process = replay_process(str(path), "--json", env=env)
            wait_until(lambda wanted=watch.ticks + 1: watch.reached(wanted), process)  # type: ignore[misc]
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            beyond_ticks += watch.events_beyond(settings)
    assert beyond_ticks > 0, "no kill hit between events and their tick, so nothing was tried"
    process = replay_process(str(path), "--json", env=env)
    out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, err
    summary = json.loads(out)
    assert 0 < summary["written"] < len(history) == summary["written"] + summary["already_written"]
    assert summary["resumed_from_ms"] > history.time_ms[0]
    contents = topic_contents(settings)
    assert_each_event_once(contents, history)
    assert_ticks_keep_their_promise(contents, history, last_day=10_300)


def test_another_history_may_follow_but_not_go_back(settings: Settings, tmp_path: Path) -> None:
    first = write_history(tmp_path / "first.csv", days=10)
    overlapping = write_history(tmp_path / "overlapping.csv", days=10, first_day=10_005)
    later = write_history(tmp_path / "later.csv", days=6, first_day=10_011)
    replay_history(first, settings, FAST)
    with pytest.raises(ReplayError, match=r"has reached 1997-05-29T00:00:00\.000Z with another history"):
        replay_history(overlapping, settings, FAST)
    replay_history(later, settings, FAST)
    replay_history(later, settings, FAST)
    found = Counter(json.loads(r.value)["event_id"] for topic in TOPICS for r in topic_contents(settings)[topic])
    assert found == Counter([*first.event_id, *later.event_id])


def named(settings: Settings) -> list[set[tuple[int, int]]]:
    """What each partition's ticks name of complaints and logins, each pair once."""
    ticks = [(r.partition, json.loads(r.value)["offsets"]) for r in topic_contents(settings)["churn.clock"]]
    return [{(found["complaints"], found["logins"]) for number, found in ticks if number == p} for p in range(PARTITIONS)]


def test_topics_that_the_history_lacks_are_named_where_the_replay_began(
    settings: Settings, broker: RunningBroker, tmp_path: Path
) -> None:
    """What is sent to them later comes after the history, however it is dated, whenever the replay goes on."""

    def sent(topic: str, count: int) -> None:
        for partition in range(PARTITIONS):
            for _ in range(count):
                producer.send(settings.kafka.topic_prefix + topic, b"{}", partition=partition)
        producer.flush()

    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    sent("logins", 2)
    first = write_history(tmp_path / "first.csv", days=7, kinds=PURCHASES)
    replay_history(first, settings, FAST)
    assert named(settings) == [{(0, 2)}] * PARTITIONS
    sent("logins", 1)
    sent("complaints", 1)
    replay_history(first, settings, ReplayOptions(run_on_days=2))
    later = write_history(tmp_path / "later.csv", days=5, first_day=10_011, kinds=PURCHASES)
    replay_history(later, settings, FAST)
    assert named(settings) == [{(0, 2)}] * PARTITIONS, "as before, though more was sent there"
    producer.close()
    assert len(topic_contents(settings)["purchases"]) == len(first) + len(later)


def test_cancellations_go_to_their_topic_and_are_refused_where_there_is_none(
    settings: Settings, broker: RunningBroker, prefix: str, tmp_path: Path
) -> None:
    """Turned on between two histories: the clock names the topic from then on."""
    first = write_history(tmp_path / "first.csv", days=7)
    replay_history(first, settings, FAST)
    kinds = (*ALL, "cancellation,{c},{t},,,,gone")
    later = write_history(tmp_path / "later.csv", days=12, first_day=10_011, kinds=kinds)
    with pytest.raises(ReplayError, match=r"the history has 40 cancellations, .*set kafka.cancellations: true"):
        replay_history(later, settings, FAST)
    turned_on = environment(broker, prefix) | {"CHURNWATCH_KAFKA__CANCELLATIONS": "true"}
    with_topic = load_settings(None, turned_on)
    with pytest.raises(ReplayError, match=rf"topics {prefix}cancellations do not exist"):
        replay_history(later, with_topic, FAST)
    create_topics(with_topic)
    replay_history(later, with_topic, FAST)
    assert replay_history(later, with_topic, FAST).written == 0
    contents = topic_contents(with_topic)
    assert len(contents["cancellations"]) == 40
    assert {name for r in contents["cancellations"] for name in json.loads(r.value)} == {"event_id", "customer_id", "occurred_at"}
    found = Counter(json.loads(r.value)["event_id"] for topic in MORE for r in contents[topic])
    assert found == Counter([*first.event_id, *later.event_id])
    behind = [r for r in contents["churn.clock"] if json.loads(r.value)["at_ms"] > int(later.time_ms[0])]
    assert_ticks_keep_their_promise(contents | {"churn.clock": behind}, later, last_day=10_023)


def test_speed_holds_event_time_to_the_wall_clock(settings: Settings, tmp_path: Path) -> None:
    history = write_history(tmp_path / "h.csv", days=10)
    summary = replay_history(history, settings, ReplayOptions(speed_days_per_s=10.0))
    assert summary.seconds >= (summary.days - 1) / 10.0
    assert_ticks_keep_their_promise(topic_contents(settings), history, last_day=10_010)


def test_missing_topics_are_named_with_the_remedy(broker: RunningBroker, prefix: str, tmp_path: Path) -> None:
    history = write_history(tmp_path / "h.csv", days=2)
    with pytest.raises(ReplayError, match=rf"topics {prefix}purchases.* do not exist; create them: churnwatch topics create"):
        replay_history(history, load_settings(None, environment(broker, prefix)), FAST)


def test_topics_that_differ_in_partitions_are_refused(broker: RunningBroker, prefix: str, tmp_path: Path) -> None:
    settings = load_settings(None, environment(broker, prefix))
    with admin_client(settings) as admin:
        admin.create_topics({f"{prefix}logins": {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True)
    create_topics(settings)
    with pytest.raises(ReplayError, match=rf"topics differ in partitions .*{prefix}logins 2"):
        replay_history(write_history(tmp_path / "h.csv", days=2), settings, FAST)


@pytest.mark.parametrize(
    ("args", "bootstrap", "said"),
    [
        (["absent.csv"], None, "churnwatch: file absent.csv: No such file or directory"),
        (["cdnow:"], "127.0.0.1:1", "churnwatch: kafka.bootstrap 127.0.0.1:1: no broker answered"),
        (["a.csv", "--map", "cdnow", "--map", "none", "--map", "none"], None, "--map: 3 given for 1 files"),
    ],
)
def test_the_command_fails_in_one_line(args: list[str], bootstrap: str | None, said: str) -> None:
    env = {} if bootstrap is None else {"CHURNWATCH_KAFKA__BOOTSTRAP": bootstrap}
    process = replay_process(*args, env=env)
    out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert (out, len(err.splitlines())) == ("", 1)
    assert said in err
