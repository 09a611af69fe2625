"""From a computed step to what one commit writes: records, looks, risks, offsets, state and messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from alerts.alert import Alert, IngestionAlert, encode
from alerts.trigger_event import Trigger, encode_trigger
from streams.columns import TOPIC_RANKS
from streams.customer import NEVER_S, VERSION, row_bytes
from streams.erasure import ErasureNotice, encode_notice
from streams.labels import LabelMessage, encode_labels
from streams.runtime.labelling import NOTHING_LABELLED, Labelled
from streams.runtime.live_clock import ClockMemory
from streams.runtime.store import CommitRequest, OutboxEntry
from streams.runtime.topics import ALERTS, ERASURES, JOURNAL, LABELS, TRIGGERS
from streams.step import Step
from streams.table import CustomerTable

TOPIC_OF_RANK = {rank: topic for topic, rank in TOPIC_RANKS.items()}


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit decided on, enough to repeat it: `churn.journal`, keyed by partition, one a commit.

    The last commit's id is in Redis; from there `follows` leads back through those that count. What Redis lost, and was made
    again, is on no such way.

    seq, epoch     number of the commit, and the owner's epoch
    commit_id      the id under which Redis has it; "" from builds that did not tell
    follows        the id of the commit before; "" for a partition's first
    offsets        topic -> last folded offset
    rows           events folded
    now_ms         watermark the clock gave, ms; 0 = events and ticks only
    sweep          whether looks of silent customers were allowed
    looked_at      how many of those due, the earliest first, were looked at; null = all
    watermark_ms   the partition's watermark after it
    model, config_hash   versions in use
    live_after_ms  event time up to which its decisions are about the past, ms; null = history was being loaded
    ingestion      message ids of the alerts about missing data that left with it
    causes         version of the model by which complaints were read; "" where none was
    """

    partition: int
    seq: int
    epoch: int
    commit_id: str = ""
    follows: str = ""
    offsets: dict[str, int]
    rows: int
    now_ms: int
    sweep: bool
    looked_at: int | None
    watermark_ms: int
    model: str
    config_hash: str
    live_after_ms: int | None
    ingestion: list[str] = []
    causes: str = ""


class PastAlerts(msgspec.Struct, frozen=True):
    """Alerts about the past, which stand on `churn.alerts` and go nowhere else.

    messages   how many were booked
    since      event time of the first, RFC 3339; "" where there is none
    """

    messages: int = 0
    since: str = ""

    def and_those_of(self, alerts: Sequence[Alert]) -> PastAlerts:
        """With what a step decided, whose alerts are ordered by event time."""
        past = [alert for alert in alerts if not alert.live]
        return PastAlerts(self.messages + len(past), self.since or past[0].as_of) if past else self


class LiveState(msgspec.Struct, frozen=True):
    """The partition's opaque state as stored: the engine's; of a live system also the usual inflow and the clock's memory.

    inflow                       of a system that is live; b"" where history is being loaded, and at the switch
    live_after_ms, switched_ms   see mode.Mode
    past                         alerts about the past
    topic_ids                    topic -> Kafka's id of it, which another topic of that name has not; of those that have one
    tick_ms                      see labelling.Labelling
    """

    engine: bytes
    inflow: bytes
    clock: ClockMemory = ClockMemory()
    live_after_ms: int | None = None
    switched_ms: int | None = None
    past: PastAlerts = PastAlerts()
    topic_ids: dict[str, str] = {}
    tick_ms: int = 0


def pack_state(state: LiveState) -> bytes:
    """Bytes that `unpack_state` reads."""
    return msgspec.msgpack.encode(state)


def unpack_state(blob: bytes) -> LiveState:
    """Inverse of `pack_state`. Raises ValueError for anything else.

    Builds before the switch did not record the mode. What they wrote live can be told all the same, since it alone has an
    inflow; all that they decided was told as it came, so nothing of it is the past.
    """
    state = msgspec.msgpack.decode(blob, type=LiveState)
    return msgspec.structs.replace(state, live_after_ms=0) if state.live_after_ms is None and state.inflow else state


def messages(
    prefix: str,
    after_no: int,
    step: Step,
    ingestion: Sequence[IngestionAlert],
    triggers: Sequence[Trigger],
    journal: JournalEntry,
    notices: Sequence[ErasureNotice] = (),
    labels: Sequence[LabelMessage] = (),
) -> list[OutboxEntry]:
    """What leaves with the commit, numbered on from `after_no`: ingestion alerts, customers', triggers, notices of erasures, what
    the learner is told, the journal entry."""
    found = [(ALERTS, f"partition-{alert.partition}".encode(), encode(alert)) for alert in ingestion]
    found += [(ALERTS, alert.customer_id.encode(), encode(alert)) for alert in step.alerts]
    found += [(TRIGGERS, trigger.subject.encode(), encode_trigger(trigger)) for trigger in triggers]
    found += [(ERASURES, notice.customer_id.encode(), encode_notice(notice)) for notice in notices]
    for told in labels:
        numbered = msgspec.structs.replace(told, number=after_no + len(found) + 1)
        found.append((LABELS, str(told.partition).encode(), encode_labels(numbered)))
    found.append((JOURNAL, str(journal.partition).encode(), msgspec.json.encode(journal)))
    return [OutboxEntry(after_no + k, prefix + topic, key, value) for k, (topic, key, value) in enumerate(found, 1)]


def commit_request(
    journal: JournalEntry,
    step: Step,
    table: CustomerTable,
    offsets: Mapping[int, int],
    state: bytes,
    outbox: Sequence[OutboxEntry],
    record_version: int = VERSION,
    labelled: Labelled = NOTHING_LABELLED,
) -> CommitRequest:
    """One commit's content; risks and looks are written where they changed, records all.

    journal          names the commit
    offsets          topic rank -> last folded offset
    record_version   as which records are stored
    labelled         what becomes of snapshots
    """
    known, before = step.rows >= 0, np.maximum(step.rows, 0)
    due_s, risk_bp = step.records["due_s"], step.records["risk_bp"]
    new_due = np.flatnonzero(~known | (table.records["due_s"][before] != due_s))
    new_risk = np.flatnonzero(~known | (table.records["risk_bp"][before] != risk_bp))
    due: list[int | None] = due_s[new_due].tolist()
    for k in np.flatnonzero(due_s[new_due] == NEVER_S).tolist():
        due[k] = None
    ids = step.ids
    return CommitRequest(
        seq=journal.seq,
        commit_id=journal.commit_id,
        follows=journal.follows,
        records=list(zip(ids, row_bytes(step.records, record_version), strict=True)),
        due=list(zip([ids[k] for k in new_due.tolist()], due, strict=True)),
        risk=list(zip([ids[k] for k in new_risk.tolist()], (risk_bp[new_risk] / 10_000).tolist(), strict=True)),
        offsets={TOPIC_OF_RANK[rank]: offset for rank, offset in offsets.items() if offset >= 0},
        state=state,
        outbox=outbox,
        pending=labelled.pending,
        settled=labelled.settled,
        gone=step.gone,
    )
