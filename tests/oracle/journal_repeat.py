"""A finished run repeated commit by commit, from its input topics, its clock and its journal: what must be in Redis and on
`churn.alerts` now.

    left = Left(settings, {topic: records}, {partition: id of the last commit})     see tests/support/left_behind.py
    repeated = repeat(left)
    assert repeated.records == records_in_redis

What the journal does not tell is not needed: heartbeats, inflow and memory of the clock decide nothing but `now_ms` and `sweep`,
which it does tell; who looked at whom follows from `looked_at`, since those due first come first. Ingestion alerts are the
clock's, and stand there by id. Not repeated: triggers, and what the operator's commands did.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from alerts.alert import encode
from detectors.parameters import SHIPPED, loads
from detectors.served import ServedModel
from streams.columns import Columns
from streams.customer import row_bytes
from streams.engine import advance
from streams.runtime.commits import JournalEntry
from streams.runtime.models import read_parameters
from streams.runtime.rules import engine_rules, event_rules
from streams.runtime.settings import Settings
from streams.runtime.topics import CLOCK, DEAD_LETTERS, INPUTS, JOURNAL, MODELS
from streams.serving import CLOSED_FORM_KEY, SERVING_KEY, decode_serving
from streams.step import Step
from streams.table import CustomerTable
from tests.oracle.journal_chain import Chain, NotRepeated, chain
from tests.oracle.journal_rows import JournalRows

READ = (*INPUTS, CLOCK, JOURNAL, DEAD_LETTERS)
"""Topics that a repetition reads, the dead letters by the twin alone; and MODELS where a model was learnt."""


@dataclass(frozen=True)
class Left:
    """What a finished run left.

    settings   of its workers, as far as they decide anything
    topics     topic without prefix -> its committed records, those of one partition in order of offset; see READ
    last       partition -> id of its last commit, as Redis has it
    """

    settings: Settings
    topics: Mapping[str, Sequence[Any]]
    last: Mapping[int, str]


@dataclass
class Repeated:
    """What the run did.

    records      customer -> record
    states       partition -> the engine's state
    alerts       message id -> the message, of customers' alerts
    ingestion    message ids of ingestion alerts
    orphaned     message id -> messages of commits that Redis lost; `alerts` may have the same id, with these bytes or others
    commits      partition -> the commits that count
    events       events applied; duplicates, late: of those folded, repeats and events older than the watermark
    """

    records: dict[str, bytes] = field(default_factory=dict)
    states: dict[int, bytes] = field(default_factory=dict)
    alerts: dict[str, bytes] = field(default_factory=dict)
    ingestion: set[str] = field(default_factory=set)
    orphaned: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    commits: dict[int, list[JournalEntry]] = field(default_factory=dict)
    events: int = 0
    duplicates: int = 0
    late: int = 0


def repeat(left: Left) -> Repeated:
    """The run once more. Raises NotRepeated where the journal and the topics do not give what it says."""
    found, known = Repeated(), models(left)
    for partition, last in left.last.items():
        _Partition(partition, left, known).repeat(last, found)
    return found


def journal(left: Left, partition: int) -> list[JournalEntry]:
    """What stands in the journal of a partition."""
    return [msgspec.json.decode(r.value, type=JournalEntry) for r in left.topics[JOURNAL] if r.partition == partition]


def models(left: Left) -> dict[str, ServedModel]:
    """Version -> model that could have been in use. What is tried and does not serve decides nothing."""
    risk = left.settings.risk
    pinned, horizon_days = risk.parameters_file, risk.horizon_days
    records = [record for record in left.topics.get(MODELS, ()) if record.value]
    closed = [SHIPPED, *(read_parameters(name) for name in (pinned,) if name is not None)]
    closed += [loads(record.value) for record in records if record.key == CLOSED_FORM_KEY]
    found = [ServedModel(parameters, horizon_days) for parameters in closed]
    sent = (decode_serving(record.value) for record in records if record.key == SERVING_KEY)
    found += [one.served_model(horizon_days, risk.staying) for one in sent]
    return {model.version: model for model in found}


class _Partition:
    """One partition's part of a run."""

    def __init__(self, partition: int, left: Left, models: Mapping[str, ServedModel]) -> None:
        records = {name: [r for r in left.topics.get(name, ()) if r.partition == partition] for name in (*INPUTS, CLOCK)}
        events = event_rules(left.settings)
        self._causes = "" if events.causes is None else events.causes.version
        self._rows = JournalRows(records, events)
        self._partition, self._left, self._models = partition, left, models
        self._rules = engine_rules(left.settings)

    def repeat(self, last: str, found: Repeated) -> None:
        told = chain(journal(self._left, self._partition), last)
        table, before = CustomerTable(), dict[str, int]()
        self._orphans(told, "", table, before, found)
        for entry in told.kept:
            if entry.causes not in ("", self._causes):
                raise NotRepeated(f"commit {entry.seq}: complaints were read by {entry.causes}, this is {self._causes}")
            self._count(self.step(table, before, entry), entry, found)
            before = entry.offsets
            self._orphans(told, entry.commit_id, table, before, found)
        ids = list(table.row_of)
        found.records |= dict(zip(ids, row_bytes(table.records[table.rows(ids)]), strict=True))
        found.states[self._partition] = table.state.to_bytes()
        found.commits[self._partition] = told.kept

    def _orphans(self, told: Chain, after: str, table: CustomerTable, before: Mapping[str, int], found: Repeated) -> None:
        """Messages of the commits that followed `after` and were lost."""
        for entry in told.orphaned.get(after, ()):
            lost = copy.deepcopy(table)
            for alert in self.step(lost, before, entry).alerts:
                found.orphaned[alert.message_id].add(encode(alert))
            self._orphans(told, entry.commit_id, lost, entry.offsets, found)

    def step(self, table: CustomerTable, before: Mapping[str, int], entry: JournalEntry) -> Step:
        """One commit, taken over into the table."""
        if entry.config_hash != self._left.settings.config_hash:
            raise NotRepeated(f"{_name(entry)}: made under other settings, config_hash {entry.config_hash}")
        if entry.model not in self._models:
            raise NotRepeated(f"{_name(entry)}: the model {entry.model} is not among {sorted(self._models)}")
        rows = self._rows.between(before, entry.offsets, history=entry.live_after_ms is None)
        if len(rows) != entry.rows:
            raise NotRepeated(f"{_name(entry)}: {entry.rows} rows were folded, the topics have {len(rows)} there")
        step = self._advance(table, rows, entry)
        if step.state.watermark_ms != entry.watermark_ms:
            raise NotRepeated(f"{_name(entry)}: watermark {step.state.watermark_ms}, the journal says {entry.watermark_ms}")
        table.apply(step)
        return step

    def _advance(self, table: CustomerTable, rows: Columns, entry: JournalEntry) -> Step:
        rules, model = self._rules.live_after(entry.live_after_ms), self._models[entry.model]
        only = None if entry.looked_at is None else table.first_due(entry.now_ms // 1000, entry.looked_at)
        return advance(table, rows, entry.now_ms, rules, model, sweep=entry.sweep, only=only)

    @staticmethod
    def _count(step: Step, entry: JournalEntry, found: Repeated) -> None:
        for alert in step.alerts:
            found.alerts[alert.message_id] = encode(alert)
        found.ingestion |= set(entry.ingestion)
        found.events += sum(step.stats.events)
        found.duplicates += sum(step.stats.duplicates)
        found.late += step.stats.late


def _name(entry: JournalEntry) -> str:
    return f"commit {entry.seq} of partition {entry.partition}, epoch {entry.epoch}"
