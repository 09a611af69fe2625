"""A finished live run once more, by the slow twin of the engine: one event at a time, by code that the worker does not run.

From the journal it takes what a commit folded and what the clock said; from `churn.dead-letters` what was no event. Records are
decoded, merged, folded, judged and named here. It knows live partitions, amounts of the base currency, with two digits, and no
model but the closed form.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any

from xxhash import xxh3_64_intdigest

from detectors.served import ServedModel
from streams.runtime.rules import engine_rules
from streams.runtime.topics import DEAD_LETTERS, INPUTS
from tests.oracle.engine_twin import EngineTwin, Evaluation
from tests.oracle.journal_chain import NotRepeated, chain
from tests.oracle.journal_repeat import Left, journal, models
from tests.oracle.merge_twin import MergeTwin, Row
from tests.oracle.rfm_twin import EventTwin

Place = tuple[int, int]
"""(topic's place in INPUTS, offset)."""


def twins(left: Left) -> dict[int, EngineTwin]:
    """Partition -> its customers, and all that was ever decided about them."""
    return {partition: _twin(left, partition, last, models(left)) for partition, last in left.last.items()}


def message_ids(twin: EngineTwin) -> set[str]:
    """What its alerts are called."""
    return {_message_id(one) for one in twin.sent()}


def _message_id(one: Evaluation) -> str:
    name = f"churn-risk\0{one.after.episode_s}\0{one.customer}".encode()
    return f"{blake2b(name, digest_size=12, person=b'churnwatch.alert').hexdigest()}-{one.after.transition}"


def _twin(left: Left, partition: int, last: str, known: Mapping[str, ServedModel]) -> EngineTwin:
    rules, events = engine_rules(left.settings), _events(left, partition)
    twin = EngineTwin(
        next(iter(known.values())).closed_form,
        rules.policy,
        rules.looks,
        lateness_ms=rules.lateness_ms,
        horizon_days=rules.horizon_days,
    )
    before: Mapping[str, int] = {}
    for entry in chain(journal(left, partition), last).kept:
        if entry.live_after_ms is None:
            raise NotRepeated(f"commit {entry.seq} of partition {partition}: the twin knows no history")
        if (model := known[entry.model]).serving is not None:
            raise NotRepeated(f"commit {entry.seq} of partition {partition}: the twin knows no linear model")
        twin.model = model.closed_form
        for event in _merged(events, before, entry.offsets):
            twin.row(event, sweep=entry.sweep)
        twin.clock(entry.now_ms, sweep=entry.sweep)
        before = entry.offsets
    return twin


def _events(left: Left, partition: int) -> dict[Place, EventTwin]:
    """Every event of a partition, in order of topic and offset."""
    letters = (json.loads(record.value) for record in left.topics[DEAD_LETTERS])
    prefix = left.settings.kafka.topic_prefix
    dead = {(letter["topic"], letter["partition"], letter["offset"]) for letter in letters}
    return {
        (rank, record.offset): _event(rank, record, left.settings.money.base_currency)
        for rank, topic in enumerate(INPUTS)
        for record in left.topics[topic]
        if record.partition == partition and (prefix + topic, partition, record.offset) not in dead
    }


def _event(rank: int, record: Any, base: str) -> EventTwin:
    fields = json.loads(record.value)
    at = fields["occurred_at"]
    time_ms = at if isinstance(at, int) else int(datetime.fromisoformat(at).timestamp() * 1000)
    if fields.get("currency", base) != base:
        raise NotRepeated(f"offset {record.offset} of {record.topic}: the twin knows amounts in {base} alone")
    amount = fields["amount"] if rank == 0 else 0
    kind = ("purchase" if amount >= 0 else "refund") if rank == 0 else INPUTS[rank].removesuffix("s")
    severity = fields.get("severity") or 3 if kind == "complaint" else 0
    id_hash = xxh3_64_intdigest(f"{rank}{fields['event_id']}".encode())
    return EventTwin(kind, time_ms, fields["customer_id"], round(abs(amount) * 100), severity, id_hash)


def _merged(events: Mapping[Place, EventTwin], before: Mapping[str, int], after: Mapping[str, int]) -> Sequence[EventTwin]:
    """Those between the offsets, smallest head first."""
    merge = MergeTwin({rank: deque() for rank in range(len(INPUTS))})
    for rank, topic in enumerate(INPUTS):
        for offset in range(before.get(topic, -1) + 1, after.get(topic, -1) + 1):
            if (rank, offset) in events:
                merge.push(Row(events[rank, offset].time_ms, rank, offset))
    return [events[row.rank, row.offset] for row in merge.take(len(events), lambda _: True)]
