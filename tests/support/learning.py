"""A history that is learnt from, replayed to workers and a learner; and what the models and the alerts of it must be.

Expected by the engine and the learner straight from the file, partition after partition and tick after tick, without Kafka, Redis
or any process.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from kafka import TopicPartition

from alerts.alert import ModelAlert, decode_any, encode
from alerts.ids import rfc3339
from detectors.learner import Learner
from detectors.learner_rules import Event
from detectors.parameters import SHIPPED
from detectors.served import ServedModel
from streams.backtest.learning import Learning
from streams.backtest.run import RunResult
from streams.challenging import Challenging
from streams.columns import DAY_MS, TICK
from streams.customer import row_bytes
from streams.engine import EngineRules, advance
from streams.refits import histories, refit, refit_due
from streams.runtime.kafka_client import admin_client, ends, reader
from streams.runtime.learner_app import desk_rules
from streams.runtime.learner_papers import ALERT_KEY
from streams.runtime.reading import read_range
from streams.runtime.rules import engine_rules
from streams.runtime.topics import ALERTS, MODELS
from streams.serving import SERVING_KEY, encode_serving, serving_of
from streams.table import CustomerTable
from tests.support.replays import Replayed, Site
from tests.support.workers import COMMAND

LEARNER = (*COMMAND, "learner")
LEARNING = {
    "CHURNWATCH_LEARNING__ENABLED": "true",
    "CHURNWATCH_RISK__HORIZON_DAYS": "6",
    "CHURNWATCH_LEARNING__SNAPSHOTS_PER_HORIZON": "2",
    "CHURNWATCH_LEARNING__MIN_LABELS": "50",
    "CHURNWATCH_LEARNING__MIN_DAYS": "3",
    "CHURNWATCH_LEARNING__SETTLE_LABELS": "50",
    "CHURNWATCH_LEARNING__EVIDENCE_DAYS": "20",
    "CHURNWATCH_LEARNING__REFIT_DAYS": "15",
    "CHURNWATCH_LEARNING__KEEP_MODELS": "5",
    "CHURNWATCH_TIME__LATENESS_S": "0",
}
"""Labels mature within a week, and a few of them say something."""


class Learnt(Replayed):
    """A history with learning on. challenging: who is to learn beside the learner; None: nobody"""

    @cached_property
    def challenging(self) -> Challenging | None:
        return None

    @cached_property
    def _run(self) -> tuple[RunResult, dict[int, bytes], Learner]:
        return _learn(self._columns, engine_rules(self._rules_settings), self)

    @property
    def from_engine(self) -> RunResult:  # type: ignore[override]
        """What engine and learner make of the file."""
        return self._run[0]

    @property
    def models(self) -> dict[int, bytes]:
        """tick -> what serves from it on, as it stands on the topic."""
        return self._run[1]

    @property
    def did(self) -> list[Event]:
        """What the learner did about itself."""
        return self._run[2].events

    @property
    def learner(self) -> bytes:
        """Its state in the end."""
        return self._run[2].to_bytes()


def _learn(columns: Mapping[int, Any], rules: EngineRules, replayed: Learnt) -> tuple[RunResult, dict[int, bytes], Learner]:
    desk = desk_rules(replayed._rules_settings)
    assert rules.outcomes is not None
    assert desk.refit_days is not None
    learner = Learner(desk.learner, SHIPPED)
    learning, result, models = Learning(learner, rules.outcomes, replayed.challenging), RunResult(), dict[int, bytes]()
    tables = {partition: CustomerTable() for partition in columns}
    parts = {partition: _by_tick(rows) for partition, rows in columns.items()}
    ticks = sorted(set().union(*parts.values()))
    model, done_ms = ServedModel(SHIPPED, float(rules.horizon_days)), ticks[0] - DAY_MS
    for tick_ms in ticks:
        for partition, table in tables.items():
            step = advance(table, parts[partition][tick_ms], 0, rules, model)
            table.apply(step)
            learning.add(step)
            result.alerts += map(encode, step.alerts)
            result.events += sum(step.stats.events)
        if refit_due(ticks[0], done_ms, tick_ms, desk.refit_days):
            rows = np.concatenate([table.records[: len(table)] for table in tables.values()])
            learner.refit(refit(histories(rows, tick_ms), tick_ms))
        done_ms = tick_ms
        model = learning.tick(tick_ms)
        models[tick_ms] = encode_serving(serving_of(learner, tick_ms, tick_ms))
    for partition, table in tables.items():
        stored = row_bytes(table.records)
        result.records |= {customer: stored[row] for customer, row in table.row_of.items()}
        result.states[partition] = table.state.to_bytes()
    return result, models, learner


def _by_tick(rows: Any) -> dict[int, Any]:
    """tick -> the rows up to it, with it."""
    at = np.flatnonzero(rows.kind == TICK)
    starts = np.r_[0, at[:-1] + 1]
    return {int(rows.time_ms[end]): rows.take(slice(int(start), int(end) + 1)) for start, end in zip(starts, at, strict=True)}


def records_of(site: Site, topic: str) -> list[Any]:
    """Every record of a topic of one partition (without prefix), in order."""
    tp = TopicPartition(site.prefix + topic, 0)
    with admin_client(site.settings) as admin, reader(site.settings) as client:
        bounds = {one: (bound.first, bound.end) for one, bound in ends(admin, client, [tp]).items()}
        return list(read_range(client, bounds))


def models_by_tick(site: Site) -> dict[int, bytes]:
    """tick -> what served from it on, as bytes. AssertionError where one tick had two."""
    found: dict[int, bytes] = {}
    for record in records_of(site, MODELS):
        if record.key == SERVING_KEY:
            tick_ms = msgspec.json.decode(record.value)["tick_ms"]
            assert found.setdefault(tick_ms, record.value) == record.value, f"two models for the tick {tick_ms}"
    return found


def assert_model_alerts_as_from_the_file(site: Site, learnt: Learnt) -> None:
    """What was told about the model, repeats dropped, is what the learner did on the file: every demotion and every recovery."""
    found = {record.value: decode_any(record.value) for record in site.messages(ALERTS) if record.key == ALERT_KEY}
    told = [(one.status, one.as_of, one.text) for one in found.values() if isinstance(one, ModelAlert) and not one.live]
    assert len(told) == len({one.message_id for one in found.values() if isinstance(one, ModelAlert)})
    status = {"demoted": "firing", "recovered": "resolved"}
    expected = [(status[one.what], rfc3339(one.at_ms), one.why) for one in learnt.did if one.what in status]
    assert told == expected
    assert len(expected) > 2


def learnt_to_the_end(site: Site, learnt: Learnt) -> bool:
    """Whether the model of the last tick is on its topic."""
    return max(models_by_tick(site), default=0) == max(learnt.models)


def assert_models_as_from_the_file(site: Site, learnt: Learnt) -> None:
    """What served at each tick is, byte by byte, what the learner makes of the file; and the champion served for a while."""
    found, expected = models_by_tick(site), learnt.models
    assert found.keys() == expected.keys()
    differs = [tick_ms for tick_ms in sorted(expected) if found[tick_ms] != expected[tick_ms]]
    assert not differs, f"{len(differs)} of {len(expected)} models differ, first: {found[differs[0]]!r} {expected[differs[0]]!r}"
    told = [msgspec.json.decode(value) for value in expected.values()]
    assert sum(one["serves"] for one in told) > 20
    assert len({one["closed_form"]["version"] for one in told}) > 3
